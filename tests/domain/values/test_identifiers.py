"""Names of runs are one line of text where they are new, and what they were where they are not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.aggregate import CommandContext
from domain.backfills.backfill_range import BackfillRange
from domain.backfills.backfills import Backfills
from domain.event import Provenance
from domain.scope import DEFAULT_SCOPE
from domain.values.identifiers import line_problem


@pytest.mark.parametrize(
    "name", ["plain", "März 2026: 更新", "a b", 'it\'s "quoted" $HOME', "family 👩\u200d💻", "\u00a0"]
)
def test_a_name_of_one_line_is_allowed(name: str) -> None:
    assert line_problem(name) is None


@pytest.mark.parametrize("name", ["a\nb", "\t", "\x00", "\x1b[31m", "\x7f", "a\x85", "a\u2028b", "\ud800"])
def test_a_name_with_control_characters_is_not(name: str) -> None:
    assert line_problem(name) == "must be one line of text without control characters"


def test_a_run_that_was_opened_before_keeps_its_name() -> None:
    march = datetime(2026, 3, 1, tzinfo=UTC)
    context = CommandContext(march, Provenance("key", "native", None))
    opened = Backfills(DEFAULT_SCOPE)
    opened.open("two\nlines", BackfillRange(march, march.replace(day=2)), "add", context)
    folded = Backfills(DEFAULT_SCOPE)
    for event in opened.collect_events():
        folded.replay(event)
    folded.cancel("two\nlines", context)
