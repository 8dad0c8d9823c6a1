"""A backfill that is full takes no more events, and says so."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from api.http.problems import Problem
from api.native.routes.backfills.loading import BACKFILL_EVENTS_MAX, check_takes_events
from domain.backfills.backfill_range import BackfillRange
from projections.queries.backfills import BackfillRecord, BackfillStep

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
OPENED = BackfillStep(1, MARCH, "key_1", None)
LOST = BackfillRecord("lost", BackfillRange(MARCH, datetime(2026, 4, 1, tzinfo=UTC)), "add", OPENED)


def test_a_backfill_is_open_for_events_until_it_holds_as_many_as_there_can_be() -> None:
    check_takes_events(msgspec.structs.replace(LOST, loaded_events=BACKFILL_EVENTS_MAX - 1))
    with pytest.raises(Problem) as refused:
        check_takes_events(msgspec.structs.replace(LOST, loaded_events=BACKFILL_EVENTS_MAX))
    assert (refused.value.kind.code, refused.value.detail) == (
        "conflict",
        "backfill 'lost' holds 2,000,000 events, and at most 2,000,000 can be loaded into one: divide its range among "
        "several",
    )


def test_a_backfill_that_was_given_up_takes_no_events() -> None:
    with pytest.raises(Problem) as refused:
        check_takes_events(msgspec.structs.replace(LOST, cancelled=OPENED))
    assert refused.value.detail == "backfill 'lost' was cancelled: nothing can be loaded into it"
