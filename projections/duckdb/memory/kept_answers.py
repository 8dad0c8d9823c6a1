"""Answers about the usage of one customer, kept so that later events alone have to be read.

A question names its customer, its period and how it splits usage, so that it is the same for all readers of one
period. Its answer is kept with the log position at which it was true:

1. Look for the answer.
2. Ask where the customer's usage was last written, after that: an answer that is kept later may hold a write that is
   not known here.
3. An answer as of a position since which nothing was written is right as it is.
4. If nothing before it was corrected, and answers can be combined, read events counted since alone and add them.
5. Otherwise read everything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Any, Final, Generic, TypeVar

import msgspec

from projections.duckdb.memory.change_tracking import LastWritten

#: Rows of answers that are kept, of all together; when there are more, all are dropped.
ROWS_KEPT_MAX: Final = 200_000

_encode: Final = msgspec.msgpack.Encoder(decimal_format="string").encode

Row = TypeVar("Row")


class KeptAnswer(msgspec.Struct, frozen=True):
    """An answer, and the log position at which it was true."""

    position: int
    rows: tuple[Any, ...]


class KeptAnswers:
    """The answers that are kept, by the digest of their question. Any thread may use it."""

    def __init__(self) -> None:
        self._kept: dict[bytes, KeptAnswer] = {}
        self._rows = 0
        self._lock = threading.Lock()

    def get(self, question: bytes) -> KeptAnswer | None:
        """Return the answer that is kept."""
        return self._kept.get(question)

    def keep(self, question: bytes, position: int, rows: Sequence[Any]) -> None:
        """Keep an answer, unless one of a later position is kept."""
        with self._lock:
            before = self._kept.get(question)
            if before is not None and before.position >= position:
                return
            self._rows += 1 + len(rows) - (0 if before is None else 1 + len(before.rows))
            if self._rows > ROWS_KEPT_MAX:
                self._kept.clear()
                self._rows = 1 + len(rows)
            self._kept[question] = KeptAnswer(position, tuple(rows))


class Reads(msgspec.Struct, Generic[Row], frozen=True):
    """How a question is answered. `written`: where usage of its customer was last written, as of the call.

    `read`: the rows of the answer; of events that were counted after a position, if one is given. `combine`: the rows
    of two answers as one; None where they cannot be combined. `rows_max`: an answer with more is refused by `read`.
    """

    written: Callable[[], LastWritten]
    read: Callable[[int | None], list[Row]]
    combine: Callable[[Iterable[Row]], list[Row]] | None
    rows_max: int


def kept_or_read(answers: KeptAnswers, question: Sequence[Any], position: int, reads: Reads[Row]) -> list[Row]:
    """Return the answer to a question in a snapshot at a position."""
    digest = sha256(_encode(question)).digest()
    kept = answers.get(digest)
    written = reads.written()
    if kept is not None and written.usage_at <= min(kept.position, position):
        return list(kept.rows)
    found = None
    if kept is not None and reads.combine is not None and written.corrected_at <= kept.position <= position:
        found = reads.combine([*kept.rows, *reads.read(kept.position)])
    if found is None or len(found) > reads.rows_max:  # reading tells that there are too many
        found = reads.read(None)
    answers.keep(digest, position, found)
    return found
