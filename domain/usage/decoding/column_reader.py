"""Read received events into one Python list per column; the first half of vectorized decoding.

Most values are not checked here. Items are read in chunks, small enough that their objects have left the processor's
caches and the garbage collector's lists before the next chunk comes. A row that cannot be read plainly is marked as a
suspect and holds placeholders until `single_event` has decoded it by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from domain.errors import InvalidInput
from domain.usage.block_schema import QUANTITIES, REQUEST_TYPE, TOKEN_COLUMNS
from domain.usage.canonical_form import CanonicalParts, canonical_extensions, content_digest, content_digests
from domain.usage.decoding.dict_reader import DictReader, EventColumns
from domain.usage.decoding.member_warnings import MemberWarning, warnings_of
from domain.usage.decoding.own_units import rows_naming
from domain.usage.decoding.quantity_columns import quantity_values
from domain.usage.decoding.schema_inference import SchemaInference
from domain.usage.decoding.single_event import COMMON_MEMBERS, DURATION_MEMBERS, Row, RowContext, sorted_json
from domain.usage.decoding.struct_reader import read_structs
from domain.usage.decoding.vectorized_rules import instants_of
from domain.usage.quantity_rules import request_quantities
from domain.usage.rules import CUSTOMER_MEMBERS, NESTING_MAX, SPECVERSION, STATUS_DEFAULT

CHUNK_EVENTS: Final = 2_000
LIST_COLUMNS: Final = (
    *("id", "source", "type", "subject", "time", "content", "status", *TOKEN_COLUMNS, *DURATION_MEMBERS),
    *(*COMMON_MEMBERS, *QUANTITIES.names, "properties", "extensions"),
)

#: A text with fewer brackets cannot be nested too deep: the event itself is one more level, and so is its data.
_BRACKETS_MIN: Final = NESTING_MAX - 1
#: A schema is looked for in chunks of at least this many events.
SCHEMA_EVENTS_MIN: Final = 200
#: Shared by the process, for speed only: results do not depend on it.
_INFERENCE: Final = SchemaInference()


class ColumnReader:
    """The columns of received events as lists in order of arrival, and the rows to be decoded one by one."""

    def __init__(
        self, headers: Sequence[str | None], context: RowContext, arrivals_us: Sequence[int | None] | None = None
    ) -> None:
        """`headers` and `arrivals_us` have one value per item; `arrivals_us` is None if no source knows arrivals."""
        self.columns: dict[str, list[Any]] = {name: [] for name in LIST_COLUMNS}
        self.suspects: set[int] = set()
        self.warnings: dict[int, list[MemberWarning]] = {}
        self._headers = headers
        self._context = context
        self._arrivals_us = arrivals_us
        self._dict_reader = DictReader()
        self._first = 0

    def read(self, items: Sequence[bytes]) -> None:
        """Read all items, in chunks."""
        for first in range(0, len(items), CHUNK_EVENTS):
            self._first = first
            self._read_chunk(items[first : first + CHUNK_EVENTS])

    def set_row(self, row: int, values: Row) -> None:
        """Replace the values of one row by those decoded one by one."""
        for name, column in self.columns.items():
            column[row] = values[name]
        self.warnings.pop(row, None)
        if values["warnings"]:
            self.warnings[row] = [msgspec.structs.replace(one, row=row) for one in values["warnings"]]

    def _suspect(self, rows: Iterable[int]) -> None:
        self.suspects.update(self._first + row for row in rows)

    def _read_chunk(self, items: Sequence[bytes]) -> None:
        if max(map(len, items)) > self._context.event_bytes_max:
            items = [item if len(item) <= self._context.event_bytes_max else b"" for item in items]
        try:
            columns = self._columns_of(items)
        except RecursionError:
            deep = {row for row, item in enumerate(items) if _brackets(item) >= _BRACKETS_MIN}
            self._suspect(deep)
            columns = self._columns_of([b"" if row in deep else item for row, item in enumerate(items)])
        for name, column in self.columns.items():
            column.extend(columns[name])

    def _read_events(self, items: Sequence[bytes]) -> EventColumns:
        """Read by the schema that most items share, if there is one, and everything else by dictionaries."""
        schema = _INFERENCE.schema_for(items) if len(items) >= SCHEMA_EVENTS_MIN else None
        structs = None if schema is None else read_structs(schema, items)
        if structs is None:
            return self._dict_reader.read(items)
        if structs.mismatches:
            mismatching = self._dict_reader.read([items[row] for row in structs.mismatches])
            structs.columns.replace_rows(structs.mismatches, mismatching)
        return structs.columns

    def _columns_of(self, items: Sequence[bytes]) -> dict[str, Sequence[Any]]:
        """Return the columns of a chunk; raise `RecursionError` if an item is nested too deep to be encoded."""
        events = self._read_events(items)
        attributes = events.attributes
        self._suspect(events.unreadable)
        if attributes["specversion"].count(SPECVERSION) != len(items):
            self._suspect(row for row, version in enumerate(attributes["specversion"]) if version != SPECVERSION)
        times = self._times(attributes["time"])
        columns: dict[str, Sequence[Any]] = {name: attributes[name] for name in ("id", "source", "type")}
        columns |= _data_columns(events)
        columns |= self._quantities(events, columns)
        columns["time"] = times
        columns["subject"] = self._customers(events)
        columns["properties"] = events.properties
        columns["extensions"] = [sorted_json(rest) if rest else None for rest in events.extensions]
        for name in ("properties", "extensions"):
            self._suspect(_maybe_deep(columns[name]))
        columns["content"] = self._digests(events, times, items)
        return columns

    def _quantities(self, events: EventColumns, columns: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
        """The columns of tokens and quantities, of which few rows need more than the tokens that they name."""
        rows = _rows_of_quantities(events, columns, self._context.own_units)
        found: dict[str, list[Any]] = {name: [None] * len(columns["type"]) for name in QUANTITIES.names}
        if rows:
            found |= {name: list(columns[name]) for name in TOKEN_COLUMNS}
        for row in rows:
            data = events.data_of(row)
            try:
                quantities = request_quantities(data, self._context.read_usage, self._context.own_units)
            except InvalidInput:
                self._suspect([row])
                continue
            values = quantity_values(data, quantities)
            warnings = warnings_of(self._first + row, data, quantities.unread, self._context.own_units)
            if warnings:
                self.warnings[self._first + row] = warnings
            for name, value in values.items():
                found[name][row] = value
        return {**found}

    def _times(self, texts: Sequence[Any]) -> list[int]:
        times, bad_times = instants_of(texts, self._context.recorded_us, self._context.until_us)
        self._suspect(bad_times)
        if self._arrivals_us is None or None not in texts:
            return times
        arrivals_us = self._arrivals_us[self._first : self._first + len(texts)]
        untimed = [row for row, text in enumerate(texts) if text is None and arrivals_us[row] is not None]
        for row in untimed:
            times[row] = arrivals_us[row] or 0
        self._suspect(row for row in untimed if not self._context.is_arrival_in_range(times[row]))
        return times

    def _digests(self, events: EventColumns, times: Sequence[int | None], items: Sequence[bytes]) -> list[int]:
        seed = self._context.hash_seed
        digests = content_digests(seed, _canonical_parts(events, times))
        for row in events.noncanonical:
            if self._first + row not in self.suspects:
                digests[row] = content_digest(seed, items[row])
        return digests

    def _customers(self, events: EventColumns) -> Sequence[Any]:
        subjects = events.attributes["subject"]
        if None not in subjects:
            return subjects
        headers = self._headers[self._first : self._first + len(subjects)]
        found = list(subjects)
        for row, subject in enumerate(subjects):
            if subject is None:
                found[row] = headers[row]
                for member in CUSTOMER_MEMBERS:
                    if found[row] is None:
                        found[row] = events.members[member][row]
        return found


def _canonical_parts(events: EventColumns, times: Sequence[int | None]) -> Iterable[CanonicalParts]:
    attributes = events.attributes
    if None in attributes["time"]:
        times = [None if text is None else time for text, time in zip(attributes["time"], times, strict=True)]
    extensions = [canonical_extensions(rest) if rest else None for rest in events.extensions]
    named = (attributes["source"], attributes["id"], attributes["type"], attributes["subject"])
    return zip(*named, times, extensions, events.contents, strict=True)


def _data_columns(events: EventColumns) -> dict[str, Sequence[Any]]:
    """The members of data that have columns; those of requests are empty for events of other types."""
    types, columns = events.attributes["type"], dict(events.members)
    if types.count(REQUEST_TYPE) != len(types) or None in columns["status"]:
        columns["status"] = [
            None if kind != REQUEST_TYPE else STATUS_DEFAULT if status is None else status
            for status, kind in zip(columns["status"], types, strict=True)
        ]
    return columns


def _rows_of_quantities(
    events: EventColumns, columns: Mapping[str, Sequence[Any]], own_units: frozenset[str]
) -> list[int]:
    """Requests that name other members of quantities, or that may have told nothing of what they used."""
    rows = set(events.quantity_rows)
    if own_units:
        rows.update(rows_naming(own_units, events.properties))
    if not any(all(columns[name]) for name in TOKEN_COLUMNS):
        named = zip(*(columns[name] for name in (*TOKEN_COLUMNS, "cost_usd")), strict=True)
        rows.update(row for row, (*tokens, cost) in enumerate(named) if cost is None and not any(tokens))
    types = columns["type"]
    return sorted(row for row in rows if types[row] == REQUEST_TYPE)


def _maybe_deep(texts: Sequence[bytes | None]) -> list[int]:
    """Rows whose JSON text has enough brackets to be nested too deep."""
    present = [text for text in texts if text is not None]
    # One count over all texts together usually shows that none of them can be.
    if _brackets(b"".join(present)) - len(present) < _BRACKETS_MIN - 1:
        return []
    return [row for row, text in enumerate(texts) if text is not None and _brackets(text) >= _BRACKETS_MIN]


def _brackets(text: bytes) -> int:
    return text.count(b"{") + text.count(b"[")
