"""Answers about what the events of one customer add up to, kept so that later events alone have to be read.

A question names its customer, its period and how it splits usage, so that it is the same for all readers of one
period. An answer is kept with the log position at which it was true. Sums and counts of events that were counted since
are added to it; after a correction of the customer's usage it is read anew.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from domain.values.money import MONEY
from projections.queries.meters import MeterValue

#: Values that are kept, of all answers together; when there are more, all are dropped.
VALUES_KEPT_MAX: Final = 200_000
#: Aggregations whose values add up.
ADDITIVE: Final = frozenset({"sum", "count"})


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


def added_values(before: Iterable[MeterValue], later: Iterable[MeterValue]) -> list[MeterValue]:
    """Add the values of later events to those before, in the order in which a store answers."""
    found = {_bucket(one): one for one in before}
    for one in later:
        known = found.get(_bucket(one))
        found[_bucket(one)] = one if known is None else _sum(known, one)
    return sorted(found.values(), key=_order)


def _bucket(one: MeterValue) -> tuple[int, tuple[str | None, ...], int | None]:
    return one.segment, one.group, one.filter


def _sum(one: MeterValue, other: MeterValue) -> MeterValue:
    value = MONEY.add(one.value or Decimal(0), other.value or Decimal(0))
    return msgspec.structs.replace(one, value=value, events=(one.events or 0) + (other.events or 0))


def _order(one: MeterValue) -> tuple[int, list[tuple[bool, str]], tuple[bool, int]]:
    """By segment, then group (absent first), then filter (none last)."""
    group = [(text is not None, text or "") for text in one.group]
    return one.segment, group, (one.filter is None, one.filter or 0)
