"""Compaction changes how rows and days are stored, never what they add up to, whatever happens meanwhile."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext, suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import cast

import duckdb
import pytest

from domain.corrections.commands import RestoreUsage, VoidUsage
from domain.scope import DEFAULT_SCOPE, Scope
from projections.duckdb.storage.chunks import CHUNK_ROWS_MAX
from projections.duckdb.storage.compaction import Compaction
from projections.duckdb.storage.generations import GENERATION_KINDS, Generations
from projections.duckdb.storage.low_priority import NICE
from projections.read_side.compaction import GenerationKind
from tests.projections.folded_log import BY_TEST, START, FoldedLog, usage


@pytest.fixture
def folded(tmp_path: Path) -> Iterator[FoldedLog]:
    log = FoldedLog(tmp_path / "read")
    yield log
    log.close()


def deliver(folded: FoldedLog, first: int, count: int = 20) -> None:
    folded.deliver(
        [
            usage(str(n), customer=f"c-{n % 3}", at=START - timedelta(hours=n * 7 % 50), cost_usd=f"0.{n + 1}")
            for n in range(first, first + count)
        ]
    )
    folded.fold()


def states(folded: FoldedLog) -> list[tuple[str, str, int]]:
    return [(one.kind, one.state, one.rows) for one in Generations(folded.cursor).of("rows")]


def settled_sizes(folded: FoldedLog) -> list[int]:
    return sorted(rows for _, state, rows in states(folded) if state == "settled")


class SteeredCursor:
    """A cursor that executes each statement as rewritten by `steer`, which is called in the executing thread."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, steer: Callable[[str], str]) -> None:
        self._cursor = cursor
        self._steer = steer
        self.interrupt, self.close = cursor.interrupt, cursor.close

    def execute(self, statement: str, *parameters: object) -> duckdb.DuckDBPyConnection:
        return self._cursor.execute(self._steer(statement), *parameters)


def compaction_that(
    folded: FoldedLog,
    steer: Callable[[str], str],
    chunk_rows_max: int = CHUNK_ROWS_MAX,
) -> Compaction:
    cursor = cast(duckdb.DuckDBPyConnection, SteeredCursor(folded.database.cursor(), steer))
    return Compaction(cursor, nullcontext, folded.store.load_generations, chunk_rows_max)


def niceness() -> int:
    """The niceness of the calling thread."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_compaction_keeps_every_sum_and_sorts_customers_together(folded: FoldedLog) -> None:
    deliver(folded, 0)
    before = folded.sums()
    folded.compact()
    assert folded.sums() == before
    assert sorted(states(folded)) == [("rows", "open", 0), ("rows", "settled", 20)]
    compacted = next(one.name for one in Generations(folded.cursor).of("rows") if one.state == "settled")
    keys = folded.ask(f"SELECT customer_key, time FROM {compacted} ORDER BY rowid")
    assert keys == sorted(keys)


@pytest.mark.parametrize("chunk_rows_max", [1, 3, 7, 1000])
def test_a_generation_that_is_written_in_chunks_is_sorted_as_a_whole(folded: FoldedLog, chunk_rows_max: int) -> None:
    other = Scope("other", "prod")
    for n in range(6):
        deliver(folded, 20 * n, count=10)
        folded.deliver([usage(str(100 * n + m), customer=f"d-{m}", cost_usd="1") for m in range(5)], scope=other)
    folded.fold()
    before, rows = folded.sums(), folded.ask("SELECT * FROM usage_rows ORDER BY ALL")
    compaction = Compaction(folded.database.cursor(), nullcontext, folded.store.load_generations, chunk_rows_max)
    assert [compaction.sort(kind, open_rows_min=1) for kind in GENERATION_KINDS] == [True, True]
    compaction.close()
    assert folded.sums() == before
    assert folded.ask("SELECT * FROM usage_rows ORDER BY ALL") == rows
    compacted = [one.name for one in Generations(folded.cursor).of("rows") if one.state == "settled"]
    keys = folded.ask(f"SELECT scope_key, customer_key, time, locator FROM {compacted[0]} ORDER BY rowid")
    assert keys == sorted(keys)


def test_small_generations_are_merged_and_a_much_larger_one_is_left_alone(folded: FoldedLog) -> None:
    deliver(folded, 0, count=100)
    folded.compact()
    deliver(folded, 100, count=10)
    folded.compact()
    assert settled_sizes(folded) == [10, 100]
    deliver(folded, 110, count=30)
    folded.compact()
    assert settled_sizes(folded) == [140]


def test_generations_are_merged_once_enough_are_of_similar_size_with_all_smaller_ones(folded: FoldedLog) -> None:
    sizes = [100, 2, 15, 20, 25]
    first = 0
    with closing(Compaction(folded.database.cursor(), nullcontext, folded.store.load_generations)) as compaction:
        for size in sizes:
            deliver(folded, first, size)
            first += size
            assert compaction.sort("rows", open_rows_min=1)
        before = folded.sums()
        assert settled_sizes(folded) == sorted(sizes)
        assert not compaction.merge("rows")
        assert compaction.merge("rows", together_min=3)
        assert settled_sizes(folded) == [62, 100]
        assert not compaction.merge("rows", together_min=3)
    assert folded.sums() == before


def test_too_few_rows_are_left_open(folded: FoldedLog) -> None:
    deliver(folded, 0)
    with closing(Compaction(folded.database.cursor(), nullcontext, folded.store.load_generations)) as compaction:
        assert not compaction.sort("rows", open_rows_min=21)
        assert states(folded) == [("rows", "open", 0)]
        assert compaction.sort("rows", open_rows_min=20)


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a niceness of their own on Linux only")
@pytest.mark.parametrize("merging", [False, True])
def test_only_chunks_of_merges_are_written_at_low_priority(folded: FoldedLog, merging: bool) -> None:
    deliver(folded, 0)
    usual = niceness()
    noted: list[tuple[bool, int]] = []

    def note(statement: str) -> str:
        noted.append((statement.startswith("INSERT INTO rows_"), niceness()))
        return statement

    if merging:
        folded.compact()
        deliver(folded, 20)
        with closing(compaction_that(folded, str, chunk_rows_max=3)) as sorting:
            sorting.sort("rows", open_rows_min=1)
    with closing(compaction_that(folded, note, chunk_rows_max=3)) as compaction:
        assert compaction.merge("rows", 2) if merging else compaction.sort("rows", 1)
    priorities = [priority for writes_chunk, priority in noted if writes_chunk]
    assert len(priorities) > 2
    assert set(priorities) == {max(usual, NICE) if merging else usual}
    assert {priority for writes_chunk, priority in noted if not writes_chunk} == {usual}


def test_each_chunk_of_a_merge_is_a_turn_of_its_own_and_a_sort_takes_none(folded: FoldedLog) -> None:
    turns: list[bool] = []

    @contextmanager
    def turn() -> Iterator[None]:
        turns.append(folded.database.checkpoint())
        yield

    compaction = Compaction(
        folded.database.cursor(), nullcontext, folded.store.load_generations, chunk_rows_max=6, write_turn=turn
    )
    with closing(compaction):
        for first in (0, 20):
            deliver(folded, first)
            assert compaction.sort("rows", open_rows_min=1)
        assert turns == []
        assert compaction.merge("rows", together_min=2)
    assert turns == [True] * len(turns)
    assert len(turns) > 5


def test_an_interruption_ends_a_statement_that_writes_a_chunk(folded: FoldedLog) -> None:
    deliver(folded, 0)
    before = folded.sums()
    writing = threading.Event()

    def endless(statement: str) -> str:
        if not statement.startswith("INSERT INTO rows_"):
            return statement
        writing.set()
        return "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range = 7"

    compaction = compaction_that(folded, endless)
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(compaction.sort, "rows", 1)
        assert writing.wait(10)
        while not running.done():
            compaction.interrupt()
            time.sleep(0.01)
        assert running.result() is False
    assert not compaction.merge("rows", together_min=0)
    assert folded.sums() == before
    deliver(folded, 20, count=1)
    before = folded.sums()
    folded.compact()
    assert (folded.sums(), sorted(states(folded))) == (before, [("rows", "open", 0), ("rows", "settled", 21)])


def test_an_error_while_a_chunk_is_written_is_raised_and_leaves_everything_as_it_was(
    folded: FoldedLog,
) -> None:
    deliver(folded, 0)
    before = folded.sums()
    broken = compaction_that(folded, lambda one: "SELECT error('no room')" if one.startswith("INSERT INTO r") else one)
    with pytest.raises(duckdb.Error, match="no room"):
        broken.sort("rows", open_rows_min=1)
    broken.close()
    assert folded.sums() == before
    deliver(folded, 20, count=1)
    before = folded.sums()
    folded.compact()
    assert (folded.sums(), sorted(states(folded))) == (before, [("rows", "open", 0), ("rows", "settled", 21)])


def test_what_is_voided_between_two_chunks_of_a_merge_is_void_after_it(folded: FoldedLog) -> None:
    for first in (0, 20):
        deliver(folded, first)
        with closing(compaction_that(folded, str)) as compaction:
            compaction.sort("rows", open_rows_min=1)
    voided = iter(range(40))

    @contextmanager
    def void_another() -> Iterator[None]:
        folded.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", str(next(voided))))
        folded.fold()
        assert folded.database.checkpoint()
        yield

    cursor = folded.database.cursor()
    with closing(
        Compaction(cursor, nullcontext, folded.store.load_generations, chunk_rows_max=6, write_turn=void_another)
    ) as compaction:
        assert compaction.merge("rows", together_min=2)
    turns = next(voided)
    assert turns > 3
    assert sum(row[1] for row in folded.sums()) == 40 - turns
    holding = folded.ask("SELECT id FROM usage_rows WHERE closed_at IS NULL ORDER BY id::INTEGER")
    assert holding == [(str(n),) for n in range(turns, 40)]


@pytest.mark.parametrize("kind", GENERATION_KINDS)
def test_a_compaction_that_fails_at_any_statement_leaves_no_unlisted_table(
    folded: FoldedLog, kind: GenerationKind
) -> None:
    done: list[str] = []

    def fail_after(statements: int) -> Callable[[str], str]:
        done.clear()

        def steer(statement: str) -> str:
            if statement.startswith(("ROLLBACK", "DROP TABLE IF", "SELECT name")):
                return statement  # what a failure needs
            done.append(statement)
            if len(done) > statements:
                raise duckdb.Error("no")
            return statement

        return steer

    for statements in range(100):
        deliver(folded, 20 * statements, count=10)
        before = folded.sums()
        with suppress(duckdb.Error), closing(compaction_that(folded, fail_after(statements))) as compaction:
            assert compaction.sort(kind, open_rows_min=0)
            assert compaction.merge(kind, together_min=1)
            break
        tables = folded.ask("SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, ?)", f"{kind}_")
        assert {name for (name,) in tables} == {one.name for one in Generations(folded.cursor).of(kind)}
        assert folded.sums() == before
        deliver(folded, 20 * statements + 10, count=10)
        folded.compact()
    assert done[-1] == ("COMMIT" if kind == "rows" else "SELECT count(*) FROM unit_days")
    assert len(done) > 10
    assert folded.sums() == before


def test_a_table_left_by_a_failed_compaction_does_not_obstruct_the_next(folded: FoldedLog) -> None:
    deliver(folded, 0)
    before = folded.sums()
    broken = compaction_that(
        folded, lambda one: "SELECT error('no')" if one.startswith(("INSERT INTO rows_", "DROP TABLE IF")) else one
    )
    with pytest.raises(duckdb.Error, match="no"):
        broken.sort("rows", open_rows_min=1)
    broken.close()
    left = folded.ask("SELECT count(*) FROM duckdb_tables() WHERE starts_with(table_name, 'rows_')")
    assert left == [(3,)]  # frozen, open, and an unlisted one
    assert folded.sums() == before
    deliver(folded, 20, count=1)
    before = folded.sums()
    folded.compact()
    assert (folded.sums(), sorted(states(folded))) == (before, [("rows", "open", 0), ("rows", "settled", 21)])


def test_what_is_voided_while_a_compaction_writes_is_void_after_it(folded: FoldedLog) -> None:
    deliver(folded, 0)
    pauses = 0

    @contextmanager
    def paused() -> Iterator[None]:
        nonlocal pauses
        pauses += 1
        if pauses == 2:  # the new table is written and not yet listed
            folded.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "5"))
            deliver(folded, 500)
        yield

    compaction = Compaction(folded.database.cursor(), paused, folded.store.load_generations)
    assert compaction.sort("rows", open_rows_min=1)
    compaction.close()
    assert sum(row[1] for row in folded.sums()) == 39
    assert folded.ask("SELECT count(*) FROM usage_rows WHERE id = '5'") == [(1,)]
    folded.commands.handle(RestoreUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "5"))
    folded.fold()
    assert sum(row[1] for row in folded.sums()) == 40


def test_tables_of_a_compaction_that_died_are_dropped(folded: FoldedLog) -> None:
    deliver(folded, 0)
    before = folded.sums()
    folded.cursor.execute("CREATE TABLE rows_77 AS SELECT * FROM usage_rows")
    folded.store.drop_leftovers()
    assert folded.ask("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'rows_77'") == [(0,)]
    assert folded.sums() == before


def test_a_generation_frozen_by_a_compaction_that_died_is_compacted_by_the_next(folded: FoldedLog) -> None:
    deliver(folded, 0)
    Generations(folded.cursor).open_new("rows")
    folded.store.load_generations()
    deliver(folded, 100)
    before = folded.sums()
    folded.compact()
    assert sorted(state for _, state, _ in states(folded)) == ["open", "settled"]
    assert folded.sums() == before


def deliver_units(folded: FoldedLog, first: int, count: int = 4) -> None:
    """Deliver events with units in a step each: customers, days and units meet again."""
    for n in range(first, first + count):
        folded.deliver([usage(f"u-{n}", customer=f"c-{n % 2}", web_searches=n + 1, units={"own": 0.5})])
        folded.fold()


def unit_sums(folded: FoldedLog) -> list[tuple[str, str, Decimal]]:
    return folded.ask(
        """SELECT customer_id, unit, sum(quantity) FROM unit_days JOIN customers USING (customer_key)
        GROUP BY ALL HAVING sum(quantity) <> 0 ORDER BY ALL"""
    )


def sum_units(folded: FoldedLog, steer: Callable[[str], str] = lambda statement: statement) -> None:
    cursor = cast(duckdb.DuckDBPyConnection, SteeredCursor(folded.database.cursor(), steer))
    with closing(Compaction(cursor, nullcontext, folded.store.load_generations, unit_deltas_min=10)) as compaction:
        assert compaction.sort("days", open_rows_min=1)
        assert compaction.merge("days", together_min=1)


def test_a_compaction_of_days_sums_the_deltas_of_units_once_they_are_many(folded: FoldedLog) -> None:
    deliver_units(folded, 0)
    sum_units(folded)
    assert folded.ask("SELECT count(*) FROM unit_days") == [(8,)]  # few
    deliver_units(folded, 4)
    folded.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "u-0"))
    folded.fold()
    before = unit_sums(folded)
    assert before == [
        ("c-0", "own", Decimal("1.5")),
        ("c-0", "web_searches", Decimal(15)),
        ("c-1", "own", Decimal(2)),
        ("c-1", "web_searches", Decimal(20)),
    ]
    sum_units(folded)
    assert unit_sums(folded) == before
    assert folded.ask("SELECT count(*) FROM unit_days") == [(4,)]


def test_deltas_of_units_that_are_folded_while_others_are_summed_are_kept(folded: FoldedLog) -> None:
    deliver_units(folded, 0, count=8)

    def fold_meanwhile(statement: str) -> str:
        if statement.startswith(("INSERT INTO unit_days", "DELETE FROM unit_days")):
            deliver_units(folded, 8 if statement.startswith("INSERT") else 10, count=2)
        return statement

    sum_units(folded, fold_meanwhile)
    assert [total for *_, total in unit_sums(folded)] == [Decimal(3), Decimal(36), Decimal(3), Decimal(42)]
    assert folded.ask("SELECT count(*) FROM unit_days") == [(4 + 8,)]
