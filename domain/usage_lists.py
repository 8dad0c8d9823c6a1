"""The first half of the quick way: items become one Python list a column, without judging most values.

Items are read in chunks small enough that their objects are gone from the processor's caches and from
the garbage collector's lists before the next chunk comes. A row that is not plainly readable is named
a suspect and holds placeholders, until the exact way settles it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any, Final

import msgspec
from msgspec import Raw

from domain.canonical_form import canonical_extensions, content_digest, content_digests
from domain.json_numbers import is_canonical, number_keeping_decoder
from domain.usage_arrays import instants_of
from domain.usage_rows import COMMON_MEMBERS, DURATION_MEMBERS, TOKEN_MEMBERS, Row, RowFacts
from domain.usage_rules import NESTING_MAX, REQUEST_TYPE, SPECVERSION, STATUS_DEFAULT

CHUNK_EVENTS: Final = 2_000
LIST_COLUMNS: Final = (
    *("id", "source", "type", "subject", "time", "content", "status", *TOKEN_MEMBERS, *DURATION_MEMBERS),
    *(*COMMON_MEMBERS, "properties", "extensions"),
)

#: Too deep is one level more than this with the event and, around properties, its data.
_BRACKETS_MIN: Final = NESTING_MAX - 1
#: The columns of what the canonical form is made of, see `canonical_form.CanonicalParts`.
_PartColumns = tuple[list[Any], list[Any], list[Any], list[Any], list[int | None], list[Any], list[Any]]
_pop: Final = dict.pop
_encode: Final = msgspec.json.encode
_REQUEST_DEFAULTS: Final = {"status": STATUS_DEFAULT} | dict.fromkeys(TOKEN_MEMBERS, 0)


class ReadEvents:
    """Columns of received events as lists in order of arrival, and the rows that the exact way must settle."""

    def __init__(self, headers: Sequence[str | None], facts: RowFacts) -> None:
        self.columns: dict[str, list[Any]] = {name: [] for name in LIST_COLUMNS}
        self.suspects: set[int] = set()
        self._headers = headers
        self._facts = facts
        self._respelled_texts: list[str] = []
        self._decode = number_keeping_decoder(self._number).decode
        self._first = 0

    def read(self, items: Sequence[bytes]) -> None:
        """Read all items; one header is known for each."""
        for first in range(0, len(items), CHUNK_EVENTS):
            self._first = first
            self._read_chunk(items[first : first + CHUNK_EVENTS])

    def settle(self, row: int, values: Row) -> None:
        """Put the exact values of one row in place of what was read."""
        for name, column in self.columns.items():
            column[row] = values[name]

    def _number(self, text: str) -> Raw:
        if not is_canonical(text):
            self._respelled_texts.append(text)
        return Raw(text)

    def _suspect(self, rows: Sequence[int]) -> None:
        self.suspects.update(self._first + row for row in rows)

    def _read_chunk(self, items: Sequence[bytes]) -> None:
        events, respelled = self._decoded(items)
        attributes = {
            name: list(map(_pop, events, repeat(name), repeat(None)))
            for name in ("specversion", "id", "source", "type", "subject", "time", "data")
        }
        if attributes["specversion"].count(SPECVERSION) != len(events):
            self._suspect([row for row, version in enumerate(attributes["specversion"]) if version != SPECVERSION])
        sent = attributes["data"]
        datas = self._data_objects(sent)
        times, bad_times = instants_of(attributes["time"], self._facts.recorded_us, self._facts.until_us)
        self._suspect(bad_times)
        extensions = self._extensions(events)
        sent_times: list[int | None] = list(times)
        if None in attributes["time"]:
            sent_times = [None if text is None else time for text, time in zip(attributes["time"], times, strict=True)]
        canonical = [None if rest is None else canonical_extensions(rest) for rest in extensions]
        named = (attributes["source"], attributes["id"], attributes["type"], attributes["subject"])
        parts: _PartColumns = (*named, sent_times, canonical, sent)
        read = {name: attributes[name] for name in ("id", "source", "type")}
        read["content"] = self._digests(parts, items, datas, respelled)
        read["time"] = times
        read["subject"] = self._customers(attributes["subject"], datas)
        read["extensions"] = [None if rest is None else _encode(rest) for rest in extensions]
        read |= _data_columns(datas, attributes["type"])
        read["properties"] = [_encode(data) if data else None for data in datas]
        self._suspect(_maybe_deep(read["properties"]))
        self._suspect(_maybe_deep(read["extensions"]))
        for name, column in self.columns.items():
            column.extend(read[name])

    def _decoded(self, items: Sequence[bytes]) -> tuple[list[dict[str, Any]], list[int]]:
        """Each item as an object, and which rows spell a number in a way that is not the canonical one."""
        decode, respelled_texts = self._decode, self._respelled_texts
        events: list[dict[str, Any]] = []
        append = events.append
        respelled: list[int] = []
        if max(map(len, items)) > self._facts.event_bytes_max:
            items = [item if len(item) <= self._facts.event_bytes_max else b"" for item in items]
        for item in items:
            try:
                append(decode(item))
            except (ValueError, RecursionError):
                append({})
                self._suspect([len(events) - 1])
            if respelled_texts:
                respelled_texts.clear()
                respelled.append(len(events) - 1)
        if set(map(type, events)) != {dict}:
            self._suspect([row for row, event in enumerate(events) if type(event) is not dict])
            events = [event if type(event) is dict else {} for event in events]
        return events, respelled

    def _data_objects(self, sent: list[Any]) -> list[dict[str, Any]]:
        if set(map(type, sent)) == {dict}:
            return sent
        self._suspect([row for row, data in enumerate(sent) if data is not None and type(data) is not dict])
        return [data if type(data) is dict else {} for data in sent]

    def _extensions(self, events: list[dict[str, Any]]) -> list[dict[str, Any] | None]:
        """What is left of each event after its core attributes were taken out."""
        if any(events):
            self._suspect([row for row, rest in enumerate(events) if rest and "data_base64" in rest])
        return [rest or None for rest in events]

    def _digests(
        self,
        parts: _PartColumns,
        items: Sequence[bytes],
        datas: list[dict[str, Any]],
        respelled: list[int],
    ) -> list[int]:
        seed = self._facts.hash_seed
        try:
            digests = content_digests(seed, zip(*parts, strict=True))
        except RecursionError:
            digests = [0] * len(items)
            for row, one in enumerate(zip(*parts, strict=True)):
                try:
                    digests[row] = content_digests(seed, [one])[0]
                except RecursionError:
                    self._suspect([row])
                    datas[row] = {}
        for row in respelled:
            if self._first + row not in self.suspects:
                digests[row] = content_digest(seed, items[row])
        return digests

    def _customers(self, subjects: list[Any], datas: list[dict[str, Any]]) -> list[Any]:
        if None not in subjects:
            return subjects
        headers = self._headers[self._first : self._first + len(subjects)]
        found = list(subjects)
        for row, subject in enumerate(subjects):
            if subject is None:
                found[row] = headers[row]
                for member in ("customerId", "user"):
                    if found[row] is None:
                        found[row] = datas[row].get(member)
        return found


def _data_columns(datas: list[dict[str, Any]], types: list[Any]) -> dict[str, list[Any]]:
    """Take the members that are columns out of every data object; what is left in them are properties."""
    columns = {name: list(map(_pop, datas, repeat(name), repeat(None))) for name in COMMON_MEMBERS}
    requests = datas
    every = types.count(REQUEST_TYPE) == len(types)
    if not every:
        none: dict[str, Any] = {}
        requests = [data if kind == REQUEST_TYPE else none for data, kind in zip(datas, types, strict=True)]
    for name in ("status", *TOKEN_MEMBERS, *DURATION_MEMBERS):
        columns[name] = list(map(_pop, requests, repeat(name), repeat(_REQUEST_DEFAULTS.get(name))))
    if not every or None in columns["status"]:
        columns["status"] = [
            None if kind != REQUEST_TYPE else STATUS_DEFAULT if status is None else status
            for status, kind in zip(columns["status"], types, strict=True)
        ]
    return columns


def _maybe_deep(texts: list[bytes | None]) -> list[int]:
    """Rows whose JSON text has brackets enough to be nested too deep. Mostly one look at all texts finds none."""
    present = [text for text in texts if text is not None]
    if _brackets(b"".join(present)) - len(present) < _BRACKETS_MIN - 1:
        return []
    return [row for row, text in enumerate(texts) if text is not None and _brackets(text) >= _BRACKETS_MIN]


def _brackets(text: bytes) -> int:
    return text.count(b"{") + text.count(b"[")
