"""Every received event ends in exactly one outcome, decided by the order of the log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.corrections.commands import RestoreUsage, VoidUsage
from domain.scope import DEFAULT_SCOPE, Scope
from tests.projections.folded_log import BY_TEST, FoldedLog, usage


@pytest.fixture
def folded(tmp_path: Path) -> Iterator[FoldedLog]:
    log = FoldedLog(tmp_path / "read")
    yield log
    log.close()


def test_equal_content_is_a_duplicate_and_other_content_a_conflict(folded: FoldedLog) -> None:
    folded.deliver([usage("1"), usage("1"), usage("1", input_tokens=5), usage("2")])
    folded.deliver([usage("2"), usage("2", customer="other"), usage("3")])
    folded.fold()
    assert folded.outcomes() == [
        ("1", "duplicate", None),
        ("1", "conflict", None),
        ("2", "duplicate", None),
        ("2", "conflict", None),
    ]
    assert [row[:2] for row in folded.sums()] == [("acme", 3)]


def test_a_duplicate_points_to_the_event_that_stands(folded: FoldedLog) -> None:
    first = folded.deliver([usage("0"), usage("1")])
    folded.fold()
    folded.deliver([usage("1")])
    folded.fold()
    assert folded.ask("SELECT first_locator FROM outcomes") == [((first << 16) + 1,)]


def test_conflicts_point_to_the_events_that_stand_in_whichever_blocks_those_are(folded: FoldedLog) -> None:
    other = Scope("other", "prod")
    first = folded.deliver([usage("0"), usage("1")])
    elsewhere = folded.deliver([usage("1"), usage("0")], scope=other)
    second = folded.deliver([usage("2"), usage("3"), usage("4")])
    folded.fold()
    folded.deliver([usage(name, input_tokens=5) for name in ("4", "0", "5", "1", "4")])
    folded.deliver([usage("0", input_tokens=5), usage("0", input_tokens=6)], scope=other)
    folded.fold()
    assert folded.ask("SELECT id, outcome, first_locator FROM outcomes ORDER BY locator") == [
        ("4", "conflict", (second << 16) + 2),
        ("0", "conflict", first << 16),
        ("1", "conflict", (first << 16) + 1),
        ("4", "conflict", (second << 16) + 2),
        ("0", "conflict", (elsewhere << 16) + 1),
        ("0", "conflict", (elsewhere << 16) + 1),
    ]


def test_the_same_identity_in_another_scope_is_another_event(folded: FoldedLog) -> None:
    folded.deliver([usage("1")])
    folded.deliver([usage("1")], scope=Scope("default", "test"))
    folded.deliver([usage("1")], scope=Scope("other", "prod"))
    folded.fold()
    assert folded.outcomes() == []
    assert folded.ask("SELECT count(*), count(DISTINCT scope_key), count(DISTINCT customer_key) FROM usage_rows") == [
        (3, 3, 3)
    ]


def test_an_atomic_group_with_a_duplicate_is_refused_whole_and_claims_nothing(folded: FoldedLog) -> None:
    folded.deliver([usage("1")])
    folded.deliver([usage("2"), usage("1"), usage("3")], group="request-1", atomic=True)
    folded.deliver([usage("2"), usage("3", input_tokens=1)])
    folded.fold()
    assert folded.outcomes() == [
        ("2", "rejected", "batch_refused"),
        ("1", "rejected", "batch_refused"),
        ("3", "rejected", "batch_refused"),
    ]
    assert folded.ask("SELECT id FROM usage_rows ORDER BY locator") == [("1",), ("2",), ("3",)]


def test_what_intake_rejected_is_kept_with_its_reason_and_bytes(folded: FoldedLog) -> None:
    folded.deliver([b"{no json", usage("1")])
    folded.fold()
    assert folded.ask("SELECT outcome, reason, raw FROM outcomes") == [("rejected", "not_json", b"{no json")]
    assert folded.ask(
        "SELECT received, counted, duplicate, conflict, rejected FROM log_records WHERE received > 0"
    ) == [(2, 1, 0, 0, 1)]


def test_a_void_counts_for_nothing_whether_it_comes_after_or_before_its_event(folded: FoldedLog) -> None:
    folded.deliver([usage("1"), usage("2"), usage("3")])
    folded.fold()
    folded.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "2"))
    folded.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "4"))
    folded.fold()
    folded.deliver([usage("4"), usage("2"), usage("5")])
    folded.fold()
    assert [row[:2] for row in folded.sums()] == [("acme", 3)]
    assert folded.outcomes() == [("2", "duplicate", None)]
    assert folded.ask("SELECT id, closed_at IS NULL FROM usage_rows ORDER BY id") == [
        ("1", True),
        ("2", False),
        ("3", True),
        ("4", False),
        ("5", True),
    ]


def test_taking_a_void_back_brings_the_event_back_as_it_was(folded: FoldedLog) -> None:
    folded.deliver([usage("1", cost_usd="0.5"), usage("2")])
    folded.fold()
    before = folded.sums()
    folded.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    folded.fold()
    assert folded.sums() != before
    folded.commands.handle(RestoreUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    folded.fold()
    assert folded.sums() == before


def test_a_void_that_waits_survives_a_restart_of_the_fold(folded: FoldedLog) -> None:
    folded.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    folded.fold()
    assert folded.store.load_state().waiting_voids == {(1, "gateway", "1")}
    folded.deliver([usage("1")])
    folded.fold()
    assert folded.store.load_state().waiting_voids == set()
    assert folded.sums() == []


def test_tokens_beyond_64_bits_add_up_and_never_stop_the_fold(folded: FoldedLog) -> None:
    folded.deliver([usage(str(number), input_tokens=10**15, cost_usd="0") for number in range(9_300)])
    folded.fold()
    folded.compact()
    assert folded.ask("SELECT sum(input_tokens) FROM usage_days") == [(9_300 * 10**15,)]
    assert folded.ask("SELECT sum(input_tokens) FROM usage_rows") == [(9_300 * 10**15,)]
