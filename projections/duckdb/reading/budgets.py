"""Shared budgets with their facts, read from their table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, groupby
from operator import itemgetter

import duckdb

from projections.duckdb.memory.budget_positions import BudgetPositions
from projections.duckdb.reading.customer_pages import FETCHED_ROWS
from projections.duckdb.reading.facts import FACT_COLUMNS, fact_of
from projections.queries.facts import Fact


def budgets(cursor: duckdb.DuckDBPyConnection, scope_key: int) -> Iterator[tuple[str, tuple[Fact, ...]]]:
    """Yield shared budgets in the order in which their ids were first used: sorted by DuckDB, fetched in batches."""
    asked = cursor.execute(
        f"""SELECT budget_id, {FACT_COLUMNS} FROM (
            SELECT *, min(position) OVER (PARTITION BY budget_id) AS first_position FROM budget_facts
            WHERE scope_key = ?)
        ORDER BY first_position, position""",
        [scope_key],
    )
    rows = chain.from_iterable(iter(partial(asked.fetchmany, FETCHED_ROWS), []))
    for name, found in groupby(rows, key=itemgetter(0)):
        yield name, tuple(fact_of(row[1:]) for row in found)


def budgets_named(
    cursor: duckdb.DuckDBPyConnection, index: BudgetPositions, scope_key: int, budget_ids: Sequence[str]
) -> dict[str, tuple[Fact, ...]]:
    """Return the facts of each of these shared budgets that has any."""
    found: dict[str, list[Fact]] = {}
    asked = frozenset(budget_ids)
    rows = cursor.execute(
        f"""SELECT budget_id, {FACT_COLUMNS} FROM budget_facts
        WHERE position IN (SELECT unnest(?::BIGINT[])) AND scope_key = ? ORDER BY position""",
        [index.positions(cursor, budget_ids), scope_key],
    ).fetchall()
    for name, *fact in rows:
        if name in asked:
            found.setdefault(name, []).append(fact_of(tuple(fact)))
    return {name: tuple(facts) for name, facts in found.items()}
