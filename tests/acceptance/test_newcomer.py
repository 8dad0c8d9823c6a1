"""A customer from its first usage to its next life."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.engine_fixtures import NOON, Api, SettableClock, customer_path, engine_on, http, llm_request


@dataclass(frozen=True)
class Desk:
    api: Api
    clock: SettableClock


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    clock = SettableClock()
    with engine_on(tmp_path, clock) as engine, http(engine) as api:
        yield Desk(api, clock)


def test_usage_alone_makes_a_customer(desk: Desk) -> None:
    desk.api.deliver([llm_request("one", time=NOON - timedelta(days=2))])
    shown = desk.api.get(customer_path("ann"))
    assert (shown["origin"], shown["created_at"], shown["life"]) == ("usage", None, 1)
    assert shown["first_seen_at"] == "2025-05-30T12:00:00.000000Z"
    history = desk.api.pages(customer_path("ann", "/history"))
    assert [(fact["kind"], fact["derived"]) for fact in history] == [("customer.first_seen", True)]


def test_an_explicit_create_keeps_the_usage_and_a_second_one_is_refused(desk: Desk) -> None:
    desk.api.deliver([llm_request("one", cost_usd="1.25")])
    desk.clock.advance(seconds=1)
    desk.api.post("/v1/customers", {"id": "ann", "name": "Ann", "markup_percentage": "10"})
    desk.api.deliver([llm_request("two", time=desk.clock(), cost_usd="1")])
    problem = desk.api.refused("POST", "/v1/customers", 409, {"id": "ann"})
    assert problem["status"] == 409
    usage = desk.api.get(customer_path("ann", "/current-usage"))["usage"]
    assert (usage["requests"], usage["cost_usd"], usage["reported_cost_usd"]) == (2, "2.25", "2.35")


def test_a_patch_leaves_what_it_does_not_name_and_null_clears(desk: Desk) -> None:
    desk.api.post(
        "/v1/customers", {"id": "ann", "name": "Ann", "email": "ann@example.org", "metadata": {"a": 1, "b": 2}}
    )
    changed = desk.api.patch(customer_path("ann"), {"email": None, "metadata": {"b": None, "c": 3}})
    assert (changed["name"], changed["email"], changed["metadata"]) == ("Ann", None, {"a": 1, "c": 3})


def test_a_block_refuses_at_once_and_an_unblock_allows_again(desk: Desk) -> None:
    asked = customer_path("ann", "/access")
    unknown = desk.api.get(asked)
    assert (unknown["allowed"], unknown["reason"]) == (True, "new_customer")
    desk.api.post("/v1/customers", {"id": "ann"})
    desk.api.post(customer_path("ann", "/block"), status=200)
    blocked = desk.api.get(asked)
    assert (blocked["allowed"], blocked["reason"]) == (False, "blocked")
    desk.api.post(customer_path("ann", "/unblock"), status=200)
    allowed = desk.api.get(asked)
    assert (allowed["allowed"], allowed["reason"]) == (True, "ok")


def test_a_budget_refuses_when_it_is_spent_to_the_last_picodollar(desk: Desk) -> None:
    budget = {"period_limit_usd": "1", "duration": "1mo"}
    desk.api.post("/v1/customers", {"id": "ann", "budget": budget})
    desk.api.deliver([llm_request("one", cost_usd="0.999999999999")])
    assert desk.api.get(customer_path("ann", "/access"))["allowed"] is True
    desk.api.deliver([llm_request("two", cost_usd="0.000000000001")])
    refused = desk.api.get(customer_path("ann", "/access"))
    assert (refused["allowed"], refused["reason"]) == (False, "period_limit")
    all_known = {"cost_unknown_events": 0, "spend_is_lower_bound": False}
    used_up = {"name": "period", "limit": "1", "spent": "1", "remaining": "0"}
    assert refused["limits"] == [{**used_up, "resets_at": "2025-07-01T00:00:00.000000Z", **all_known}]


def test_a_deletion_ends_a_life_and_an_event_begins_the_next_with_nothing(desk: Desk) -> None:
    desk.api.post("/v1/customers", {"id": "ann", "name": "Ann", "budget": {"total_limit_usd": "1"}})
    desk.api.deliver([llm_request("one", cost_usd="5")])
    desk.clock.advance(hours=1)
    desk.api.delete(customer_path("ann"))
    desk.api.refused("GET", customer_path("ann"), 404)
    assert desk.api.get(customer_path("ann", "/access"))["reason"] == "new_customer"
    desk.api.deliver([llm_request("late", time=NOON + timedelta(minutes=59), cost_usd="7")])
    desk.api.refused("GET", customer_path("ann"), 404)
    desk.api.deliver([llm_request("new", time=NOON + timedelta(hours=1), cost_usd="3")])
    reborn = desk.api.get(customer_path("ann"))
    assert (reborn["life"], reborn["name"], reborn["budget"]["total_limit_usd"]) == (2, None, None)
    usage = desk.api.get(customer_path("ann", "/current-usage"))["usage"]
    assert (usage["requests"], usage["cost_usd"]) == (1, "3")
