"""Usage answered from compacted days and recent deltas equals the sum over the whole store, whatever happens."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.corrections.commands import RestoreUsage, VoidUsage
from domain.errors import DomainError
from domain.scope import DEFAULT_SCOPE
from projections.duckdb.memory.monthly_usage import SUMS_MAX, MonthlyUsage
from projections.duckdb.reading.snapshot import DuckDBReads
from projections.duckdb.storage.compaction import Compaction
from projections.duckdb.storage.generations import Generations
from projections.duckdb.writing.fold_store import DuckDBFoldStore
from projections.folding.day_deltas import KIND, VALUES
from projections.folding.projector import Projector
from projections.queries.snapshot import Snapshot
from projections.queries.usage import Segment, UsageQuestion
from projections.views.current_usage import current_usage
from tests.projections.folded_log import BY_TEST, START, FoldedLog, usage

CUSTOMERS = ("acme", "globex", "initech")
EVER = Segment(START - timedelta(days=900), START + timedelta(days=900))


class FailingCommitStore(DuckDBFoldStore):
    """A fold store whose next commit can be made to fail, after its step was published."""

    failing = False

    def commit(self) -> None:
        if self.failing:
            self.failing = False
            raise OSError("the disk said no")
        super().commit()


class DrivenLog(FoldedLog):
    """A log, its fold, a reader with a cache, and everything that may happen to them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.open_store()

    def open_store(self) -> None:
        self.store = self.failing_store = FailingCommitStore(self.database.cursor())
        self.projector = Projector(self.log, self.store, self.index, self.keys)
        self.cached = DuckDBReads(self.database.cursor, self.store.changes)

    def used(self, number: int, customer: int, days: int, cost_usd: str | None) -> None:
        at = START - timedelta(days=days)
        parent = "root" if number % 2 else None
        units = {"web_searches": number} if number % 3 else {}
        sent = usage(f"e{number}", CUSTOMERS[customer], at, cost_usd=cost_usd, parent_request=parent, **units)
        self.deliver([sent])
        self.fold()

    def corrected(self, number: int) -> None:
        for correct in (VoidUsage, RestoreUsage):
            try:
                self.commands.handle(correct(DEFAULT_SCOPE, BY_TEST, "gateway", f"e{number}"))
            except DomainError:
                continue
            self.fold()
            return

    def froze(self) -> None:
        """Freeze the open generation, as a compaction does that then dies."""
        Generations(self.cursor).open_new("days")
        self.store.load_generations()

    def undid(self, number: int) -> None:
        self.deliver([usage(f"u{number}", CUSTOMERS[0], cost_usd="7")])
        self.failing_store.failing = True
        with pytest.raises(OSError, match="the disk said no"):
            self.fold()

    def reclaimed(self) -> None:
        compaction = Compaction(self.database.cursor(), nullcontext, self.store.load_generations, unit_deltas_min=2)
        compaction.sort("days", open_rows_min=1)
        compaction.merge("days", together_min=2)
        compaction.reclaim("days")
        compaction.close()


histories = st.lists(
    st.one_of(
        st.tuples(
            st.just("used"), st.integers(0, 2), st.sampled_from([0, 1, 40, 400]), st.sampled_from(["0.5", "9e14", None])
        ),
        st.tuples(st.just("used"), st.just(0), st.just(0), st.just("0.25")),
        st.tuples(st.just("corrected"), st.integers(0, 5)),
        st.tuples(st.just("compact")),
        st.tuples(st.just("froze")),
        st.tuples(st.just("undid"), st.integers(0, 99)),
        st.tuples(st.just("open_store")),
        st.tuples(st.just("reclaimed")),
    ),
    min_size=1,
    max_size=12,
)


def answers(snapshot: Snapshot) -> list[Any]:
    found: list[Any] = [snapshot.point()]
    for name in CUSTOMERS:
        found.append(snapshot.customer(DEFAULT_SCOPE, name))
        found.append(current_usage(snapshot, DEFAULT_SCOPE, name, START + timedelta(hours=1)))
        found.append(snapshot.usage(DEFAULT_SCOPE, UsageQuestion((EVER,), name, split_markup=True, with_units=True)))
    return found


@given(histories)
@settings(max_examples=20, deadline=None)
def test_answers_from_memory_equal_those_of_the_store(done: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as open_snapshots:
        driven = DrivenLog(Path(folder) / "read")
        open_snapshots.callback(driven.close)
        held = []
        for number, (name, *about) in enumerate(done):
            getattr(driven, name)(*([number, *about] if name == "used" else about))
            fresh = open_snapshots.enter_context(DuckDBReads(driven.database.cursor).snapshot())
            kept = open_snapshots.enter_context(driven.cached.snapshot())
            late = open_snapshots.enter_context(driven.cached.snapshot())
            expected = answers(fresh)
            late.point()
            assert answers(kept) == expected
            held.append((late, expected))
        for late, expected in reversed(held):
            assert answers(late) == expected


def test_a_store_that_is_opened_again_loads_the_uncompacted_deltas(tmp_path: Path) -> None:
    driven = DrivenLog(tmp_path / "read")
    driven.used(1, 0, 0, "0.5")
    driven.compact()
    compacted = driven.projector.position
    driven.used(2, 0, 1, "0.25")
    driven.used(3, 1, 0, "1")
    driven.open_store()
    keys = dict(driven.ask("SELECT customer_id, customer_key FROM customers"))
    added = {
        name: driven.store.changes.days.since(key, compacted, driven.projector.position) for name, key in keys.items()
    }
    assert {name: None if one is None else len(one) for name, one in added.items()} == {"acme": 1, "globex": 1}
    with driven.cached.snapshot() as kept, DuckDBReads(driven.database.cursor).snapshot() as fresh:
        assert answers(kept) == answers(fresh)
    driven.close()


def test_usage_of_a_customer_is_not_read_from_the_open_days(tmp_path: Path) -> None:
    driven = DrivenLog(tmp_path / "read")
    driven.used(1, 0, 0, "0.5")
    driven.compact()
    driven.used(2, 0, 0, "0.25")
    with driven.cached.snapshot() as before:
        expected = answers(before)
    driven.open_store()  # nothing is cached of any customer
    open_days = next(one.name for one in Generations(driven.cursor).of("days") if one.state == "open")
    driven.cursor.execute(f"DELETE FROM {open_days}")
    with driven.cached.snapshot() as kept:
        assert answers(kept) == expected
    driven.close()


def test_more_sums_of_a_customer_than_may_be_kept_are_read_from_the_days(tmp_path: Path) -> None:
    driven = DrivenLog(tmp_path / "read")
    driven.used(1, 0, 0, "0.5")
    driven.compact()
    for first in range(0, 2 * SUMS_MAX, SUMS_MAX):
        models = [f"model-{number}" for number in range(first, first + SUMS_MAX)]
        driven.deliver([usage(f"of-{model}", CUSTOMERS[0], model=model, cost_usd="1") for model in models])
        driven.fold()
        with driven.cached.snapshot() as kept, DuckDBReads(driven.database.cursor).snapshot() as fresh:
            assert answers(kept) == answers(fresh)
    driven.close()


@pytest.mark.parametrize(("series", "kept"), [(SUMS_MAX, True), (SUMS_MAX + 1, False)])
def test_no_more_sums_of_a_customer_are_kept_than_may_be(series: int, kept: bool) -> None:
    recent = np.zeros((series, VALUES), dtype=np.int64)
    recent[:, KIND] = range(series)
    usage_so_far = MonthlyUsage(1, None, None, ()).plus(recent, 2)
    assert (usage_so_far is not None) == kept
