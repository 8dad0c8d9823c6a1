"""Answers about what the events of one customer add up to, kept so that later events alone have to be read.

A question names its customer, its period and how it splits usage, so that it is the same for all readers of one
period. An answer is kept with the log position at which it was true. The values of events that were counted since are
combined with it; after a correction of the customer's usage it is read anew.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

import msgspec

from projections.queries.meters import MeterValue

#: Values that are kept, of all answers together; when there are more, all are dropped.
VALUES_KEPT_MAX: Final = 200_000


class KeptValues(msgspec.Struct, frozen=True):
    """An answer, and the log position at which it was true."""

    position: int
    values: tuple[MeterValue, ...]


class MeterSums:
    """The answers that are kept, by the digest of their question. Any thread may use it."""

    def __init__(self) -> None:
        self._kept: dict[bytes, KeptValues] = {}
        self._values = 0
        self._lock = threading.Lock()

    def get(self, question: bytes) -> KeptValues | None:
        """Return the answer that is kept."""
        return self._kept.get(question)

    def keep(self, question: bytes, position: int, values: Sequence[MeterValue]) -> None:
        """Keep an answer, unless one of a later position is kept."""
        with self._lock:
            before = self._kept.get(question)
            if before is not None and before.position >= position:
                return
            self._values += 1 + len(values) - (0 if before is None else 1 + len(before.values))
            if self._values > VALUES_KEPT_MAX:
                self._kept.clear()
                self._values = 1 + len(values)
            self._kept[question] = KeptValues(position, tuple(values))
