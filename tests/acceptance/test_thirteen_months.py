"""The engine against the oracle: a trace of thirteen months, all answers compared to the last decimal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from consumers.embedded.engine import EmbeddedEngine
from consumers.engine import OperationResult
from tests.acceptance.driving import perform
from tests.engine_fixtures import Api, SettableClock, customer_path, engine_on, http
from tests.oracle.cast import END, START
from tests.oracle.plain_budgets import PlainBudget
from tests.oracle.plain_meter import PlainMeter, instant_text
from tests.oracle.trace import Trace, make_trace
from tests.oracle.trace_entries import Delivered, JsonObject

SEED = int(os.environ.get("TEST_SEED", "20250110"))
EVENTS = int(os.environ.get("TEST_TRACE_EVENTS", "20000"))
PAST_PERIODS = 15
PAST_BUDGETS = 4
DAYS = ("2025-03-01", "2025-06-15"), ("2025-10-15", "2025-12-01")


@dataclass(frozen=True)
class Moment:
    """An instant at which both are asked the same questions."""

    now: datetime
    known: int
    position: int
    found: dict[str, JsonObject]  # by customer; empty where there is none


@dataclass(frozen=True)
class Metered:
    trace: Trace
    plain: PlainMeter
    engine: EmbeddedEngine
    api: Api
    receipts: dict[int, JsonObject]  # by number of the trace entry
    moments: tuple[Moment, ...]


@pytest.fixture(scope="module")
def metered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Metered]:
    print(f"seed {SEED}, {EVENTS} events")  # noqa: T201 - shown when a test fails
    trace = make_trace(SEED, EVENTS)
    plain = PlainMeter(trace.entries)
    clock = SettableClock(START)
    with engine_on(tmp_path_factory.mktemp("data"), clock) as engine, http(engine) as api:
        receipts, moments = lived_through(trace, api, clock)
        yield Metered(trace, plain, engine, api, receipts, moments)


def lived_through(trace: Trace, api: Api, clock: SettableClock) -> tuple[dict[int, JsonObject], tuple[Moment, ...]]:
    receipts: dict[int, JsonObject] = {}
    moments = []
    waiting = list(trace.checkpoints)
    for number, entry in enumerate(trace.entries):
        while waiting and waiting[0] < entry.recorded_at:
            moments.append(asked_at(waiting.pop(0), number, trace, api, clock))
        answer = perform(api, clock, entry)
        if isinstance(entry, Delivered):
            receipts[number] = answer
    moments += [asked_at(now, len(trace.entries), trace, api, clock) for now in waiting]
    return receipts, tuple(moments)


def asked_at(now: datetime, known: int, trace: Trace, api: Api, clock: SettableClock) -> Moment:
    clock.set(now)
    found = {customer: asked_about(customer, api) for customer in trace.customers}
    return Moment(now, known, api.get("/readyz")["position"], found)


def asked_about(customer: str, api: Api) -> JsonObject:
    access = api.get(customer_path(customer, "/access"), model="deep")
    if access["reason"] == "new_customer":
        return {"access": access}
    budget = api.get(customer_path(customer, "/budget"))
    by_budget: JsonObject = {"current": None, "past": None}
    if budget["period"] is not None:
        by_budget["current"] = api.get(customer_path(customer, "/current-usage"), period="budget")
        by_budget["past"] = api.get(customer_path(customer, "/past-usage"), periods=PAST_BUDGETS, period="budget")
    return {
        "access": access,
        "current": api.get(customer_path(customer, "/current-usage")),
        "past": api.get(customer_path(customer, "/past-usage"), periods=PAST_PERIODS),
        "budget": budget,
        "by budget": by_budget,
    }


def living(metered: Metered) -> Iterator[tuple[Moment, str, JsonObject]]:
    for moment in metered.moments:
        for customer in metered.plain.customers(moment.now, moment.known):
            yield moment, customer, moment.found[customer]


def test_every_delivery_ended_as_the_oracle_says(metered: Metered) -> None:
    for number, receipt in metered.receipts.items():
        expected = metered.plain.usage.deliveries[number]
        refused = [(one["source"], one["id"], one["outcome"]) for one in receipt["outcomes"]]
        assert receipt["counts"] == expected.counts(), f"delivery {number}"
        # An id or a source that breaks a rule need not be repeated.
        assert [one[2] for one in refused] == [one.outcome for one in expected.refused], f"delivery {number}"
        assert all(
            theirs == (ours.source, ours.id, ours.outcome)
            for theirs, ours in zip(refused, expected.refused, strict=True)
            if ours.outcome != "rejected"
        ), f"delivery {number}"


def test_the_same_customers_exist(metered: Metered) -> None:
    for moment in metered.moments:
        exist = {customer for customer, found in moment.found.items() if found["access"]["reason"] != "new_customer"}
        assert exist == set(metered.plain.customers(moment.now, moment.known)), moment.now


def test_current_usage_is_equal(metered: Metered) -> None:
    for moment, customer, found in living(metered):
        expected = metered.plain.current_usage(customer, moment.now, moment.known)
        found_by_model = sorted(found["current"]["by_model"], key=kind_of)
        assert {**found["current"], "by_model": found_by_model} == {
            **expected,
            **{name: found["current"][name] for name in ("position", "now")},
        }, f"{customer} at {moment.now}"


def kind_of(usage: JsonObject) -> tuple[str, str]:
    return usage["provider"] or "", usage["model"] or ""


def test_past_usage_is_equal_at_closing_and_now(metered: Metered) -> None:
    restated = 0
    for moment, customer, found in living(metered):
        expected = metered.plain.past_usage(customer, moment.now, moment.known, PAST_PERIODS)
        assert found["past"]["periods"] == expected, f"{customer} at {moment.now}"
        restated += sum(1 for period in expected if period["closed"] and period["difference"]["requests"])
    assert restated > 50, "late events must have changed closed periods, or this shows little"


def test_past_usage_by_budget_periods_is_equal(metered: Metered) -> None:
    compared = 0
    for moment, customer, found in living(metered):
        cuts = metered.plain.budget_cuts(customer, moment.now, moment.known)
        if found["by budget"]["past"] is None:
            assert cuts is None, f"{customer} at {moment.now}"
            continue
        expected = metered.plain.past_usage(customer, moment.now, moment.known, PAST_BUDGETS, cuts)
        assert found["by budget"]["past"]["periods"] == expected, f"{customer} at {moment.now}"
        compared += len(expected)
    assert compared > 200


def test_current_usage_by_budget_periods_is_equal(metered: Metered) -> None:
    for moment, customer, found in living(metered):
        current = found["by budget"]["current"]
        if current is not None:
            cuts = metered.plain.budget_cuts(customer, moment.now, moment.known)
            expected = metered.plain.current_usage(customer, moment.now, moment.known, cuts)
            by_model = sorted(current["by_model"], key=kind_of)
            told = {name: current[name] for name in ("position", "now")}
            assert {**current, "by_model": by_model} == {**expected, **told}


def test_budgets_are_equal(metered: Metered) -> None:
    reached = bounded = 0
    for moment, customer, found in living(metered):
        expected = PlainBudget(metered.plain, customer, moment.now, moment.known).state()
        shown: JsonObject = {name: found["budget"][name] for name in expected}
        if "period" in expected:
            shown["period"] = {name: shown["period"][name] for name in ("start", "end")}
        assert shown == expected, f"{customer} at {moment.now}"
        reached += expected["period_remaining_usd"] == "0"
        bounded += expected["spend_is_lower_bound"]
    assert reached > 5, "some budgets must have been used up, or this shows little"
    assert bounded > 5, "some costs must be unknown, or this shows little"


def test_access_is_equal(metered: Metered) -> None:
    reasons = set()
    for moment, customer, found in living(metered):
        expected = PlainBudget(metered.plain, customer, moment.now, moment.known).access("deep")
        hard = [limit for limit in found["access"]["limits"] if limit["name"] != "soft"]
        assert {**expected} == {
            "allowed": found["access"]["allowed"],
            "reason": found["access"]["reason"],
            "limits": hard,
        }, f"{customer} at {moment.now}"
        reasons.add(expected["reason"])
    assert reasons >= {"ok", "blocked", "period_limit", "total_limit"}


@pytest.mark.parametrize(("first", "last"), DAYS)
def test_sums_per_customer_hour_and_model_are_equal(metered: Metered, first: str, last: str) -> None:
    start, end = datetime.fromisoformat(f"{first}T00:00Z"), datetime.fromisoformat(f"{last}T00:00Z")
    answer = metered.api.get(
        "/v1/usage", **{"from": instant_text(start), "to": instant_text(end)},
        window="hour", timezone="UTC", group_by="customer,model",
    )  # fmt: skip
    expected = metered.plain.grouped(
        start, end, len(metered.trace.entries), lambda it: (hour_of(it.time), it.customer, it.model or "")
    )
    assert by_key(answer["data"]) == expected


def hour_of(instant: datetime) -> str:
    return instant_text(instant.replace(minute=0, second=0, microsecond=0))


def by_key(rows: list[JsonObject]) -> dict[tuple[Any, ...], JsonObject]:
    shown = ("window_start", "window_end", "group")
    return {
        (row["window_start"], row["group"]["customer"], row["group"]["model"] or ""): {
            name: value for name, value in row.items() if name not in shown
        }
        for row in rows
    }


@pytest.mark.parametrize("window", ["day", "month"])
@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe", "America/Santiago"])
def test_local_days_and_months_are_equal(metered: Metered, window: str, zone: str) -> None:
    customer = f"zone-{zone}"
    answer = metered.api.get(
        customer_path(customer, "/usage"), **{"from": instant_text(START), "to": instant_text(END)},
        window=window, timezone=zone,
    )  # fmt: skip
    expected = metered.plain.per_window(customer, START, END, window, zone, len(metered.trace.entries))
    assert [(row["window_start"], row["requests"], row["reported_cost_usd"]) for row in answer["data"]] == [
        (instant_text(row["window_start"]), row["usage"]["requests"], row["usage"]["reported_cost_usd"])
        for row in expected
    ]


def test_usage_as_of_an_earlier_position_is_equal(metered: Metered) -> None:
    for moment in metered.moments:
        for as_of in (str(moment.position), instant_text(moment.now + timedelta(microseconds=1))):
            answer = metered.api.get(
                "/v1/usage", **{"from": instant_text(START), "to": instant_text(END)},
                timezone="UTC", group_by="customer,model", as_of=as_of,
            )  # fmt: skip
            expected = metered.plain.grouped(
                START, END, moment.known, lambda it: (instant_text(START), it.customer, it.model or "")
            )
            assert by_key(answer["data"]) == expected, moment.now


def test_a_rebuild_changes_no_answer_and_verify_finds_nothing(metered: Metered) -> None:
    last = metered.moments[-1]
    before = {customer: asked_about(customer, metered.api) for customer in metered.trace.customers}
    assert before == last.found
    rebuilt = [step for step in metered.engine.replay() if isinstance(step, OperationResult)]
    assert [(step.operation, step.position) for step in rebuilt] == [("replay", last.position)]
    assert {customer: asked_about(customer, metered.api) for customer in metered.trace.customers} == before
    verified = [step for step in metered.engine.verify() if isinstance(step, OperationResult)]
    assert [step.findings for step in verified] == [()]
