"""The first half of the quick way: items become one Python list a column, without judging most values.

Items are read in chunks small enough that their objects are gone from the processor's caches and from
the garbage collector's lists before the next chunk comes. A row that is not plainly readable is named
a suspect and holds placeholders, until the exact way settles it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from domain.usage.block_schema import REQUEST_TYPE, TOKEN_COLUMNS
from domain.usage.canonical_form import CanonicalParts, canonical_extensions, content_digest, content_digests
from domain.usage.decoding.dict_reader import DictionaryReader, SentEvents
from domain.usage.decoding.schema_inference import SchemaInference
from domain.usage.decoding.single_event import COMMON_MEMBERS, DURATION_MEMBERS, Row, RowContext, sorted_json
from domain.usage.decoding.struct_reader import fitted_events
from domain.usage.decoding.vectorized_rules import instants_of
from domain.usage.rules import CUSTOMER_MEMBERS, NESTING_MAX, SPECVERSION, STATUS_DEFAULT

CHUNK_EVENTS: Final = 2_000
LIST_COLUMNS: Final = (
    *("id", "source", "type", "subject", "time", "content", "status", *TOKEN_COLUMNS, *DURATION_MEMBERS),
    *(*COMMON_MEMBERS, "properties", "extensions"),
)

#: Too deep is one level more than this with the event and, around properties, its data.
_BRACKETS_MIN: Final = NESTING_MAX - 1
#: Fewer events than this are not worth looking for a shape.
SHAPED_EVENTS_MIN: Final = 200
#: What was learned, for speed alone: what is read does not depend on it.
_SHAPES: Final = SchemaInference()


class ReadEvents:
    """Columns of received events as lists in order of arrival, and the rows that the exact way must set_row."""

    def __init__(
        self, headers: Sequence[str | None], facts: RowContext, arrivals_us: Sequence[int | None] | None = None
    ) -> None:
        """One header and one arrival for each item; None: no source tells when its items arrived."""
        self.columns: dict[str, list[Any]] = {name: [] for name in LIST_COLUMNS}
        self.suspects: set[int] = set()
        self._headers = headers
        self._facts = facts
        self._arrivals_us = arrivals_us
        self._dictionaries = DictionaryReader()
        self._first = 0

    def read(self, items: Sequence[bytes]) -> None:
        """Read all items; one header is known for each."""
        for first in range(0, len(items), CHUNK_EVENTS):
            self._first = first
            self._read_chunk(items[first : first + CHUNK_EVENTS])

    def set_row(self, row: int, values: Row) -> None:
        """Put the exact values of one row in place of what was read."""
        for name, column in self.columns.items():
            column[row] = values[name]

    def _suspect(self, rows: Iterable[int]) -> None:
        self.suspects.update(self._first + row for row in rows)

    def _read_chunk(self, items: Sequence[bytes]) -> None:
        if max(map(len, items)) > self._facts.event_bytes_max:
            items = [item if len(item) <= self._facts.event_bytes_max else b"" for item in items]
        try:
            read = self._columns_of(items)
        except RecursionError:
            deep = {row for row, item in enumerate(items) if _brackets(item) >= _BRACKETS_MIN}
            self._suspect(deep)
            read = self._columns_of([b"" if row in deep else item for row, item in enumerate(items)])
        for name, column in self.columns.items():
            column.extend(read[name])

    def _sent(self, items: Sequence[bytes]) -> SentEvents:
        """By the shape that most items share, if there is one; the others by dictionaries."""
        shape = _SHAPES.shape_for(items) if len(items) >= SHAPED_EVENTS_MIN else None
        fitted = None if shape is None else fitted_events(shape, items)
        if fitted is None:
            return self._dictionaries.read(items)
        if fitted.misfits:
            fitted.sent.put(fitted.misfits, self._dictionaries.read([items[row] for row in fitted.misfits]))
        return fitted.sent

    def _columns_of(self, items: Sequence[bytes]) -> dict[str, Sequence[Any]]:
        """The columns of a chunk; `RecursionError` when an item in it is nested deeper than can be written."""
        sent = self._sent(items)
        attributes = sent.attributes
        self._suspect(sent.unreadable)
        if attributes["specversion"].count(SPECVERSION) != len(items):
            self._suspect(row for row, version in enumerate(attributes["specversion"]) if version != SPECVERSION)
        times = self._times(attributes["time"])
        read: dict[str, Sequence[Any]] = {name: attributes[name] for name in ("id", "source", "type")}
        read |= _data_columns(sent)
        read["time"] = times
        read["subject"] = self._customers(sent)
        read["properties"] = sent.properties
        read["extensions"] = [sorted_json(rest) if rest else None for rest in sent.extensions]
        for name in ("properties", "extensions"):
            self._suspect(_maybe_deep(read[name]))
        read["content"] = self._digests(sent, times, items)
        return read

    def _times(self, texts: Sequence[Any]) -> list[int]:
        times, bad_times = instants_of(texts, self._facts.recorded_us, self._facts.until_us)
        self._suspect(bad_times)
        if self._arrivals_us is None or None not in texts:
            return times
        arrivals_us = self._arrivals_us[self._first : self._first + len(texts)]
        untimed = [row for row, text in enumerate(texts) if text is None and arrivals_us[row] is not None]
        for row in untimed:
            times[row] = arrivals_us[row] or 0
        self._suspect(row for row in untimed if not self._facts.is_arrival_in_range(times[row]))
        return times

    def _digests(self, sent: SentEvents, times: Sequence[int | None], items: Sequence[bytes]) -> list[int]:
        seed = self._facts.hash_seed
        digests = content_digests(seed, _canonical_parts(sent, times))
        for row in sent.respelled:
            if self._first + row not in self.suspects:
                digests[row] = content_digest(seed, items[row])
        return digests

    def _customers(self, sent: SentEvents) -> Sequence[Any]:
        subjects = sent.attributes["subject"]
        if None not in subjects:
            return subjects
        headers = self._headers[self._first : self._first + len(subjects)]
        found = list(subjects)
        for row, subject in enumerate(subjects):
            if subject is None:
                found[row] = headers[row]
                for member in CUSTOMER_MEMBERS:
                    if found[row] is None:
                        found[row] = sent.members[member][row]
        return found


def _canonical_parts(sent: SentEvents, times: Sequence[int | None]) -> Iterable[CanonicalParts]:
    attributes = sent.attributes
    if None in attributes["time"]:
        times = [None if text is None else time for text, time in zip(attributes["time"], times, strict=True)]
    extensions = [canonical_extensions(rest) if rest else None for rest in sent.extensions]
    named = (attributes["source"], attributes["id"], attributes["type"], attributes["subject"])
    return zip(*named, times, extensions, sent.contents, strict=True)


def _data_columns(sent: SentEvents) -> dict[str, Sequence[Any]]:
    """The members of data that have columns. Events of other types have none of those that only requests have."""
    types, columns = sent.attributes["type"], dict(sent.members)
    if types.count(REQUEST_TYPE) != len(types) or None in columns["status"]:
        columns["status"] = [
            None if kind != REQUEST_TYPE else STATUS_DEFAULT if status is None else status
            for status, kind in zip(columns["status"], types, strict=True)
        ]
    return columns


def _maybe_deep(texts: Sequence[bytes | None]) -> list[int]:
    """Rows whose JSON text has brackets enough to be nested too deep. Mostly one look at all texts finds none."""
    present = [text for text in texts if text is not None]
    if _brackets(b"".join(present)) - len(present) < _BRACKETS_MIN - 1:
        return []
    return [row for row, text in enumerate(texts) if text is not None and _brackets(text) >= _BRACKETS_MIN]


def _brackets(text: bytes) -> int:
    return text.count(b"{") + text.count(b"[")
