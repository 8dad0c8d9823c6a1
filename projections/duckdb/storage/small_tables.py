"""Moving small tables to the front of the database file, so that the file can shrink.

A file ends after its last used block, and a table that seldom changes keeps its blocks; so does the metadata of even an
empty table. The open generations are therefore moved as well.
"""

from __future__ import annotations

import re
from typing import Final

import duckdb

from projections.duckdb.storage.generations import GENERATION_KINDS, OPEN_COLUMNS_OF, Generations, transaction
from projections.duckdb.storage.schema import TABLES

#: Larger tables would pause the fold for too long.
MOVED_ROWS_MAX: Final = 1_000_000
OPEN_ROWS_MAX: Final = 100_000

_CREATE: Final = re.compile(r"CREATE TABLE (\w+) ")


def move_small_tables(cursor: duckdb.DuckDBPyConnection) -> None:
    """Rewrite every table of the schema and the open generations into free blocks.

    The caller has paused the fold.
    """
    generations = Generations(cursor)
    with transaction(cursor):
        for definition in TABLES:
            found = _CREATE.match(definition)
            if found is not None:
                _move(cursor, found.group(1), definition, MOVED_ROWS_MAX)
        for kind in GENERATION_KINDS:
            name = generations.open_name(kind)
            _move(cursor, name, f"CREATE TABLE {name} ({OPEN_COLUMNS_OF[kind]})", OPEN_ROWS_MAX)


def _move(cursor: duckdb.DuckDBPyConnection, name: str, definition: str, rows_max: int) -> None:
    if cursor.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0] > rows_max:
        return
    cursor.execute(_CREATE.sub("CREATE TABLE moved ", definition, count=1))
    cursor.execute(f"INSERT INTO moved SELECT * FROM {name}")
    cursor.execute(f"DROP TABLE {name}")
    cursor.execute(f"ALTER TABLE moved RENAME TO {name}")
