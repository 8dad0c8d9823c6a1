"""Tables that are small, moved to the front of the file so that the room behind them can be given back.

A file ends where its last used block ends, and a table that seldom changes stays where it was once written; so does
what the file says of it, even of an empty one. The open generations are therefore moved with the rest.
"""

from __future__ import annotations

import re
from typing import Final

import duckdb

from projections.duckdb.storage.generations import KINDS, OPEN_COLUMNS_OF, Generations, transaction
from projections.duckdb.storage.schema import TABLES

#: What is larger takes too long for a moment in which the fold is held.
MOVED_ROWS_MAX: Final = 1_000_000
OPEN_ROWS_MAX: Final = 100_000

_CREATE: Final = re.compile(r"CREATE TABLE (\w+) ")


def move_small_tables(cursor: duckdb.DuckDBPyConnection) -> None:
    """Write every table of the schema and the open generations anew, where the file has room.

    The caller holds the fold.
    """
    generations = Generations(cursor)
    with transaction(cursor):
        for definition in TABLES:
            found = _CREATE.match(definition)
            if found is not None:
                _move(cursor, found.group(1), definition, MOVED_ROWS_MAX)
        for kind in KINDS:
            name = generations.open_name(kind)
            _move(cursor, name, f"CREATE TABLE {name} ({OPEN_COLUMNS_OF[kind]})", OPEN_ROWS_MAX)


def _move(cursor: duckdb.DuckDBPyConnection, name: str, definition: str, rows_max: int) -> None:
    if cursor.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0] > rows_max:
        return
    cursor.execute(_CREATE.sub("CREATE TABLE moved ", definition, count=1))
    cursor.execute(f"INSERT INTO moved SELECT * FROM {name}")
    cursor.execute(f"DROP TABLE {name}")
    cursor.execute(f"ALTER TABLE moved RENAME TO {name}")
