"""Lifecycle facts, read from their table: of customers by key, of all others by id."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, groupby
from operator import itemgetter
from typing import Final

import duckdb

from domain.values.instants import aware
from projections.duckdb.memory.fact_positions import FactPositions, NamedFact
from projections.duckdb.reading.bound_query import BoundQuery, Row
from projections.queries.facts import Fact, Subject

FETCHED_ROWS: Final = 1_000
FACT_COLUMNS: Final = "position, effective_at, recorded_at, kind, fields, actor, dialect, reason, patched, if_known"


def facts_of_customer(cursor: duckdb.DuckDBPyConnection, customer_key: int) -> list[Fact]:
    """Return the facts of a customer, in log order."""
    rows = cursor.execute(
        f"SELECT {FACT_COLUMNS} FROM facts WHERE customer_key = ? ORDER BY position", [customer_key]
    ).fetchall()
    return [fact_of(row) for row in rows]


def facts_of_customers(cursor: duckdb.DuckDBPyConnection, keys: Sequence[int]) -> defaultdict[int, list[Fact]]:
    """Return the facts of each of these customers, in log order."""
    rows = cursor.execute(
        f"""SELECT customer_key, {FACT_COLUMNS} FROM facts
        WHERE customer_key IN (SELECT unnest(?::BIGINT[])) ORDER BY position""",
        [list(keys)],
    ).fetchall()
    return facts_by_owner(rows)


def facts_of_customers_with_markup(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, as_of: int | None
) -> defaultdict[int, list[Fact]]:
    """Return the facts known at `as_of` (None: now) of every customer of a scope with a fact about its markup."""
    query = BoundQuery()
    known = "true" if as_of is None else f"position <= {query.bind(as_of)}"
    rows = query.rows(
        cursor,
        f"""SELECT customer_key, {FACT_COLUMNS} FROM facts WHERE {known} AND customer_key IN (
            SELECT customer_key FROM facts WHERE {known} AND contains(fields, '"markup_percentage"'))
        AND customer_key IN (SELECT customer_key FROM customers WHERE scope_key = {query.bind(scope_key)})
        ORDER BY position""",
    )
    return facts_by_owner(rows)


def facts_by_owner(rows: Sequence[Row]) -> defaultdict[int, list[Fact]]:
    """Group rows, each an owner's key followed by `FACT_COLUMNS`, into facts by owner."""
    found: defaultdict[int, list[Fact]] = defaultdict(list)
    for owner, *fact in rows:
        found[owner].append(fact_of(tuple(fact)))
    return found


def fact_of(row: Row) -> Fact:
    """Build a fact from a row with the columns `FACT_COLUMNS`."""
    position, effective_at, recorded_at, kind, fields, actor, dialect, reason, patched, if_known = row
    instants = aware(effective_at), aware(recorded_at)
    return Fact(
        position, *instants, kind, json.loads(fields), actor, dialect, reason, tuple(patched), if_known=if_known
    )


def distinct_ids(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, subject: Subject, after: str | None, limit: int
) -> list[str]:
    """Return a page of the ids that facts are about, ascending."""
    rows = cursor.execute(
        "SELECT DISTINCT id FROM facts WHERE scope_key = ? AND subject = ? AND id > ? ORDER BY id LIMIT ?",
        [scope_key, subject, after or "", limit],
    ).fetchall()
    return [row[0] for row in rows]


def all_facts(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, subject: Subject
) -> Iterator[tuple[str, tuple[Fact, ...]]]:
    """Yield every id with its facts, in the order in which the ids were first used.

    DuckDB sorts them; they are fetched in batches.
    """
    asked = cursor.execute(
        f"""SELECT id, {FACT_COLUMNS} FROM (
            SELECT *, min(position) OVER (PARTITION BY id) AS first_position FROM facts
            WHERE scope_key = ? AND subject = ?)
        ORDER BY first_position, position""",
        [scope_key, subject],
    )
    rows = chain.from_iterable(iter(partial(asked.fetchmany, FETCHED_ROWS), []))
    for name, found in groupby(rows, key=itemgetter(0)):
        yield name, tuple(fact_of(row[1:]) for row in found)


def facts_named(
    cursor: duckdb.DuckDBPyConnection,
    index: FactPositions,
    position: int,
    scope_key: int,
    subject: Subject,
    ids: Sequence[str],
) -> dict[str, tuple[Fact, ...]]:
    """Return the facts about each of these ids that has any, in a snapshot at `position`."""
    found: dict[str, list[Fact]] = {}
    asked = frozenset(ids)
    positions = sorted(set(index.positions(cursor, ids, position)))
    known = index.known(subject, [at for at in positions if at <= position])
    missing = [at for at in positions if at not in known]
    if missing:
        known |= _read_named(cursor, index, subject, missing, position)
    for at in positions:
        named = known[at]
        if named is not None and named.scope_key == scope_key and named.id in asked:
            found.setdefault(named.id, []).append(named.fact)
    return {name: tuple(facts) for name, facts in found.items()}


def _read_named(
    cursor: duckdb.DuckDBPyConnection,
    index: FactPositions,
    subject: Subject,
    positions: Sequence[int],
    keep_until: int,
) -> dict[int, NamedFact | None]:
    """Read what stands at positions about a subject that has ids; at most one fact does.

    It is kept up to the position of the snapshot, after which others may see more.
    """
    rows = cursor.execute(
        f"""SELECT scope_key, id, {FACT_COLUMNS} FROM facts
        WHERE position IN (SELECT unnest(?::BIGINT[])) AND subject = ? AND id IS NOT NULL""",
        [positions, subject],
    ).fetchall()
    found: dict[int, NamedFact | None] = dict.fromkeys(positions)
    texts = dict.fromkeys(positions, 0)
    for scope_key, name, *fact in rows:
        read = fact_of(tuple(fact))
        found[read.position], texts[read.position] = NamedFact(scope_key, name, read), len(fact[4])
    for at, one in found.items():
        if at <= keep_until:
            index.keep(subject, at, one, texts[at])
    return found
