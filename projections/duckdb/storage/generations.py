"""Usage rows and day deltas lie in generations: one table of each kind is written, the others are compacted.

| state | what it is |
|---|---|
| open | the fold appends to it; one of each kind |
| frozen | nothing is appended any more; a compaction is to settle it |
| settled | rows: sorted by (scope, customer, time, locator), one customer together; days: deltas added up |

The views `usage_rows` and `usage_days` are the unions of all generations of their kind, `settled_days` that of the
compacted ones. Which generations there are is changed together with the views, in one transaction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, Literal

import duckdb
import msgspec

from projections.duckdb.storage.schema import DAY_COLUMNS, ROW_COLUMNS

GenerationKind = Literal["rows", "days"]
#: As the tables hold it; `settled` is the stored word for compacted, and changes with the next schema only.
State = Literal["open", "frozen", "settled"]

KINDS: Final[tuple[GenerationKind, ...]] = ("rows", "days")
COLUMNS_OF: Final[dict[GenerationKind, str]] = {"rows": ROW_COLUMNS, "days": DAY_COLUMNS}

_AS_IT_IS: Final = " USING COMPRESSION uncompressed"
_OUTSIDE_BRACKETS: Final = r",(?![^(]*\))"


def _unpacked(columns: str) -> str:
    without_comments = re.sub(r"--.*", "", columns).strip()
    return re.sub(_OUTSIDE_BRACKETS, f"{_AS_IT_IS},", without_comments) + _AS_IT_IS


#: A checkpoint writes these as they are. The fold waits for it, packing takes more than half of its time, and what is
#: open is written again, and packed, when it is compacted.
OPEN_COLUMNS_OF: Final[dict[GenerationKind, str]] = {kind: _unpacked(columns) for kind, columns in COLUMNS_OF.items()}


@contextmanager
def transaction(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """One transaction: everything in it, or nothing when it is left by an error."""
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
    """One table, and how many rows it had when it was compacted."""

    name: str
    kind: GenerationKind
    number: int
    state: State
    rows: int


class Generations:
    """The generations of one store, as the cursor's transaction sees them."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        self.load()

    def load(self) -> None:
        """See them anew: after a compaction, or after a transaction was undone."""
        found = self._cursor.execute(
            "SELECT name, kind, number, state, rows FROM generations ORDER BY number"
        ).fetchall()
        self._all = [Generation(*row) for row in found]

    def of(self, kind: GenerationKind) -> list[Generation]:
        """All of a kind, oldest first."""
        return [one for one in self._all if one.kind == kind]

    def open_name(self, kind: GenerationKind) -> str:
        """The table that is written."""
        return next(one.name for one in self._all if one.kind == kind and one.state == "open")

    def row_tables(self) -> list[str]:
        """The tables of all usage rows."""
        return [one.name for one in self.of("rows")]

    def open_new(self, kind: GenerationKind) -> list[Generation]:
        """Freeze the open generation of a kind and open another, in a transaction; answer all that are frozen now."""
        with transaction(self._cursor):
            self._cursor.execute("UPDATE generations SET state = 'frozen' WHERE kind = ? AND state = 'open'", [kind])
            add_generation(self._cursor, kind, self.fresh_number(), "open")
            refresh_views(self._cursor)
        self.load()
        return [one for one in self.of(kind) if one.state == "frozen"]

    def replace(
        self, merged: Sequence[Generation], compacted: str, kind: GenerationKind, number: int, rows: int
    ) -> None:
        """Put a compacted table in the place of those it was made of. The caller holds a transaction and commits it."""
        for one in merged:
            self._cursor.execute("DELETE FROM generations WHERE name = ?", [one.name])
        self._cursor.execute("INSERT INTO generations VALUES (?, ?, ?, 'settled', ?)", [compacted, kind, number, rows])
        refresh_views(self._cursor)
        for one in merged:
            self._cursor.execute(f"DROP TABLE {one.name}")

    def drop_leftovers(self) -> None:
        """Remove tables of a compaction that did not come to its end."""
        known = {one.name for one in self._all}
        tables = self._cursor.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()"
            " AND regexp_full_match(table_name, '(rows|days)_[0-9]+')"
        ).fetchall()
        for (name,) in tables:
            if name not in known:
                self._cursor.execute(f"DROP TABLE {name}")

    def fresh_number(self) -> int:
        """A number that no generation has."""
        return 1 + max(one.number for one in self._all)


def add_generation(cursor: duckdb.DuckDBPyConnection, kind: GenerationKind, number: int, state: State) -> str:
    """A new, empty generation; answers its name. The caller refreshes the views."""
    name = f"{kind}_{number}"
    columns = OPEN_COLUMNS_OF if state == "open" else COLUMNS_OF
    cursor.execute(f"CREATE OR REPLACE TABLE {name} ({columns[kind]})")  # a compaction that failed may have left one
    cursor.execute("INSERT INTO generations VALUES (?, ?, ?, ?, 0)", [name, kind, number, state])
    return name


def refresh_views(cursor: duckdb.DuckDBPyConnection) -> None:
    """Make the views the unions of the generations there are."""
    for kind in KINDS:
        cursor.execute(f"CREATE OR REPLACE VIEW usage_{kind} AS SELECT * FROM {union_of(cursor, kind)}")
    found = cursor.execute("SELECT name FROM generations WHERE kind = 'days' AND state = 'settled' ORDER BY number")
    compacted = _union([name for (name,) in found.fetchall()]) or "(SELECT * FROM usage_days LIMIT 0)"
    cursor.execute(f"CREATE OR REPLACE VIEW settled_days AS SELECT * FROM {compacted}")


def union_of(cursor: duckdb.DuckDBPyConnection, kind: GenerationKind, catalog: str | None = None) -> str:
    """A subquery over all generations of a kind, of another attached catalog if one is named."""
    prefix = "" if catalog is None else f"{catalog}."
    found = cursor.execute(f"SELECT name FROM {prefix}generations WHERE kind = ? ORDER BY number", [kind]).fetchall()
    return _union([f"{prefix}{name}" for (name,) in found])


def _union(tables: Sequence[str]) -> str:
    selects = " UNION ALL ".join(f"SELECT * FROM {table}" for table in tables)
    return f"({selects})" if selects else ""
