"""Facts that events carry hold if and only if their event is counted, from its time on, in order of their rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.corrections.commands import VoidUsage
from domain.customers.commands import CreateCustomer, DeleteCustomer
from domain.customers.personal_data import personal_key_id
from domain.scope import DEFAULT_SCOPE
from domain.streams import customer_stream
from domain.values.instants import aware
from tests.projections.folded_log import BY_TEST, START, FoldedLog, usage

Told = tuple[datetime, dict[str, Any]]
EARLIER = START - timedelta(days=1)


@pytest.fixture
def folded(tmp_path: Path) -> Iterator[FoldedLog]:
    log = FoldedLog(tmp_path / "read")
    yield log
    log.close()


def described(folded: FoldedLog) -> list[Told]:
    """(effective instant, fields) of the facts that events carried, in order of position and instant."""
    folded.fold()
    rows = folded.ask(
        "SELECT effective_at, fields FROM facts WHERE kind = 'customer.described' ORDER BY position, effective_at"
    )
    return [(aware(at), json.loads(fields)) for at, fields in rows]


def test_the_facts_of_a_counted_event_are_one_fact_at_its_time(folded: FoldedLog) -> None:
    folded.pass_time(hours=1)
    position = folded.deliver([usage("1", at=EARLIER), usage("2")], facts={0: {"name": "Ada", "markup_percentage": 5}})
    assert described(folded) == [(EARLIER, {"markup_percentage": "5", "name": "Ada"})]
    assert folded.ask(
        """SELECT customer_id, position, recorded_at, actor, dialect, reason, patched, if_known
        FROM facts JOIN customers USING (customer_key)"""
    ) == [("acme", position, folded.now.replace(tzinfo=None), "key_1", "respan", None, [], False)]
    assert [row[:2] for row in folded.sums()] == [("acme", 2)]


def test_duplicates_conflicts_and_rejected_events_apply_nothing(folded: FoldedLog) -> None:
    folded.deliver([usage("1")], facts={0: {"currency": "EUR"}})
    folded.deliver(
        [usage("1"), usage("1"), usage("1", input_tokens=7), b"oops", usage("2")],
        facts={0: {"currency": "EUR"}, 1: {"currency": "USD"}, 2: {"currency": "EUR"}, 3: {"currency": "CHF"}},
    )
    assert folded.outcomes() == []
    assert described(folded) == [(START, {"currency": "EUR"})]
    assert folded.outcomes() == [
        ("1", "duplicate", None),
        ("1", "conflict", None),
        ("1", "conflict", None),
        (None, "rejected", "not_json"),
    ]


def test_an_atomic_batch_that_is_refused_applies_no_facts(folded: FoldedLog) -> None:
    folded.deliver([usage("1")])
    folded.deliver([usage("1"), usage("2")], group="g", atomic=True, facts={1: {"currency": "EUR"}})
    assert described(folded) == []


def test_facts_of_one_block_customer_and_instant_hold_in_order_of_their_rows(folded: FoldedLog) -> None:
    folded.deliver(
        [usage("1"), usage("2", at=EARLIER), usage("3"), usage("4", customer="other"), usage("5")],
        facts={
            0: {"name": "first", "currency": "EUR"},
            1: {"name": "earlier"},
            2: {"name": "second", "email": "a@b.example"},
            3: {"name": "other"},
            4: {"currency": None},
        },
    )
    assert described(folded) == [
        (EARLIER, {"name": "earlier"}),
        (START, {"currency": None, "name": "second", "email": "a@b.example"}),
        (START, {"name": "other"}),
    ]


def test_a_void_withdraws_the_usage_and_never_the_facts_whichever_comes_first(folded: FoldedLog) -> None:
    folded.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "2"))
    folded.deliver([usage("1")], facts={0: {"currency": "EUR"}})
    folded.deliver([usage("2")], facts={0: {"currency": "CHF"}})
    folded.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    assert [fields for _, fields in described(folded)] == [{"currency": "EUR"}, {"currency": "CHF"}]
    assert folded.sums() == []


def test_facts_that_are_folded_with_commands_and_usage_in_one_step_are_all_there(folded: FoldedLog) -> None:
    folded.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", {"name": "Ada"}))
    folded.deliver([usage("1")], facts={0: {"name": "Bob"}})
    folded.commands.handle(DeleteCustomer(DEFAULT_SCOPE, BY_TEST, "acme", seen_at=START))
    folded.deliver([usage("2")])
    assert [fields for _, fields in described(folded)] == [{"name": "Bob"}]
    kinds = folded.ask("SELECT kind, position FROM facts ORDER BY position")
    assert kinds == [("customer.created", 2), ("customer.described", 4), ("customer.deleted", 5)]
    assert folded.ask("SELECT count(*) FROM customers") == [(1,)]


def test_a_destroyed_key_leaves_the_facts_that_are_not_personal(folded: FoldedLog) -> None:
    folded.deliver([usage("1")], facts={0: {"name": "Ada", "currency": "EUR"}})
    folded.keys.destroy(personal_key_id(customer_stream(DEFAULT_SCOPE, "acme"), 1))
    assert described(folded) == [(START, {"currency": "EUR"})]
