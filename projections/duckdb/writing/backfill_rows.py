"""Rows that a backfill withdraws, and those that its revert counts again: statements about many rows at once.

1. Find the last version of each event in the temporary table `leaving` or `returning`.
2. Take the current ones from the sums of days and units, and close them; or open versions, and add these.
3. End or add the outcome `withdrawn` of each event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import duckdb
import msgspec
import numpy as np
import numpy.typing as npt

from domain.usage.locators import LOCATOR_ROW_BITS
from domain.usage.outcomes import REPLACED
from domain.values.instants import naive
from projections.duckdb.storage.fold_reads.filtered_rows import LAST_VERSION
from projections.duckdb.storage.fold_reads.replaced_rows import replaced_rows
from projections.duckdb.storage.fold_reads.void_states import WITHDRAWN, valid_events
from projections.duckdb.storage.generations import STORED_OUTCOMES, Generations
from projections.duckdb.writing.version_changes import add_to_sums, close_versions
from projections.folding.backfill_store import RawCost, ReplacedRange, Withdrawal
from projections.identity.entries import U64

#: Of the table `leaving`, the versions that hold.
HELD: Final = "(SELECT * FROM leaving WHERE closed_at IS NULL)"
_IN_BLOCKS: Final = f"({{}} >> {LOCATOR_ROW_BITS}) IN (SELECT unnest($blocks::BIGINT[]))"
_REPLACED_THEN: Final = f"outcome = 'withdrawn' AND reason = '{REPLACED}' AND decided_at = $1 AND closed_at IS NULL"
#: The columns of an outcome that tells of a withdrawn event.
_OUTCOME: Final = """locator, scope_key, source, id, customer_id, type, 'withdrawn' AS outcome, $reason AS reason,
    content, $recorded_at::TIMESTAMP AS recorded_at, $stream AS stream, $position::BIGINT AS decided_at"""


class MovedRows(msgspec.Struct, frozen=True, eq=False):
    """Events whose rows changed, their customers, the raw cost of the versions that hold, and the series of others."""

    locators: U64
    customers: npt.NDArray[np.int64]
    cost: RawCost = RawCost()
    unknown_kind_keys: tuple[int, ...] = ()


def find_in_range(cursor: duckdb.DuckDBPyConnection, rows: str, asked: ReplacedRange) -> U64:
    """Make the table `leaving` of the events of a range that were counted in time; return those withdrawn before."""
    statement, values = replaced_rows(asked, rows)
    cursor.execute(f"CREATE TEMP TABLE leaving AS SELECT * EXCLUDE (claimed_at) FROM ({statement})", values)
    before = cursor.execute(f"SELECT locator FROM leaving WHERE locator IN ({WITHDRAWN})").fetchnumpy()["locator"]
    cursor.execute(f"DELETE FROM leaving WHERE locator IN ({WITHDRAWN})")
    return np.asarray(before).astype(np.uint64)


def find_in_blocks(cursor: duckdb.DuckDBPyConnection, rows: str, blocks: Sequence[int]) -> int:
    """Make the table `leaving` of the events of these blocks that were counted; return how many are withdrawn."""
    values = {"blocks": list(blocks)}
    cursor.execute(
        f"CREATE TEMP TABLE leaving AS SELECT * FROM {rows} WHERE {_IN_BLOCKS.format('locator')} {LAST_VERSION}", values
    )
    return int(
        cursor.execute(
            f"SELECT count(*) FROM leaving WHERE locator IN ({WITHDRAWN})",
        ).fetchall()[0][0]
    )


def withdraw_leaving(cursor: duckdb.DuckDBPyConnection, generations: Generations, by: Withdrawal) -> MovedRows:
    """Withdraw the events of the table `leaving`, and drop it."""
    moved = moved_rows(cursor, "leaving")
    if len(moved.locators):
        cost = add_to_sums(cursor, generations, HELD, sign="-")
        moved = msgspec.structs.replace(moved, cost=cost)
        close_versions(cursor, generations, "leaving", by.position)
        end_withdrawals(cursor, generations, "leaving", by.position)
        insert_withdrawn(cursor, STORED_OUTCOMES, by)
    cursor.execute("DROP TABLE leaving")
    return moved


def end_withdrawals(cursor: duckdb.DuckDBPyConnection, generations: Generations, events: str, position: int) -> None:
    """End the outcomes of events that are withdrawn; `events`: a relation with their `locator`."""
    for table in generations.outcome_tables():
        cursor.execute(
            f"""UPDATE {table} SET closed_at = ? WHERE outcome = 'withdrawn' AND closed_at IS NULL
            AND locator IN (SELECT locator FROM {events})""",
            [position],
        )


def insert_withdrawn(cursor: duckdb.DuckDBPyConnection, into: str, by: Withdrawal) -> None:
    """Insert the outcomes of the events of the table `leaving`."""
    cursor.execute(
        f"""INSERT INTO {into} BY NAME SELECT {_OUTCOME} FROM (
            SELECT l.*, nullif(c.customer_id, '') AS customer_id, k.type FROM leaving l
            JOIN customers c ON c.customer_key = l.customer_key JOIN kinds k ON k.kind_key = l.kind_key)
        ORDER BY locator""",
        _values(by),
    )


def withdraw_uncounted(
    cursor: duckdb.DuckDBPyConnection, generations: Generations, blocks: Sequence[int], by: Withdrawal
) -> tuple[int, int]:
    """Give duplicates and conflicts of these blocks the outcome `withdrawn`; return how many there were of each."""
    of_blocks = f"""outcome IN ('duplicate', 'conflict') AND closed_at IS NULL AND {_IN_BLOCKS.format("locator")}"""
    cursor.execute(f"CREATE TEMP TABLE uncounted AS SELECT * FROM outcomes WHERE {of_blocks}", {"blocks": list(blocks)})
    counts = dict(cursor.execute("SELECT outcome, count(*) FROM uncounted GROUP BY outcome").fetchall())
    if counts:
        for table in generations.outcome_tables():
            cursor.execute(
                f"""UPDATE {table} SET closed_at = ? WHERE closed_at IS NULL AND outcome IN ('duplicate', 'conflict')
                AND locator IN (SELECT locator FROM uncounted)""",
                [by.position],
            )
        cursor.execute(
            f"INSERT INTO {STORED_OUTCOMES} BY NAME SELECT {_OUTCOME} FROM uncounted ORDER BY locator", _values(by)
        )
    cursor.execute("DROP TABLE uncounted")
    return counts.get("duplicate", 0), counts.get("conflict", 0)


def reinstate(
    cursor: duckdb.DuckDBPyConnection, generations: Generations, replaced_at: int, position: int
) -> MovedRows:
    """Count the events again that were withdrawn at a position, except where their identity is voided."""
    locators = find_returning(cursor, generations.rows(), replaced_at, position)
    end_replaced(cursor, generations, replaced_at, position)
    moved = moved_rows(cursor, "returning_rows")
    if len(moved.locators):
        cursor.execute(f"INSERT INTO {generations.open_name('rows')} BY NAME SELECT * FROM returning_rows")
        moved = msgspec.structs.replace(moved, cost=add_to_sums(cursor, generations, "returning_rows"))
    cursor.execute("DROP TABLE returning_rows")
    return msgspec.structs.replace(moved, locators=locators)


def find_returning(cursor: duckdb.DuckDBPyConnection, rows: str, replaced_at: int, position: int) -> U64:
    """Make the table `returning_rows` of versions from `position` on; return the events that were withdrawn."""
    cursor.execute(
        f"""CREATE TEMP TABLE coming_back AS SELECT * FROM {rows}
        WHERE locator IN (SELECT locator FROM outcomes WHERE {_REPLACED_THEN}) {LAST_VERSION}""",
        [replaced_at],
    )
    cursor.execute(
        f"""DELETE FROM coming_back WHERE locator IN (
        SELECT locator FROM ({valid_events("coming_back")}) WHERE NOT is_valid)"""
    )
    opened = "$1::BIGINT AS counted_at, NULL::BIGINT AS closed_at"
    cursor.execute(f"CREATE TEMP TABLE returning_rows AS SELECT * REPLACE ({opened}) FROM coming_back", [position])
    cursor.execute("DROP TABLE coming_back")
    withdrawn = f"SELECT locator FROM outcomes WHERE {_REPLACED_THEN}"
    locators: U64 = np.asarray(cursor.execute(withdrawn, [replaced_at]).fetchnumpy()["locator"]).astype(np.uint64)
    return locators


def end_replaced(cursor: duckdb.DuckDBPyConnection, generations: Generations, replaced_at: int, position: int) -> None:
    """End the outcomes of what was withdrawn at a position because it was replaced."""
    for table in generations.outcome_tables():
        cursor.execute(f"UPDATE {table} SET closed_at = $2 WHERE {_REPLACED_THEN}", [replaced_at, position])


def moved_rows(cursor: duckdb.DuckDBPyConnection, table: str) -> MovedRows:
    """Return the events of a table of versions of rows, their customers, and the series of unknown cost."""
    found = cursor.execute(f"SELECT locator, customer_key FROM {table}").fetchnumpy()
    [(kinds,)] = cursor.execute(
        f"SELECT list(DISTINCT kind_key) FILTER (cost_origin = 'unknown') FROM {table}"
    ).fetchall()
    customers = np.unique(np.asarray(found["customer_key"]).astype(np.int64))
    return MovedRows(np.asarray(found["locator"]).astype(np.uint64), customers, unknown_kind_keys=tuple(kinds or ()))


def _values(by: Withdrawal) -> dict[str, Any]:
    return {
        "reason": by.reason,
        "recorded_at": naive(by.recorded_at),
        "stream": by.stream,
        "position": by.position,
    }
