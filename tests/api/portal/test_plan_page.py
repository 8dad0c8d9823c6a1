"""The page of a customer with a plan says what its charges are, as the API does, and no cost of models."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.api.portal.conftest import Portal
from tests.api.portal.page_texts import after, texts_of
from tests.engine_fixtures import Api, SettableClock, customer_path, llm_request

TOKENS = {"code": "tokens", "name": "Tokens", "meter": "total_tokens", "price": {"model": "standard", "amount": "0.01"}}
FEBRUARY = datetime(2026, 2, 10, tzinfo=UTC)
MARCH = datetime(2026, 3, 5, tzinfo=UTC)


def subscribed(
    api: Api, customer: str, *charges: dict[str, Any], plan: str | None = None, currency: str = "EUR", **given: Any
) -> None:
    """A customer with a subscription since January to a plan of its own."""
    api.send("POST", "/v1/customers", None, json={"id": customer})
    code = plan or f"plan of {customer}"
    api.post("/v1/plans", {"code": code, "interval": "monthly", "currency": currency, "charges": list(charges)})
    about = {"id": f"subscription of {customer}", "customer": customer, "plan": code}
    api.post("/v1/subscriptions", {**about, "effective_at": "2026-01-01T00:00:00Z", **given})


def test_it_shows_each_charge_and_no_cost_of_models(api: Api, portal: Portal) -> None:
    subscribed(api, "charged", TOKENS, {**TOKENS, "code": "again", "name": "<b>Again</b>"}, name="Production")
    api.deliver([llm_request("charged", "charged", MARCH, model="secret model", cost_usd="77.77")])
    page = portal.opened("charged")
    answer = api.get(customer_path("charged", "/charges"))["data"][0]
    assert (answer["amount"], answer["currency"]) == ("2.2", "EUR")
    assert after(page, "March 2026", count=3) == ["Charges so far", "2.20", "EUR"]
    assert after(page, "Charges", "Charge", "Units", "Amount (EUR)", count=8) == [
        *("Tokens", "110", "1.10"),
        *("<b>Again</b>", "110", "1.10"),
        *("Total", "2.20"),
    ]
    assert after(page, "Plan", count=7) == [
        *("plan of charged", "Subscription", "Production"),
        *("Billed", "monthly", "Ends", "31 March 2026"),
    ]
    assert ("77.77" in page, "secret model" in page) == (False, False)


@pytest.mark.parametrize(
    ("currency", "price", "due"), [("TND", "0.00914", "1.005"), ("KWD", "11.2233", "1,234.563"), ("JPY", "10", "1,100")]
)
def test_amounts_have_the_decimals_of_the_currency_everywhere(
    api: Api, portal: Portal, currency: str, price: str, due: str
) -> None:
    customer = f"in {currency}"
    subscribed(api, customer, {**TOKENS, "price": {"model": "standard", "amount": price}}, currency=currency)
    api.deliver([llm_request(customer, customer, MARCH)])
    page = portal.opened(customer)
    assert after(page, "March 2026", count=3) == ["Charges so far", due, currency]
    assert after(page, "Total", count=1) == [due]
    assert f"{due} {currency}" in texts_of(page)
    assert f"The highest is {due} {currency} in March 2026." in page


def test_groups_filters_and_minimums_have_lines_of_their_own(api: Api, portal: Portal) -> None:
    api.post("/v1/meters", {"code": "gb", "event_type": "disk", "aggregation": "sum", "value_property": "gb"})
    disk = {
        "code": "disk",
        "meter": "gb",
        "group_by": ["region"],
        "minimum_amount": "50",
        "price": {"model": "standard", "amount": "1"},
        "filters": [{"values": {"tier": ["fast"]}, "price": {"model": "standard", "amount": "3"}}],
    }
    subscribed(api, "grouped", disk)
    used = [("eu", "fast", 4), ("us", "slow", 5)]
    api.deliver(
        [
            {
                **llm_request(f"grouped {region}", "grouped", FEBRUARY),
                "type": "disk",
                "data": {"region": region, "tier": tier, "gb": gb},
            }
            for region, tier, gb in used
        ]
    )
    page = portal.page(portal.link("grouped"), query="?period=2026-02-10")
    assert after(page, "Amount (EUR)", count=17) == [
        *("disk", "9", "50.00"),
        *("eu", "4", "12.00"),
        *("us", "5", "5.00"),
        *("fast", "4", "12.00"),
        *("Other", "5", "5.00"),
        *("Up to the minimum", "33.00"),
    ]


def test_a_charge_that_is_unknown_makes_the_sum_unknown_and_says_why(api: Api, portal: Portal) -> None:
    subscribed(api, "not known", TOKENS, {**TOKENS, "code": "seats", "name": "Seats", "meter": "seats"})
    page = portal.opened("not known")
    assert after(page, "March 2026", count=3) == ["Charges so far", "unknown", "1 charge is unknown."]
    assert after(page, "Seats", count=3) == ["unknown: there is no meter 'seats'", "unknown", "unknown"]
    assert after(page, "Total", count=1) == ["unknown"]


def test_a_deleted_plan_has_no_charges_and_no_sum(api: Api, portal: Portal) -> None:
    subscribed(api, "plan deleted", TOKENS)
    api.delete("/v1/plans/plan of plan deleted")
    page = portal.opened("plan deleted")
    assert after(page, "since 1 January 2026", count=3) == [
        "Charges so far",
        "unknown",
        "The plan does not exist any more.",
    ]


def test_a_restated_period_says_what_it_was_at_closing(api: Api, portal: Portal) -> None:
    subscribed(api, "restated plan", TOKENS)
    api.deliver([llm_request("restated plan", "restated plan", FEBRUARY)])
    page = portal.page(portal.link("restated plan"), query="?period=2026-02-10")
    assert after(page, "February 2026", count=3) == ["Charges", "1.10", "EUR"]
    assert any(text.startswith("Restated: ") for text in texts_of(page))
    assert after(page, "February 2026", "1.10 EUR", count=1) == ["restated"]


def test_a_customer_with_several_subscriptions_chooses_one(api: Api, portal: Portal) -> None:
    subscribed(api, "several", TOKENS, plan="several-1", id="several a", name="First")
    subscribed(api, "several", {**TOKENS, "name": "Units"}, plan="several-2", id="several b")
    path = portal.link("several")
    first, second = portal.page(path), portal.page(path, query="?plan=several%20b")
    assert "First" in texts_of(first)
    assert ('href="?plan=several+b"' in first, "Tokens" in texts_of(first)) == (True, True)
    assert ("Units" in texts_of(second), "Tokens" in texts_of(second)) == (True, False)
    assert 'href="?period=2026-02-01T00%3A00%3A00.000000Z&amp;plan=several+b"' in second


def test_an_ended_subscription_is_offered_beside_usage(api: Api, portal: Portal, clock: SettableClock) -> None:
    subscribed(api, "has ended", TOKENS)
    api.send("DELETE", "/v1/subscriptions/subscription of has ended?effective_at=2026-03-01T00:00:00Z", 204)
    path = portal.link("has ended")
    assert after(portal.page(path), "Usage", "subscription of has ended (ended)", "March 2026", count=1) == [
        "Cost so far"
    ]
    page = portal.page(path, query="?plan=subscription%20of%20has%20ended")
    assert after(page, "February 2026", count=3) == ["Charges", "0.00", "EUR"]


def test_a_subscription_of_an_earlier_life_is_not_shown(api: Api, portal: Portal, clock: SettableClock) -> None:
    subscribed(api, "second life", TOKENS)
    clock.advance(seconds=1)
    api.delete("/v1/customers/second%20life")
    clock.advance(seconds=1)
    api.post("/v1/customers", {"id": "second life"})
    page = portal.opened("second life")
    assert after(page, "March 2026", count=1) == ["Cost so far"]
    assert "plan of second life" not in page
    portal.page(portal.link("second life"), 404, "?plan=subscription%20of%20second%20life")


def test_many_charges_make_a_page_of_bounded_size(api: Api, portal: Portal) -> None:
    subscribed(
        api, "many charges", *({**TOKENS, "code": f"c{number}", "name": f"Charge {number}"} for number in range(100))
    )
    page = portal.opened("many charges")
    assert len(page) < 60_000
    assert "40 more lines are not shown. The total has all." in texts_of(page)
    assert after(page, "February 2026", count=1) == ["January 2026"]
    assert "Amounts of earlier periods are shown when they are chosen." in texts_of(page)
