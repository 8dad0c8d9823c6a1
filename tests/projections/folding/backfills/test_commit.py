"""The commit of a backfill: what was loaded counts from there on, all at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.backfills.backfill_range import BackfillRange
from domain.corrections.commands import RestoreUsage, VoidUsage
from domain.corrections.events import UsageAmended
from domain.errors import CommandRefused
from domain.scope import DEFAULT_SCOPE
from tests.projections.folded_log import BY_TEST, START, usage
from tests.projections.folding.backfills.conftest import MARCH, Backfilled

WIDER = BackfillRange(MARCH.start, MARCH.end + timedelta(days=1))


def counts(folded: Backfilled) -> list[tuple[str, int]]:
    """Events of each customer."""
    return [(row[0], row[1]) for row in folded.sums()]


def test_what_is_loaded_is_in_no_number_before_the_commit_and_in_all_after_it(folded: Backfilled) -> None:
    folded.deliver([usage("1")])
    folded.open("gap")
    folded.load("gap", [usage("2"), usage("3", "other")])
    folded.fold()
    assert (counts(folded), folded.totals()) == ([("acme", 1)], (1, 0, 0, 0, 0))
    folded.commit("gap")
    assert (counts(folded), folded.totals()) == ([("acme", 2), ("other", 1)], (3, 0, 0, 0, 0))


def test_loaded_events_are_resolved_in_their_order_against_what_came_live(folded: Backfilled) -> None:
    folded.deliver([usage("1"), usage("2")])
    folded.backfilled("gap", [usage("1"), usage("2", input_tokens=5), usage("3"), usage("3"), b"no event"])
    assert counts(folded) == [("acme", 3)]
    assert folded.outcomes() == [
        ("1", "duplicate", None),
        ("2", "conflict", None),
        ("3", "duplicate", None),
        (None, "rejected", "not_json"),
    ]
    assert folded.totals() == (3, 2, 1, 1, 0)


def test_what_intake_rejects_of_a_load_is_told_at_once(folded: Backfilled) -> None:
    folded.open("gap")
    folded.load("gap", [b"no event", usage("1")])
    folded.fold()
    assert (folded.outcomes(), folded.totals()) == ([(None, "rejected", "not_json")], (0, 0, 0, 1, 0))


def test_a_live_event_that_repeats_a_loaded_one_counts_before_the_commit_and_not_after(folded: Backfilled) -> None:
    folded.open("gap")
    folded.load("gap", [usage("1"), usage("2")])
    folded.deliver([usage("1")])
    folded.commit("gap")
    folded.deliver([usage("2"), usage("2", input_tokens=5)])
    folded.fold()
    assert counts(folded) == [("acme", 2)]
    assert folded.outcomes() == [("1", "duplicate", None), ("2", "duplicate", None), ("2", "conflict", None)]


def test_a_replacement_takes_the_place_of_what_was_counted_in_the_range(folded: Backfilled) -> None:
    folded.deliver([usage("1", input_tokens=7), usage("2"), usage("out", at=MARCH.start - timedelta(days=1))])
    folded.backfilled("march", [usage("1"), usage("3")], "replace")
    assert counts(folded) == [("acme", 3)]
    held = folded.ask("SELECT id, input_tokens FROM usage_rows WHERE closed_at IS NULL ORDER BY id")
    assert held == [("1", 1000), ("3", 1000), ("out", 1000)]
    assert folded.outcomes() == [("1", "withdrawn", "replaced"), ("2", "withdrawn", "replaced")]
    assert folded.totals() == (3, 0, 0, 0, 2)


def test_a_withdrawn_identity_stays_taken_for_all_but_the_replacement(folded: Backfilled) -> None:
    folded.deliver([usage("1", input_tokens=7), usage("2")])
    folded.backfilled("march", [usage("1")], "replace")
    folded.deliver([usage("2"), usage("1", input_tokens=7), usage("1"), usage("1", input_tokens=9), usage("late")])
    folded.fold()
    assert counts(folded) == [("acme", 2)]
    assert [row[:2] for row in folded.outcomes()[2:]] == [
        ("2", "duplicate"),
        ("1", "duplicate"),
        ("1", "duplicate"),
        ("1", "conflict"),
    ]


def test_events_that_were_counted_after_the_preview_are_not_withdrawn(folded: Backfilled) -> None:
    folded.deliver([usage("1")])
    folded.open("march", "replace")
    folded.load("march", [usage("2")])
    folded.fold()
    previewed_at = folded.log.head_position()
    folded.deliver([usage("late")])
    folded.commit("march", previewed_at)
    assert folded.ask("SELECT id FROM usage_rows WHERE closed_at IS NULL ORDER BY id") == [("2",), ("late",)]


def test_the_range_is_that_of_the_preview_whatever_was_amended_since(folded: Backfilled) -> None:
    before, inside = START - timedelta(days=1), START
    folded.deliver([usage("in"), usage("out", at=before)])
    folded.open("march", "replace")
    folded.load("march", [usage("new")])
    folded.fold()
    previewed_at = folded.log.head_position()
    for event_id, at in (("in", before), ("out", inside)):
        stream = f"correction/{DEFAULT_SCOPE}/{event_id}"
        block = folded.block([usage(event_id, at=at)], DEFAULT_SCOPE, stream)
        about = {"tenant": DEFAULT_SCOPE.tenant, "environment": DEFAULT_SCOPE.environment}
        folded.append(UsageAmended, stream, **about, source="gateway", id=event_id, block=block, changed=())
    folded.commit("march", previewed_at)
    assert folded.ask("SELECT id FROM usage_rows WHERE closed_at IS NULL ORDER BY id") == [("new",), ("out",)]
    assert folded.outcomes() == [("in", "withdrawn", "replaced")]


def test_a_replacement_concerns_its_customers_and_sources_alone(folded: Backfilled) -> None:
    other = usage("3") | {"source": "other gateway"}
    folded.deliver([usage("1"), usage("2", "beta"), other])
    asked = BackfillRange(MARCH.start, MARCH.end, ("acme", "nobody"), ("gateway",))
    folded.open("march", "replace", asked)
    folded.load("march", [usage("4")])
    folded.commit("march")
    assert folded.ask("SELECT id FROM usage_rows WHERE closed_at IS NULL ORDER BY id") == [("2",), ("3",), ("4",)]


def test_blocks_that_come_after_the_preview_or_the_end_are_rejected(folded: Backfilled) -> None:
    folded.open("gap")
    folded.load("gap", [usage("1")])
    folded.fold()
    from domain.backfills.commands import CommitBackfill

    folded.load("gap", [usage("2")])
    folded.fold()
    folded._handle(CommitBackfill(DEFAULT_SCOPE, BY_TEST, "gap", folded.log.head_position(), 1))
    folded.load("gap", [usage("3")])
    folded.open("given up", asked=MARCH)
    folded.cancel("given up")
    folded.load("given up", [usage("4")])
    folded.fold()
    assert counts(folded) == [("acme", 1)]
    assert folded.outcomes() == [(name, "rejected", "backfill_closed") for name in ("2", "3", "4")]
    assert folded.totals() == (1, 0, 0, 3, 0)


def test_a_void_of_a_withdrawn_event_changes_no_row(folded: Backfilled) -> None:
    folded.deliver([usage("1"), usage("2")])
    folded.backfilled("march", [usage("2", output_tokens=3)], "replace")
    folded.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    folded.commands.handle(RestoreUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    folded.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "2"))
    folded.fold()
    assert counts(folded) == []
    folded.commands.handle(RestoreUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "2"))
    folded.fold()
    assert folded.ask("SELECT id, output_tokens FROM usage_rows WHERE closed_at IS NULL") == [("2", 3)]


def test_a_void_that_waits_for_its_event_closes_a_loaded_one(folded: Backfilled) -> None:
    folded.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    folded.backfilled("gap", [usage("1"), usage("2")])
    assert counts(folded) == [("acme", 1)]


def test_backfills_that_overlap_are_not_open_at_once(folded: Backfilled) -> None:
    folded.open("march")
    april = BackfillRange(MARCH.end, MARCH.end + timedelta(days=30))
    folded.open("april", asked=april)
    one_day = BackfillRange(datetime(2026, 3, 9, tzinfo=UTC), datetime(2026, 3, 10, tzinfo=UTC), ("acme",))
    with pytest.raises(CommandRefused, match="'march' is open and overlaps: commit or cancel it first"):
        folded.open("day", asked=one_day)
    folded.cancel("march")
    folded.open("day", asked=one_day)
    folded.open("others", asked=BackfillRange(one_day.start, one_day.end, ("beta",)))


def test_recorded_times_are_those_of_the_commit(folded: Backfilled) -> None:
    folded.pass_time(days=3)
    at = folded.backfilled("gap", [usage("1")])
    rows = folded.ask("SELECT counted_at, recorded_at, time FROM usage_rows")
    assert rows == [(at, (START + timedelta(days=3)).replace(tzinfo=None), START.replace(tzinfo=None))]


def test_a_void_holds_for_what_replaces_its_event(folded: Backfilled) -> None:
    folded.deliver([usage("1"), usage("2"), usage("3")])
    for event_id in ("1", "2"):
        folded.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", event_id))
    folded.open("right", "replace")
    folded.load("right", [usage("1", input_tokens=5), usage("3", input_tokens=5)])
    folded.commit("right")
    assert counts(folded) == [("acme", 1)]
    folded.commands.handle(RestoreUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    folded.fold()
    assert [row[:3] for row in folded.sums()] == [("acme", 2, 10)]
    folded.revert("right")
    assert [row[:3] for row in folded.sums()] == [("acme", 2, 2000)]


def test_a_void_holds_for_what_replaces_a_replacement(folded: Backfilled) -> None:
    folded.deliver([usage("1")])
    folded.open("none", "replace")
    folded.load("none", [usage("2")])
    folded.commit("none")
    folded.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    folded.open("right", "replace", WIDER)
    folded.load("right", [usage("1", input_tokens=5), usage("2")])
    folded.commit("right")
    assert [row[:3] for row in folded.sums()] == [("acme", 1, 1000)]
