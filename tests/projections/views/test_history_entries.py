"""The history of a customer lists every fact in the order in which they take effect, and its first usage."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from projections.queries.customers import CustomerRecord
from projections.queries.facts import Fact
from projections.views.history_entries import FIRST_SEEN, history_entries


def on(day: int) -> datetime:
    return datetime(2026, 3, day, tzinfo=UTC)


def fact(kind: str, at: datetime, position: int, **fields: Any) -> Fact:
    return Fact(position, at, at, kind, fields, "test", "native", None)


def test_the_first_sighting_is_a_derived_entry() -> None:
    told = CustomerRecord("acme", 3, on(2), on(9), (fact("customer.created", on(5), 7),))
    assert [(entry.kind, entry.position, entry.derived) for entry in history_entries(told)] == [
        (FIRST_SEEN, 3, True),
        ("customer.created", 7, False),
    ]


def test_usage_that_came_with_facts_is_the_first_sighting_all_the_same() -> None:
    told = CustomerRecord("acme", 3, on(2), on(9), (fact("customer.described", on(2), 3, name="Ada"),))
    assert [(entry.kind, entry.position, entry.derived) for entry in history_entries(told)] == [
        (FIRST_SEEN, 3, True),
        ("customer.described", 3, False),
    ]


def test_what_a_deletion_cut_off_is_listed_too() -> None:
    facts = (
        fact("customer.created", on(1), 1),
        fact("customer.updated", on(20), 2, markup_percentage="50"),
        fact("customer.deleted", on(5), 3),
    )
    assert [entry.position for entry in history_entries(CustomerRecord("acme", 1, None, None, facts))] == [1, 3, 2]
