"""A commit that is only tried says what the commit does."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from domain.backfills.backfill_range import BackfillMode, BackfillRange
from domain.scope import DEFAULT_SCOPE
from projections.duckdb.reading.snapshot import DuckDBReads
from projections.queries.backfill_effects import BackfillEffect, EventName, LoadedBackfill
from projections.queries.usage import Segment, UsageQuestion
from projections.read_side.loaded_events import LoadedEvents
from projections.views.backfill.preview import BackfillPreview, PeriodNumbers, backfill_preview
from projections.views.measures import Measures, measures_of
from tests.laws.laboratory import EXAMPLES_TIMES
from tests.projections.folded_log import SEED, START, usage
from tests.projections.folding.backfills.conftest import MARCH, Backfilled
from tests.projections.generated_logs import Entry, generated_logs, write_entries

WIDE: Final = BackfillRange(START - timedelta(days=3), START + timedelta(hours=1))
OF_OTHER_BACKFILLS: Final = ("load", "replace by a backfill", "backfill")
NOW: Final = datetime(2026, 3, 20, tzinfo=UTC)


class Tried:
    """A log, and previews of one open backfill."""

    def __init__(self, folder: Path, asked: BackfillRange, mode: BackfillMode) -> None:
        self.log = Backfilled(folder)
        self._asked, self._mode = asked, mode
        self._tried = LoadedEvents(self.log.log, SEED, lambda: self.log.index)
        self.reads = DuckDBReads(self.log.database.cursor)

    def open(self) -> None:
        self.log.open("tried", self._mode, self._asked)
        self._opened_position = self.log.log.head_position()

    def effect(self) -> tuple[BackfillEffect, BackfillPreview]:
        self.log.fold()
        backfill = LoadedBackfill("tried", self._asked, self._mode, self._opened_position)
        with self.reads.snapshot() as snapshot:
            effect = self._tried.effect(snapshot, DEFAULT_SCOPE, backfill)
            return effect, backfill_preview(snapshot, DEFAULT_SCOPE, effect, NOW, None, 100)

    def costs(self) -> tuple[Decimal, int]:
        """The raw cost of all usage, and how many events it lacks."""
        [(cost, unknown)] = self.log.ask(
            """SELECT coalesce(sum(cost_usd), 0), count(*) FILTER (cost_origin = 'unknown') FROM usage_rows
            WHERE closed_at IS NULL"""
        )
        return Decimal(cost), int(unknown)

    def numbers(self, customer: str, start: datetime, end: datetime) -> PeriodNumbers:
        asked = UsageQuestion((Segment(start, end),), customer, split_markup=True)
        with self.reads.snapshot() as snapshot:
            sums = Measures()
            for one in snapshot.usage(DEFAULT_SCOPE, asked):
                sums = sums.plus(measures_of(one))
        return PeriodNumbers(sums.requests, sums.cost_usd, sums.reported_cost_usd, sums.cost_unknown_events)


@pytest.fixture
def march(tmp_path: Path) -> Tried:
    return Tried(tmp_path / "march", MARCH, "replace")


def test_what_is_missing_of_a_replacement_and_what_came_late_is_told(march: Tried) -> None:
    march.log.deliver([usage("1", cost_usd="0.5"), usage("2", "beta", cost_usd="0.25")])
    march.open()
    march.log.load("tried", [usage("1", cost_usd="0.75"), usage("3", cost_usd="1"), usage("3", cost_usd="2")])
    march.log.deliver([usage("late")])
    effect, preview = march.effect()
    counts = effect.counted, effect.duplicate, effect.conflict, effect.withdrawn, effect.missing, effect.late
    assert counts == (2, 0, 1, 3, 2, 1)
    assert effect.missing_events == (
        EventName("gateway", "2", "beta", START),
        EventName("gateway", "late", "acme", START),
    )
    assert (preview.customers, preview.difference_usd, preview.cost_unknown_events) == (2, Decimal(1), -1)
    [acme, beta] = preview.periods
    assert (acme.customer_id, acme.arriving, acme.leaving) == ("acme", 2, 2)
    assert acme.before == PeriodNumbers(2, Decimal("0.5"), Decimal("0.5"), 1)
    assert acme.after == PeriodNumbers(2, Decimal("1.75"), Decimal("1.75"), 0)
    assert beta.difference == PeriodNumbers(-1, Decimal("-0.25"), Decimal("-0.25"), 0)


def test_events_of_unknown_cost_are_told_beside_the_difference_that_lacks_them(march: Tried) -> None:
    march.log.deliver([usage("1", cost_usd="0.5"), usage("2")])
    march.open()
    march.log.load("tried", [usage("1"), usage("3", "beta"), usage("4", cost_usd="2"), usage("5", "beta")])
    _, preview = march.effect()
    assert (preview.difference_usd, preview.cost_unknown_events) == (Decimal("1.5"), 2)
    assert [one.difference.cost_unknown_events for one in preview.periods] == [0, 2]


def test_a_try_changes_nothing(march: Tried) -> None:
    march.log.deliver([usage("1")])
    march.open()
    march.log.load("tried", [usage("2", "new")])
    march.log.fold()
    before = march.log.sums(), march.log.totals(), march.log.ask("SELECT * FROM customers")
    march.effect()
    assert (march.log.sums(), march.log.totals(), march.log.ask("SELECT * FROM customers")) == before


def events_of(drawn: Sequence[tuple[int, int]]) -> list[dict[str, Any] | bytes]:
    """Events that may meet those of generated logs."""
    return [
        usage(
            f"e-{which}",
            f"c-{which % 4}",
            START - timedelta(hours=7 * which),
            input_tokens=1000 + variant,
            model=f"m-{which % 3}",
        )
        for which, variant in drawn
    ]


DRAWN: Final = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 2)), min_size=1, max_size=8)


@settings(
    max_examples=25 * EXAMPLES_TIMES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@example([("usage", 0, [(0, 0), (0, 0)]), *[("end a life in the past", 0, 1)] * 2], [(1, 0)], "add")
@given(generated_logs(12), DRAWN, st.sampled_from(["add", "replace"]))
def test_a_preview_is_the_difference_that_the_commit_makes(
    entries: list[Entry], drawn: list[tuple[int, int]], mode: BackfillMode
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tried = Tried(Path(folder), WIDE, mode)
        write_entries(
            tried.log, [entry for entry in entries if entry[0] not in ("load", "replace by a backfill", "backfill")]
        )
        tried.log.fold()
        tried.open()
        tried.log.load("tried", events_of(drawn))
        effect, preview = tried.effect()
        spans = {(one.customer_id, one.life, one.period): one for one in preview.periods}
        held = tried.costs()
        before = {key: tried.numbers(key[0], key[2].start, key[2].end) for key in spans if key[1] == 1}
        tried.log.commit("tried")
        told = tried.log.ask(
            "SELECT counted, duplicate, conflict, withdrawn, difference_usd, cost_unknown_events FROM backfills"
            " WHERE name = 'tried' AND kind = 'backfill.committed'"
        )
        growth = effect.counted - effect.withdrawn
        money = preview.difference_usd, preview.cost_unknown_events
        assert told == [(growth, effect.duplicate, effect.conflict, effect.withdrawn, *money)]
        cost, unknown = tried.costs()
        assert (cost - held[0], unknown - held[1]) == (preview.difference_usd, preview.cost_unknown_events)
        for key, was in before.items():
            now = tried.numbers(key[0], key[2].start, key[2].end)
            if sum(one[0] == key[0] for one in spans) == sum(one[0] == key[0] for one in before):
                assert now.minus(was) == spans[key].difference
        tried.log.sums()
        tried.log.close()
