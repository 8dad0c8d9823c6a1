"""A copy of a log in which some records are left out: the others keep their positions, streams and versions.

The source is only read, and may be appended to meanwhile. Its gaps make the copy a log to fold and to look at, never
one to append to.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from domain.log.sqlite.errors import log_error_of
from domain.log.sqlite.event_log import BUSY_TIMEOUT_SECONDS, SQLiteEventLog, open_connection

#: Positions that are copied in one transaction.
COPIED_POSITIONS_MAX: Final = 1_000

_SELECT: Final = """SELECT rowid, originator_id, originator_version, topic, state FROM stored_events
    WHERE rowid >= ? AND rowid < ? ORDER BY rowid"""
_INSERT: Final = """INSERT INTO stored_events (rowid, originator_id, originator_version, topic, state)
    VALUES (?, ?, ?, ?, ?)"""
#: It refuses a version whose predecessor was left out. It is there again when the log is opened.
_DROP_GUARD: Final = "DROP TRIGGER IF EXISTS stored_events_versions_are_consecutive"


def copy_range(
    source: Path, target: Path, first: int, end: int, left_out_before: Collection[str], left_out: Collection[str] = ()
) -> Iterator[int]:
    """Copy the records of the positions below `end`, without those of some topics, or of some topics below `first`.

    Yields the position up to which everything is copied, after each transaction. A copy that was stopped is taken up.
    """
    with closing(SQLiteEventLog(target)) as log:
        position = log.head_position()
    try:
        with (
            closing(
                sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_SECONDS)
            ) as one,
            closing(open_connection(str(target))) as other,
        ):
            other.execute(_DROP_GUARD)
            while position < end - 1:
                until = min(position + COPIED_POSITIONS_MAX, end - 1)
                found = one.execute(_SELECT, (position + 1, until + 1))
                other.execute("BEGIN IMMEDIATE")
                wanted = (row for row in found if row[3] not in left_out)
                other.executemany(_INSERT, (row for row in wanted if row[0] >= first or row[3] not in left_out_before))
                other.execute("COMMIT")
                position = until
                yield position
    except sqlite3.Error as error:
        raise log_error_of(error, target, BUSY_TIMEOUT_SECONDS) from error
