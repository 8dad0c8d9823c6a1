"""The page of a customer without a plan says what the API says: usage by model, budgets, periods, what is unknown."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.api.portal.conftest import Portal
from tests.api.portal.page_texts import after, texts_of
from tests.engine_fixtures import Api, SettableClock, customer_path, llm_request

FEBRUARY = datetime(2026, 2, 10, tzinfo=UTC)
MARCH = datetime(2026, 3, 5, tzinfo=UTC)


def test_it_shows_the_open_period_by_model_the_most_expensive_first(api: Api, portal: Portal) -> None:
    api.deliver(
        [
            llm_request("by-1", "by model", MARCH, model="small", cost_usd="0.25", input_tokens=1_000),
            llm_request("by-2", "by model", MARCH, model="large", cost_usd="1234.5", input_tokens=2_000_000),
            llm_request("by-3", "by model", FEBRUARY, model="old", cost_usd="7"),
        ]
    )
    page = portal.opened("by model")
    assert after(page, "March 2026", count=3) == ["Cost so far", "1,234.75", "USD"]
    assert after(page, "Requests", count=5) == ["2", "Input tokens", "2,001,000", "Output tokens", "20"]
    assert after(page, "Usage by model", "Model", "Requests", "Tokens", "Cost (USD)", count=14) == [
        *("large", "acme", "1", "2,000,010", "1,234.50"),
        *("small", "acme", "1", "1,010", "0.25"),
        *("Total", "2", "2,001,020", "1,234.75"),
    ]
    assert "old" not in texts_of(page)


def test_costs_are_those_with_the_markup_and_none_before_it(api: Api, portal: Portal) -> None:
    api.post("/v1/customers", {"id": "marked", "markup_percentage": "50", "effective_at": "2026-01-01T00:00:00Z"})
    api.deliver([llm_request("marked", "marked", MARCH, cost_usd="7.31")])
    page = portal.opened("marked")
    usage = api.get("/v1/customers/marked/current-usage")["usage"]
    assert (usage["cost_usd"], usage["reported_cost_usd"]) == ("7.31", "10.965")
    assert ("10.965" in page, "7.31" in page) == (True, False)


def test_what_is_unknown_is_said_to_be_and_is_no_number(api: Api, portal: Portal) -> None:
    api.deliver([llm_request("unknown-1", "unknown", MARCH, model="unpriced")])
    page = portal.opened("unknown")
    assert after(page, "March 2026", count=3) == ["Cost so far", "unknown", "The cost of 1 event is unknown."]
    assert after(page, "unpriced", "acme", count=3) == ["1", "110", "unknown"]
    api.deliver([llm_request("unknown-2", "unknown", MARCH, model="priced", cost_usd="2")])
    page = portal.opened("unknown")
    assert after(page, "March 2026", count=4) == ["Cost so far", "at least", "2.00", "USD"]
    assert after(page, "Total", count=3) == ["2", "220", "at least 2.00"]


def test_a_customer_without_usage_has_a_page_that_says_so(api: Api, portal: Portal) -> None:
    api.post("/v1/customers", {"id": "empty"})
    page = portal.opened("empty")
    assert after(page, "March 2026", count=3) == ["Cost so far", "0.00", "USD"]
    assert after(page, "Usage by model", count=1) == ["There is no usage in this period."]


@pytest.mark.parametrize("name", ["  ", " \u200b "])
def test_a_customer_whose_name_shows_nothing_is_called_by_its_id(api: Api, portal: Portal, name: str) -> None:
    customer = f"nameless {len(name)}"
    api.post("/v1/customers", {"id": customer, "name": name})
    assert texts_of(portal.opened(customer))[2:4] == ["Usage", customer]


def test_another_period_is_shown_by_a_link_of_the_list(api: Api, portal: Portal) -> None:
    api.deliver(
        [
            llm_request("switch-1", "switch", FEBRUARY, model="of february", cost_usd="7"),
            llm_request("switch-2", "switch", MARCH, model="of march", cost_usd="3"),
        ]
    )
    path = portal.link("switch")
    first = portal.page(path)
    queries = dict(re.findall(r'<a href="(\?[^"]+)"[^>]*>([^<]+)</a>', first))
    (february,) = (query for query, label in queries.items() if label == "February 2026")
    page = portal.page(path + february)
    assert after(page, "February 2026", count=3) == ["Cost", "7.00", "USD"]
    assert ("of february" in page, "of march" in page) == (True, False)
    for query in ("?period=2026-02-01", "?period=2026-02-28", "?period=2026-02-10T12:00:00Z"):
        assert after(portal.page(path + query), "February 2026", count=2) == ["Cost", "7.00"]


@pytest.mark.parametrize("query", ["?period=2019-01-01", "?period=", "?period=never", "?period=2026-02-30"])
def test_an_address_that_names_nothing_is_answered_404_with_a_way_back(api: Api, portal: Portal, query: str) -> None:
    api.deliver([llm_request("nothing", "names nothing", MARCH)])
    texts = texts_of(portal.page(portal.link("names nothing"), 404, query))
    assert texts[-3:] == [
        "There is no such period",
        "Nothing is shown for the period in this address.",
        "Show the current period",
    ]


@pytest.mark.parametrize("query", ["?plan=none", "?plan=", "?plan=none&period=2026-03-01"])
def test_an_unknown_subscription_is_answered_404_with_a_way_back(api: Api, portal: Portal, query: str) -> None:
    api.deliver([llm_request("no plan", "no such plan", MARCH)])
    texts = texts_of(portal.page(portal.link("no such plan"), 404, query))
    assert texts[-3:] == [
        "There is no such subscription",
        "Nothing is shown for the subscription in this address.",
        "Show the current period",
    ]


def test_periods_are_those_of_the_zone_of_the_customer(api: Api, portal: Portal) -> None:
    api.post("/v1/customers", {"id": "zone", "time_zone": "Pacific/Auckland"})
    api.deliver([llm_request("zone", "zone", datetime(2026, 2, 28, 11, 30, tzinfo=UTC), cost_usd="4")])
    page = portal.opened("zone")
    assert after(page, "March 2026", count=3) == ["Cost so far", "4.00", "USD"]
    assert "As of 11 March 2026, 01:00. Times are those of Pacific/Auckland." in texts_of(page)


def test_a_period_that_changed_after_it_was_closed_is_marked(api: Api, portal: Portal, clock: SettableClock) -> None:
    api.deliver([llm_request("restated-1", "restated", FEBRUARY, cost_usd="7")])
    path = portal.link("restated")
    past = api.get(customer_path("restated", "/past-usage"))["periods"][0]
    assert (past["restated"], past["at_closing"]["reported_cost_usd"]) == (True, "0")
    page = portal.page(path, query="?period=2026-02-01")
    assert after(page, "February 2026", count=4) == [
        "Cost",
        "7.00",
        "USD",
        "Restated: it was 0.00 USD when it was closed.",
    ]
    assert after(page, "Periods", "Period", "Cost", "March 2026", "0.00 USD", "so far", count=3) == [
        "February 2026",
        "7.00 USD",
        "restated",
    ]
    assert "* changed after the period was closed" in texts_of(page)


def test_budgets_show_what_is_used_and_a_reached_one_says_so(api: Api, portal: Portal) -> None:
    limits = {"period_limit_usd": "20", "soft_limit_usd": "1", "model_limits": {"swift": {"limit_usd": "5"}}}
    api.post("/v1/customers", {"id": "budget", "budget": {**limits, "duration": "1mo", "alignment": "calendar"}})
    api.deliver([llm_request("budget", "budget", datetime(2026, 3, 10, 12, tzinfo=UTC), cost_usd="5")])
    page = portal.opened("budget")
    assert after(page, "Budget", "Budget", count=2) == ["5.00 of 20.00 USD", "Renewed on 1 April 2026, 00:00."]
    assert after(page, "Budget for swift", count=2) == ["5.00 of 5.00 USD", "Used up. Renewed on 1 April 2026, 00:00."]
    assert "1.00 USD" not in page
    api.patch("/v1/customers/budget", {"budget": {"period_limit_usd": "5"}})
    assert "The budget is used up: requests are refused until it is renewed." in texts_of(portal.opened("budget"))
    api.send("POST", "/v1/customers/budget/block", 200)
    assert "Access is blocked. Please ask whoever gave you this link." in texts_of(portal.opened("budget"))


def test_thousands_of_models_and_budgets_make_a_page_of_bounded_size(api: Api, portal: Portal) -> None:
    limits = {f"model {number:04}": {"limit_usd": "1"} for number in range(100)}
    api.post("/v1/customers", {"id": "many", "budget": {"model_limits": limits}})
    for first in range(0, 3_000, 250):
        numbers = range(first, first + 250)
        api.deliver(
            [llm_request(f"many-{one}", "many", MARCH, model=f"model {one:04}", cost_usd="1") for one in numbers]
        )
    page = portal.opened("many")
    assert len(page) < 60_000
    assert after(page, "Total", count=4) == [
        "3,000",
        "330,000",
        "3,000.00",
        "2,950 more models are in the total.",
    ]
    assert "80 more budgets of models are not shown." in texts_of(page)


def test_a_page_lists_twelve_periods(api: Api, portal: Portal) -> None:
    api.deliver(
        [
            llm_request(f"long-{months}", "long", MARCH - timedelta(days=30 * months), cost_usd="1")
            for months in range(30)
        ]
    )
    page = portal.opened("long")
    assert sum(text.endswith(" USD") for text in texts_of(page)) == 12
    assert "Bar chart of the cost of 12 periods, April 2025 to March 2026." in page
