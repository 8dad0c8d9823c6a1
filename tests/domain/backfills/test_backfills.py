"""Which backfills may be open beside each other, and which may be committed, reverted and cancelled."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from domain.aggregate import CommandContext
from domain.backfills.backfill_range import BackfillRange, checked_mode, checked_range
from domain.backfills.backfills import Backfills
from domain.errors import AlreadyExists, CommandRefused, InvalidInput, NotFound
from domain.event import Provenance
from domain.scope import DEFAULT_SCOPE

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MARCH = BackfillRange(NOW, NOW + timedelta(days=31))
WITH_OFFSET = "must be an instant with an offset, between 1970 and 2200"
CONTEXT = CommandContext(NOW, Provenance("test"))


def opened(*names: str) -> Backfills:
    """Backfills of one month each, which do not overlap."""
    all_of_scope = Backfills(DEFAULT_SCOPE)
    for number, name in enumerate(names):
        apart = timedelta(days=31 * number)
        all_of_scope.open(name, BackfillRange(MARCH.start + apart, MARCH.end + apart), "add", CONTEXT)
    return all_of_scope


def topics(of: Backfills) -> list[str]:
    return [type(event).__name__ for event in of.collect_events()]


@pytest.mark.parametrize(
    ("other", "overlaps"),
    [
        (BackfillRange(MARCH.end - timedelta(microseconds=1), MARCH.end + timedelta(days=1)), True),
        (BackfillRange(MARCH.end, MARCH.end + timedelta(days=1)), False),
        (BackfillRange(MARCH.start, MARCH.end, ("acme",)), True),
        (BackfillRange(MARCH.start, MARCH.end, (), ("gateway",)), True),
    ],
)
def test_ranges_overlap_where_an_event_can_be_in_both(other: BackfillRange, overlaps: bool) -> None:
    assert (MARCH.overlaps(other), other.overlaps(MARCH)) == (overlaps, overlaps)


def test_ranges_of_other_customers_or_sources_do_not_overlap() -> None:
    of_acme = BackfillRange(MARCH.start, MARCH.end, ("acme", "both"), ("gateway",))
    assert not of_acme.overlaps(BackfillRange(MARCH.start, MARCH.end, ("beta",)))
    assert not of_acme.overlaps(BackfillRange(MARCH.start, MARCH.end, (), ("other",)))
    assert of_acme.overlaps(BackfillRange(MARCH.start, MARCH.end, ("beta", "both"), ("gateway", "other")))


@pytest.mark.parametrize(
    ("asked", "field", "rule"),
    [
        (BackfillRange(NOW, NOW), "to", "must be after from"),
        (BackfillRange(NOW.replace(tzinfo=None), NOW), "from", WITH_OFFSET),
        (BackfillRange(NOW, MARCH.end, ("",)), "customers.0", None),
        (BackfillRange(NOW, MARCH.end, (), tuple(map(str, range(101)))), "sources", "must be at most 100"),
    ],
)
def test_a_range_that_breaks_a_rule_is_refused_with_its_field(
    asked: BackfillRange, field: str, rule: str | None
) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked_range(asked)
    assert (refused.value.field, rule or refused.value.rule) == (field, refused.value.rule)


def test_a_mode_is_one_of_two() -> None:
    assert (checked_mode("add"), checked_mode("replace")) == ("add", "replace")
    with pytest.raises(InvalidInput, match="add, replace"):
        checked_mode("merge")


def test_steps_that_were_done_are_done_once() -> None:
    one = opened("march")
    for _ in range(2):
        one.commit("march", 7, 1, CONTEXT)
    for _ in range(2):
        one.revert("march", CONTEXT)
    assert topics(one) == ["BackfillOpened", "BackfillCommitted", "BackfillReverted"]
    other = opened("april")
    for _ in range(2):
        other.cancel("april", CONTEXT)
    assert topics(other) == ["BackfillOpened", "BackfillCancelled"]


def _open_again(of: Backfills) -> None:
    of.open("march", MARCH, "add", CONTEXT)


@pytest.mark.parametrize(
    ("before", "step", "error"),
    [
        ((), _open_again, AlreadyExists),
        ((), lambda of: of.revert("march", CONTEXT), CommandRefused),
        ((), lambda of: of.commit("march", 0, 1, CONTEXT), InvalidInput),
        ((), lambda of: of.commit("nothing", 7, 1, CONTEXT), NotFound),
        (("cancel",), lambda of: of.commit("march", 7, 1, CONTEXT), CommandRefused),
        (("commit",), lambda of: of.cancel("march", CONTEXT), CommandRefused),
        (("commit", "revert"), lambda of: of.commit("march", 7, 1, CONTEXT), CommandRefused),
        (("commit", "revert"), _open_again, AlreadyExists),
    ],
)
def test_what_cannot_be_true_is_refused(
    before: tuple[str, ...], step: Callable[[Backfills], None], error: type[Exception]
) -> None:
    march = opened("march")
    for done in before:
        match done:
            case "commit":
                march.commit("march", 7, 1, CONTEXT)
            case "revert":
                march.revert("march", CONTEXT)
            case _:
                march.cancel("march", CONTEXT)
    with pytest.raises(error):
        step(march)


def test_of_backfills_that_overlap_the_later_commit_is_reverted_first() -> None:
    two = opened("first")
    two.commit("first", 7, 1, CONTEXT)
    two.open("second", MARCH, "replace", CONTEXT)
    two.commit("second", 9, 1, CONTEXT)
    with pytest.raises(CommandRefused, match="'second' was committed later and overlaps: revert it first"):
        two.revert("first", CONTEXT)
    two.revert("second", CONTEXT)
    two.revert("first", CONTEXT)
    assert topics(two)[-2:] == ["BackfillReverted", "BackfillReverted"]
