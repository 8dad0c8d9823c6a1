"""Generations: the tables that hold usage rows and day deltas, as in a log-structured merge tree.

| state | meaning |
|---|---|
| open | the fold appends to it; one of each kind |
| frozen | nothing is appended any more; the next compaction merges it |
| settled | compacted: rows are sorted by (scope, customer, time, locator); day deltas are summed |

The views `usage_rows` and `usage_days` are the unions of all generations of a kind, `settled_days` that of the
compacted generations of days. The list of generations and the views change together, in one transaction. While rows are
missing (`missing_rows.py`) there is no view `usage_rows`.

Outcomes lie in `stored_outcomes`, and those of many events that a backfill withdrew at once in tables of their own,
which are listed as generations and never merged. The view `outcomes` is their union.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, Literal

import duckdb
import msgspec

from projections.duckdb.storage.missing_rows import ROWS_VIEW, missing_rows
from projections.duckdb.storage.schema import DAY_COLUMNS, ROW_COLUMNS
from projections.read_side.compaction import GenerationKind

#: As stored. `settled` is the stored word for compacted; it can change only with the schema version.
State = Literal["open", "frozen", "settled"]
TableKind = GenerationKind | Literal["outcomes"]

GENERATION_KINDS: Final[tuple[GenerationKind, ...]] = ("rows", "days")
COLUMNS_OF: Final[dict[GenerationKind, str]] = {"rows": ROW_COLUMNS, "days": DAY_COLUMNS}

STORED_OUTCOMES: Final = "stored_outcomes"
_NUMBERED: Final = "(rows|days|units|outcomes)_[0-9]+"
_UNCOMPRESSED: Final = " USING COMPRESSION uncompressed"
_OUTSIDE_BRACKETS: Final = r",(?![^(]*\))"


def _uncompressed(columns: str) -> str:
    without_comments = re.sub(r"--.*", "", columns).strip()
    return re.sub(_OUTSIDE_BRACKETS, f"{_UNCOMPRESSED},", without_comments) + _UNCOMPRESSED


#: Columns of an open generation, uncompressed: the fold waits for checkpoints, compression would more than double their
#: time, and compaction writes the rows again, compressed.
OPEN_COLUMNS_OF: Final[dict[GenerationKind, str]] = {
    kind: _uncompressed(columns) for kind, columns in COLUMNS_OF.items()
}


@contextmanager
def transaction(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Run the context in one transaction: committed at its end, rolled back when it raises."""
    cursor.execute("BEGIN")
    try:
        yield
        cursor.execute("COMMIT")
    except BaseException:
        # A failed COMMIT has ended the transaction by itself.
        with suppress(duckdb.TransactionException):
            cursor.execute("ROLLBACK")
        raise


class Generation(msgspec.Struct, frozen=True):
    """A table of one kind. `rows` is its row count when it was compacted, 0 before."""

    name: str
    kind: TableKind
    number: int
    state: State
    rows: int


class Generations:
    """The generations of one store, as the cursor's transaction saw them when they were loaded."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        self.load()

    def load(self) -> None:
        """Load the list again: after a compaction, or after a rollback."""
        found = self._cursor.execute(
            "SELECT name, kind, number, state, rows FROM generations ORDER BY number"
        ).fetchall()
        self._all = [Generation(*row) for row in found]

    def of(self, kind: TableKind) -> list[Generation]:
        """Return all generations of a kind, oldest first."""
        return [one for one in self._all if one.kind == kind]

    def open_name(self, kind: GenerationKind) -> str:
        """Return the table that the fold appends to."""
        return next(one.name for one in self._all if one.kind == kind and one.state == "open")

    def row_tables(self) -> list[str]:
        """Return the tables of usage rows, oldest first."""
        return [one.name for one in self.of("rows")]

    def outcome_tables(self) -> list[str]:
        """Return the tables of outcomes."""
        return [STORED_OUTCOMES, *(one.name for one in self.of("outcomes"))]

    def rows(self) -> str:
        """Return a subquery over the usage rows of all generations, also while some are missing."""
        return _union(self.row_tables())

    def attach(self, name: str, kind: TableKind, state: State, rows: int = 0) -> None:
        """List a table as a generation. The caller has begun a transaction, refreshes the views and loads the list."""
        number = int(name.rpartition("_")[2])
        self._cursor.execute("INSERT INTO generations VALUES (?, ?, ?, ?, ?)", [name, kind, number, state, rows])

    def open_new(self, kind: GenerationKind) -> list[Generation]:
        """Freeze the open generation of a kind and open a new one, in a transaction; return all frozen ones."""
        with transaction(self._cursor):
            self._cursor.execute("UPDATE generations SET state = 'frozen' WHERE kind = ? AND state = 'open'", [kind])
            add_generation(self._cursor, kind, self.fresh_number(), "open")
            refresh_views(self._cursor)
        self.load()
        return [one for one in self.of(kind) if one.state == "frozen"]

    def replace(
        self, merged: Sequence[Generation], compacted: str, kind: GenerationKind, number: int, rows: int
    ) -> None:
        """Replace the merged generations by the compacted table. The caller has begun a transaction and commits it."""
        for one in merged:
            self._cursor.execute("DELETE FROM generations WHERE name = ?", [one.name])
        self._cursor.execute("INSERT INTO generations VALUES (?, ?, ?, 'settled', ?)", [compacted, kind, number, rows])
        refresh_views(self._cursor)
        for one in merged:
            self._cursor.execute(f"DROP TABLE {one.name}")

    def drop_leftovers(self) -> None:
        """Drop tables left by a compaction that did not finish."""
        known = {one.name for one in self._all}
        for name in self._tables():
            if name not in known:
                self._cursor.execute(f"DROP TABLE {name}")

    def fresh_number(self) -> int:
        """Return a number that no generation has, nor a table that a merge is writing."""
        return 1 + max(int(name.rpartition("_")[2]) for name in self._tables())

    def _tables(self) -> list[str]:
        """The tables of all generations, and those not listed as one."""
        found = self._cursor.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()"
            f" AND regexp_full_match(table_name, '{_NUMBERED}')"
        ).fetchall()
        return [name for (name,) in found]


def add_generation(cursor: duckdb.DuckDBPyConnection, kind: GenerationKind, number: int, state: State) -> str:
    """Create an empty generation and return its name. The caller refreshes the views."""
    name = f"{kind}_{number}"
    columns = OPEN_COLUMNS_OF if state == "open" else COLUMNS_OF
    cursor.execute(f"CREATE OR REPLACE TABLE {name} ({columns[kind]})")  # a failed compaction may have left one
    cursor.execute("INSERT INTO generations VALUES (?, ?, ?, ?, 0)", [name, kind, number, state])
    return name


def refresh_views(cursor: duckdb.DuckDBPyConnection) -> None:
    """Redefine the views as the unions of the present generations."""
    if missing_rows(cursor) is None:
        cursor.execute(f"CREATE OR REPLACE VIEW {ROWS_VIEW} AS SELECT * FROM {union_of(cursor, 'rows')}")
    cursor.execute(f"CREATE OR REPLACE VIEW usage_days AS SELECT * FROM {union_of(cursor, 'days')}")
    found = cursor.execute("SELECT name FROM generations WHERE kind = 'days' AND state = 'settled' ORDER BY number")
    compacted = _union([name for (name,) in found.fetchall()]) or "(SELECT * FROM usage_days LIMIT 0)"
    cursor.execute(f"CREATE OR REPLACE VIEW settled_days AS SELECT * FROM {compacted}")
    cursor.execute(f"CREATE OR REPLACE VIEW outcomes AS SELECT * FROM {union_of(cursor, 'outcomes')}")


def union_of(cursor: duckdb.DuckDBPyConnection, kind: TableKind, catalog: str | None = None) -> str:
    """Return a subquery over all tables of a kind, in an attached catalog if one is named."""
    prefix = "" if catalog is None else f"{catalog}."
    found = cursor.execute(f"SELECT name FROM {prefix}generations WHERE kind = ? ORDER BY number", [kind]).fetchall()
    stored = [STORED_OUTCOMES] if kind == "outcomes" else []
    return _union([f"{prefix}{name}" for name in (*stored, *(name for (name,) in found))])


def _union(tables: Sequence[str]) -> str:
    selects = " UNION ALL ".join(f"SELECT * FROM {table}" for table in tables)
    return f"({selects})" if selects else ""
