"""A read store with all numbers, from which rows of usage are missing: a rebuild writes the numbers first.

The table `missing_rows` exists only then. As long as it does,

- there is no view `usage_rows`: a query on it fails, whichever it is, so that no answer is made of some of the rows;
- `progress.schema_version` is `UNFINISHED`, so that another release, which does not know of this, folds the log anew.

All of it changes together with what it tells about, in one transaction.
"""

from __future__ import annotations

from typing import Final

import duckdb

from projections.duckdb.storage.schema import SCHEMA_VERSION
from projections.read_side.missing_rows import MissingRows

#: The view that questions about rows read.
ROWS_VIEW: Final = "usage_rows"
#: Stored in the place of a schema version; older than any.
UNFINISHED: Final = 0


def missing_rows(cursor: duckdb.DuckDBPyConnection) -> MissingRows | None:
    """Return which rows are missing; None when none are."""
    exists = cursor.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = current_database() AND table_name = 'missing_rows'"
    )
    if not exists.fetchall()[0][0]:
        return None
    try:
        until, written_to = cursor.execute("SELECT until, written_to FROM missing_rows").fetchall()[0]
    except (duckdb.CatalogException, duckdb.InvalidInputException):
        # Outside of a transaction the last rows may be written between both statements. DuckDB then finds the function
        # of this name instead, and refuses it.
        return None
    return MissingRows(until, written_to)


def begin_missing(cursor: duckdb.DuckDBPyConnection, until: int) -> None:
    """Note that all rows up to the log position `until` are missing. The caller has begun a transaction."""
    cursor.execute(
        "CREATE TABLE missing_rows (schema_version INTEGER NOT NULL, until BIGINT NOT NULL, written_to BIGINT NOT NULL)"
    )
    cursor.execute("INSERT INTO missing_rows VALUES (?, ?, 0)", [SCHEMA_VERSION, until])
    cursor.execute("UPDATE progress SET schema_version = ?", [UNFINISHED])
    cursor.execute(f"DROP VIEW {ROWS_VIEW}")


def note_written(cursor: duckdb.DuckDBPyConnection, position: int) -> None:
    """Note that the rows up to a log position are written. After the last ones the caller refreshes the views."""
    missing = missing_rows(cursor)
    if missing is not None and position < missing.until:
        cursor.execute("UPDATE missing_rows SET written_to = ?", [position])
    else:
        cursor.execute("DROP TABLE missing_rows")
        cursor.execute("UPDATE progress SET schema_version = ?", [SCHEMA_VERSION])


def schema_version(cursor: duckdb.DuckDBPyConnection) -> int:
    """Return the version of the schema in which the tables of a store are."""
    column = "schema_version FROM " + ("progress" if missing_rows(cursor) is None else "missing_rows")
    return int(cursor.execute(f"SELECT {column}").fetchall()[0][0])
