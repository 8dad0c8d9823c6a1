"""Lives, fields and markups of customers for the oracle, by reading their history from the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tests.oracle.plain_periods import Policy, PolicyChange
from tests.oracle.trace_entries import (
    BudgetWasChanged,
    BudgetWasCreated,
    CustomerWasBlocked,
    CustomerWasChanged,
    CustomerWasCreated,
    CustomerWasDeleted,
    CustomerWasUnblocked,
    TraceEntry,
)

BEGINNING = datetime(1980, 1, 1, tzinfo=UTC)
END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)
OF_USAGE_PERIODS = ("time_zone", "usage_duration", "usage_alignment", "usage_anchor")


@dataclass(frozen=True)
class PlainFact:
    """A fact about a customer or a budget, in effect from `effective_at` on."""

    effective_at: datetime
    order: int
    kind: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Life:
    start: datetime
    end: datetime


def facts_of_customer(entries: Sequence[TraceEntry], customer: str) -> list[PlainFact]:
    found = []
    for order, it in enumerate(entries):
        match it:
            case CustomerWasCreated() if it.customer == customer:
                found.append(PlainFact(it.recorded_at, order, "created", it.fields))
            case CustomerWasChanged() if it.customer == customer:
                found.append(PlainFact(it.effective_at or it.recorded_at, order, "changed", it.fields))
            case CustomerWasDeleted() if it.customer == customer:
                found.append(PlainFact(it.recorded_at, order, "deleted", {}))
            case CustomerWasBlocked() if it.customer == customer:
                found.append(PlainFact(it.recorded_at, order, "changed", {"blocked": True}))
            case CustomerWasUnblocked() if it.customer == customer:
                found.append(PlainFact(it.recorded_at, order, "changed", {"blocked": False}))
    return sorted(found, key=lambda fact: (fact.effective_at, fact.order))


def facts_of_budget(entries: Sequence[TraceEntry], budget: str) -> list[PlainFact]:
    found = [
        PlainFact(it.recorded_at, order, "changed", it.fields)
        for order, it in enumerate(entries)
        if isinstance(it, BudgetWasCreated | BudgetWasChanged) and it.budget == budget
    ]
    return sorted(found, key=lambda fact: (fact.effective_at, fact.order))


def named_by_creation(facts: Sequence[PlainFact], life: Life) -> dict[str, Any]:
    """The zone and the usage policy that the creation of a life names, which hold from the life's beginning on."""
    creations = [fact for fact in facts if fact.kind == "created" and life.start <= fact.effective_at < life.end]
    named = creations[0].fields if creations else {}
    return {name: named[name] for name in OF_USAGE_PERIODS if named.get(name) is not None}


def fields_at(
    facts: Sequence[PlainFact], instant: datetime, initial: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The fields that are set at `instant`; a deletion resets them to `initial`."""
    fields: dict[str, Any] = dict(initial or {})
    for fact in facts:
        if fact.effective_at > instant:
            break
        if fact.kind == "deleted":
            fields = dict(initial or {})
        for name, value in fact.fields.items():
            if value is None:
                fields.pop(name, None)
            else:
                fields[name] = value
    return fields


def life_at(facts: Sequence[PlainFact], instant: datetime) -> Life:
    deaths = [fact.effective_at for fact in facts if fact.kind == "deleted"]
    before = [death for death in deaths if death <= instant]
    after = [death for death in deaths if death > instant]
    return Life(max(before, default=BEGINNING), min(after, default=END_OF_TIME))


def markup_factor(facts: Sequence[PlainFact], instant: datetime) -> Decimal:
    percentage = Decimal(str(fields_at(facts, instant).get("markup_percentage", 0)))
    return 1 + percentage / 100


def instant_in(fields: Mapping[str, Any], name: str) -> datetime | None:
    return datetime.fromisoformat(fields[name]) if name in fields else None


def usage_policy(fields: Mapping[str, Any]) -> Policy:
    return Policy(
        duration=fields.get("usage_duration", "1mo"),
        alignment=fields.get("usage_alignment", "calendar"),
        zone=fields.get("time_zone", "UTC"),
        anchor=instant_in(fields, "usage_anchor"),
    )


def policy_changes(moments: Sequence[tuple[datetime, Policy | None]]) -> tuple[PolicyChange, ...]:
    """The instants at which the policy changed, without those before the first policy."""
    changes: list[PolicyChange] = []
    for at, policy in moments:
        if policy is not None and (not changes or changes[-1].policy != policy):
            changes.append(PolicyChange(at, policy))
    return tuple(changes)
