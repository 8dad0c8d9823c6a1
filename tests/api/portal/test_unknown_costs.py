"""What is unknown of a cost is said wherever the cost is shown: at closing, in the chart, in lines of a charge."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.api.portal.conftest import Portal
from tests.api.portal.page_texts import after, texts_of
from tests.engine_fixtures import Api, SettableClock, llm_request

JANUARY = datetime(2026, 1, 10, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 10, tzinfo=UTC)
MARCH = datetime(2026, 3, 5, tzinfo=UTC)
COST = {"code": "cost", "name": "Cost", "meter": "cost_usd", "price": {"model": "standard", "amount": "1"}}


def subscribed(api: Api, customer: str, *charges: dict[str, Any]) -> None:
    """A customer with a subscription since January to a plan of its own, in USD."""
    api.send("POST", "/v1/customers", None, json={"id": customer})
    api.post("/v1/plans", {"code": customer, "interval": "monthly", "currency": "USD", "charges": list(charges)})
    about = {"id": customer, "customer": customer, "plan": customer}
    api.post("/v1/subscriptions", {**about, "effective_at": "2026-01-01T00:00:00Z"})


def test_a_chart_of_unknown_periods_has_marks_and_no_number_for_them(api: Api, portal: Portal) -> None:
    for customer in ("drawn", "drawn by plan"):
        if customer == "drawn by plan":
            subscribed(api, customer, COST)
        api.deliver(
            [
                llm_request(f"{customer}-1", customer, JANUARY, cost_usd="3"),
                llm_request(f"{customer}-2", customer, FEBRUARY),
                llm_request(f"{customer}-3", customer, MARCH),
            ]
        )
        page = portal.opened(customer)
        assert "The highest is 3.00 USD in January 2026." in page
        assert after(page, "Jan", count=5) == ["*", "Feb", "?*", "Mar", "?"]
        assert "* changed after the period was closed; ? unknown" in texts_of(page)


@pytest.mark.parametrize("by_plan", [False, True])
def test_there_is_no_chart_when_every_period_is_unknown(api: Api, portal: Portal, by_plan: bool) -> None:
    customer = f"nothing known {by_plan}"
    if by_plan:
        api.post("/v1/customers", {"id": customer, "effective_at": "2026-02-01T00:00:00Z"})
        api.post("/v1/plans", {"code": customer, "interval": "monthly", "currency": "USD", "charges": [COST]})
        about = {"id": customer, "customer": customer, "plan": customer}
        api.post("/v1/subscriptions", {**about, "effective_at": "2026-02-01T00:00:00Z"})
    api.deliver([llm_request(f"{customer} {at}", customer, at) for at in (FEBRUARY, MARCH)])
    page = portal.opened(customer)
    assert ("The highest" in page, any("0.00" in text for text in texts_of(page))) == (False, False)


def test_the_highest_of_a_chart_says_that_it_is_a_lower_bound(api: Api, portal: Portal) -> None:
    of_march = [llm_request("bound-2", "bound", MARCH, cost_usd="2"), llm_request("bound-3", "bound", MARCH)]
    api.deliver([llm_request("bound-1", "bound", FEBRUARY, cost_usd="1"), *of_march])
    assert "The highest is at least 2.00 USD in March 2026." in portal.opened("bound")


def test_one_model_that_is_left_out_is_said_to_be_in_the_total(api: Api, portal: Portal) -> None:
    api.deliver([llm_request(f"models-{one}", "models", MARCH, model=f"model {one}") for one in range(51)])
    assert "1 more model is in the total." in texts_of(portal.opened("models"))


def test_an_event_in_two_charges_is_not_told_as_two(api: Api, portal: Portal) -> None:
    subscribed(api, "two charges", COST, {**COST, "code": "again"})
    api.deliver([llm_request("two charges", "two charges", MARCH)])
    assert "The cost of at least 1 event is unknown." in texts_of(portal.opened("two charges"))
    subscribed(api, "one charge", COST)
    api.deliver([llm_request(f"one charge {one}", "one charge", MARCH) for one in range(2)])
    assert "The cost of 2 events is unknown." in texts_of(portal.opened("one charge"))


def test_lines_of_a_charge_with_unknown_cost_are_lower_bounds(api: Api, portal: Portal) -> None:
    dear = {"values": {"model": ["dear"]}, "price": {"model": "standard", "amount": "2"}}
    subscribed(api, "lines", {**COST, "group_by": ["model"], "filters": [dear]})
    api.deliver([llm_request("lines-1", "lines", MARCH, model="unpriced")])
    page = portal.opened("lines")
    assert after(page, "Amount (USD)", count=9) == [
        *("Cost", "unknown", "unknown"),
        *("unpriced", "at least 0", "at least 0.00"),
        *("Other", "at least 0", "at least 0.00"),
    ]
    api.deliver([llm_request("lines-2", "lines", MARCH, model="dear", cost_usd="1.5")])
    assert after(portal.opened("lines"), "Amount (USD)", count=6) == [
        *("Cost", "at least 1.5", "at least 3.00"),
        *("dear", "at least 1.5", "at least 3.00"),
    ]


def test_what_was_unknown_at_closing_is_said_to_have_been(api: Api, portal: Portal, clock: SettableClock) -> None:
    for customer in ("usage", "plan"):
        for known in ("none", "some"):
            name = f"{customer} {known}"
            if customer == "plan":
                subscribed(api, name, COST)
            api.deliver([llm_request(f"{name} 1", name, MARCH)])
            if known == "some":
                api.deliver([llm_request(f"{name} 2", name, MARCH, cost_usd="1")])
    clock.set(datetime(2026, 4, 20, tzinfo=UTC))
    for customer in ("usage", "plan"):
        for known, then in (("none", "unknown"), ("some", "at least 1.00 USD")):
            name = f"{customer} {known}"
            api.deliver([llm_request(f"{name} 3", name, MARCH, cost_usd="4")])
            page = portal.opened(name, query="?period=2026-03-01")
            assert f"Restated: it was {then} when it was closed." in texts_of(page)
            assert "The cost of 1 event is unknown." in texts_of(page)
