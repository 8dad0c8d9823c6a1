"""The trace of the thirteen months with all its facts at the end, in any order: what is known at last is the same."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from consumers.embedded.engine import EmbeddedEngine
from domain.commands.received import Sender, parse_command
from domain.scope import DEFAULT_SCOPE
from tests.acceptance.driving import instant_body, nested, perform, tier_body
from tests.engine_fixtures import Api, SettableClock, customer_path, engine_on, http
from tests.oracle.cast import END, START
from tests.oracle.plain_budgets import PlainBudget
from tests.oracle.plain_meter import PlainMeter
from tests.oracle.plain_prices import Rule
from tests.oracle.trace import Trace, make_trace
from tests.oracle.trace_entries import (
    BudgetWasChanged,
    BudgetWasCreated,
    CustomerWasBlocked,
    CustomerWasChanged,
    CustomerWasCreated,
    CustomerWasDeleted,
    CustomerWasUnblocked,
    JsonObject,
    TraceEntry,
)

SEED = int(os.environ.get("TEST_SEED", "20250110"))
EVENTS = int(os.environ.get("TEST_TRACE_EVENTS", "5000"))
PAST_PERIODS = 15
BY_KAFKA = Sender(DEFAULT_SCOPE, "producer", "kafka")

FACTS = (
    BudgetWasChanged
    | BudgetWasCreated
    | CustomerWasBlocked
    | CustomerWasChanged
    | CustomerWasCreated
    | CustomerWasDeleted
    | CustomerWasUnblocked
)


def command_of(entry: TraceEntry) -> tuple[str, str, JsonObject]:
    """The entry as a command received as an event: its type, its subject, its data."""
    when = {"effective_at": instant_body(entry.recorded_at)}
    match entry:
        case CustomerWasCreated():
            return "customer.create", entry.customer, nested(entry.fields) | when
        case CustomerWasChanged():
            when = {"effective_at": instant_body(entry.effective_at or entry.recorded_at)}
            return "customer.update", entry.customer, nested(entry.fields) | when
        case CustomerWasDeleted():
            return "customer.delete", entry.customer, when
        case CustomerWasBlocked():
            return "customer.block", entry.customer, when
        case CustomerWasUnblocked():
            return "customer.unblock", entry.customer, when
        case BudgetWasCreated():
            return "budget.create", entry.budget, tier_body(entry.fields) | when
        case BudgetWasChanged():
            return "budget.update", entry.budget, tier_body(entry.fields) | when
    raise AssertionError(entry)


def shuffled(entries: Sequence[TraceEntry], random: Random) -> list[TraceEntry]:
    """Facts in any order. A deletion stays behind the facts that it ends, a budget's creation before its changes."""
    stages: dict[tuple[str, str], list[list[TraceEntry]]] = defaultdict(lambda: [[]])
    for entry in entries:
        kind, subject, _ = command_of(entry)
        of_subject = stages[kind.partition(".")[0], subject]
        if isinstance(entry, CustomerWasDeleted | BudgetWasCreated):
            of_subject += [[entry], []]
        else:
            of_subject[-1].append(entry)
    waiting = [[one for stage in of for one in random.sample(stage, len(stage))] for of in stages.values()]
    arrived = []
    while waiting := [of for of in waiting if of]:
        arrived.append(random.choice(waiting).pop(0))
    return arrived


def without_prices_of_customers(trace: Trace) -> Trace:
    """The trace without rules that a deletion ends: by these, a cost depends on what is known when it is counted."""
    kept = (it for it in trace.entries if not isinstance(it, Rule) or it.customer is None)
    return replace(trace, entries=tuple(kept))


class Known:
    """What is known at the end, by the engine and by the oracle."""

    def __init__(self, trace: Trace, api: Api) -> None:
        self.api = api
        self.plain = PlainMeter(trace.entries)
        self.known = len(trace.entries)
        self.customers = self.plain.customers(END, self.known)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Known]:
    print(f"seed {SEED}, {EVENTS} events")  # noqa: T201 - shown when a test fails
    trace = without_prices_of_customers(make_trace(SEED, EVENTS))
    clock = SettableClock(START)
    with engine_on(tmp_path_factory.mktemp("data"), clock) as engine, http(engine) as api:
        for entry in trace.entries:
            if not isinstance(entry, FACTS):
                perform(api, clock, entry)
        clock.set(END)
        give(engine, shuffled([entry for entry in trace.entries if isinstance(entry, FACTS)], Random(SEED)))
        yield Known(trace, api)


def give(engine: EmbeddedEngine, entries: list[TraceEntry]) -> None:
    for entry in entries:
        kind, subject, data = command_of(entry)
        engine.commands.handle(parse_command(kind, BY_KAFKA, subject, data))


def test_the_facts_arrived_in_another_order() -> None:
    facts = [entry for entry in make_trace(SEED, 100).entries if isinstance(entry, FACTS)]
    arrived = shuffled(facts, Random(SEED))
    assert sorted(map(repr, arrived)) == sorted(map(repr, facts))
    assert sum(one.recorded_at > after.recorded_at for one, after in pairwise(arrived)) > 30


def test_the_same_customers_exist(known: Known) -> None:
    listed = {customer["id"] for customer in known.api.get("/v1/customers", limit=1000)["data"]}
    assert listed == set(known.customers)


def test_usage_is_equal(known: Known) -> None:
    for customer in known.customers:
        found = known.api.get(customer_path(customer, "/current-usage"))
        expected = known.plain.current_usage(customer, END, known.known)
        assert {**found, "by_model": sorted(found["by_model"], key=kind_of)} == {
            **expected,
            **{name: found[name] for name in ("position", "now")},
        }, customer


def kind_of(usage: JsonObject) -> tuple[str, str]:
    return usage["provider"] or "", usage["model"] or ""


def test_past_usage_as_known_now_is_equal(known: Known) -> None:
    for customer in known.customers:
        found = known.api.get(customer_path(customer, "/past-usage"), periods=PAST_PERIODS)["periods"]
        expected = known.plain.past_usage(customer, END, known.known, PAST_PERIODS)
        assert as_known_now(found) == as_known_now(expected), customer


def as_known_now(periods: list[JsonObject]) -> list[dict[str, Any]]:
    return [{name: period[name] for name in ("start", "end", "now")} for period in periods]


def test_budgets_and_access_are_equal(known: Known) -> None:
    for customer in known.customers:
        plain = PlainBudget(known.plain, customer, END, known.known)
        expected = plain.state()
        found = known.api.get(customer_path(customer, "/budget"))
        shown: JsonObject = {name: found[name] for name in expected}
        if "period" in expected:
            shown["period"] = {name: shown["period"][name] for name in ("start", "end")}
        assert shown == expected, customer
        access = known.api.get(customer_path(customer, "/access"), model="deep")
        hard = [limit for limit in access["limits"] if limit["name"] != "soft"]
        assert {"allowed": access["allowed"], "reason": access["reason"], "limits": hard} == plain.access("deep"), (
            customer
        )
