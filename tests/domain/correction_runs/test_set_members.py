"""What a correction run may set, and which runs may set something."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.aggregate import CommandContext
from domain.correction_runs.correction_run import CorrectionRun
from domain.correction_runs.event_filter import CorrectedEvents
from domain.correction_runs.events import CorrectionAction, CorrectionRunCommitted
from domain.correction_runs.set_members import SET_TAGS_MAX, SetMembers, checked_members
from domain.errors import InvalidInput
from domain.event import Provenance
from domain.scope import DEFAULT_SCOPE

CONTEXT = CommandContext(datetime(2026, 11, 20, 12, tzinfo=UTC), Provenance("key_1", "native"))
FILTER = CorrectedEvents(sources=("shop",))


def run() -> CorrectionRun:
    return CorrectionRun(DEFAULT_SCOPE, "wrong model")


@pytest.mark.parametrize(
    ("members", "field"),
    [
        (None, "set"),
        (SetMembers(), "set"),
        (SetMembers(model=""), "set.model"),
        (SetMembers(provider="x" * 257), "set.provider"),
        (SetMembers(customer="a\x00"), "set.customer"),
        (SetMembers(add_tags=("ok", "a\x00")), "set.add_tags.1"),
        (SetMembers(remove_tags=("x" * 257,)), "set.remove_tags.0"),
        (SetMembers(add_tags=tuple(map(str, range(SET_TAGS_MAX + 1)))), "set.add_tags"),
        (SetMembers(add_tags=("a", "b"), remove_tags=("b",)), "set.remove_tags"),
    ],
)
def test_what_cannot_be_set_is_refused_by_its_name_on_the_wire(members: SetMembers | None, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        run().open("amend", FILTER, members, CONTEXT)
    assert refused.value.field == field


@pytest.mark.parametrize("action", ["void", "restore"])
def test_a_run_that_does_not_amend_sets_nothing(action: CorrectionAction) -> None:
    with pytest.raises(InvalidInput, match="set"):
        run().open(action, FILTER, SetMembers(model="gpt-4o"), CONTEXT)


def test_members_are_kept_without_repetitions_and_named() -> None:
    checked = checked_members(SetMembers("gpt-4o", "", add_tags=("b", "a", "b"), remove_tags=("c",)))
    assert checked == SetMembers("gpt-4o", "", None, ("b", "a"), ("c",))
    assert checked.names == ("model", "provider", "tag:b", "tag:a", "tag:c")


def test_a_commit_holds_what_its_run_was_opened_with() -> None:
    amending = run()
    amending.open("amend", FILTER, SetMembers(model="gpt-4o"), CONTEXT)
    amending.commit(7, CONTEXT)
    _, committed = amending.collect_events()
    assert isinstance(committed, CorrectionRunCommitted)
    assert (committed.action, committed.filter, committed.members) == ("amend", FILTER, SetMembers(model="gpt-4o"))
