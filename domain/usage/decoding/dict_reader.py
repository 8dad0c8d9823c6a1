"""Decode events into dictionaries, whatever members they have, and turn those into columns.

No value is checked here. JSON objects that are kept as text have sorted names, as in canonical form.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any, Final

import msgspec
from msgspec import Raw

from domain.usage.block_schema import REQUEST_TYPE, TOKEN_COLUMNS
from domain.usage.canonical_form import CORE_ATTRIBUTES
from domain.usage.decoding.member_warnings import suspicious_names
from domain.usage.decoding.single_event import COMMON_MEMBERS, REQUEST_MEMBERS, sorted_json
from domain.usage.quantity_rules import QUANTITY_MEMBERS
from domain.usage.rules import CUSTOMER_MEMBERS
from domain.values.json_numbers import is_canonical, number_keeping_decoder

ATTRIBUTES: Final = tuple(name for name in CORE_ATTRIBUTES if name != "data")
#: The value of a member of data that was not sent; None for members not named here.
ABSENT_MEMBERS: Final = dict.fromkeys(TOKEN_COLUMNS, 0)

Column = Sequence[Any]
_get: Final = dict.get
_pop: Final = dict.pop


class EventColumns(msgspec.Struct):
    """The values that events were sent with, as columns with one value for each item."""

    attributes: dict[str, Column]  # `ATTRIBUTES`; None where absent
    members: dict[str, Column]  # those of data that have columns; `CUSTOMER_MEMBERS` too if a subject is absent
    contents: Column  # data, in a form that encodes to its canonical text
    properties: Sequence[bytes | None]
    extensions: Sequence[dict[str, Any] | None]
    noncanonical: list[int]  # rows with a number that is not in canonical spelling
    unreadable: list[int]  # rows that are no event, or one that must be decoded by itself
    quantity_rows: list[int]  # rows with a member of data that says something about quantities, or looks as if

    def data_of(self, row: int) -> dict[str, Any]:
        """The members of data of one row, as they were sent."""
        content = self.contents[row]
        if isinstance(content, msgspec.Struct):
            named = zip(content.__struct_encode_fields__, msgspec.structs.astuple(content), strict=True)
            return {name: value for name, value in named if value is not msgspec.UNSET}
        return content if isinstance(content, dict) else {}

    def replace_rows(self, rows: Sequence[int], others: EventColumns) -> None:
        """Replace these rows by other events, one for each of them."""
        for name, column in self.attributes.items():
            self.attributes[name] = _replaced(column, rows, others.attributes[name])
        absent, absent_in_others = [None] * len(self.contents), [None] * len(rows)
        for name in self.members | others.members:
            mine = self.members.get(name, absent)
            self.members[name] = _replaced(mine, rows, others.members.get(name, absent_in_others))
        self.contents = _replaced(self.contents, rows, others.contents)
        self.properties = _replaced(self.properties, rows, others.properties)
        self.extensions = _replaced(self.extensions, rows, others.extensions)
        self.noncanonical += [rows[index] for index in others.noncanonical]
        self.unreadable += [rows[index] for index in others.unreadable]
        placeholders = set(rows)
        kept = [row for row in self.quantity_rows if row not in placeholders]
        self.quantity_rows = kept + [rows[index] for index in others.quantity_rows]


def _replaced(column: Column, rows: Sequence[int], values: Column) -> list[Any]:
    replaced = list(column)
    for row, value in zip(rows, values, strict=True):
        replaced[row] = value
    return replaced


class DictReader:
    """Decodes each item into dictionaries, whatever members it has."""

    def __init__(self) -> None:
        self._noncanonical_texts: list[str] = []
        self._decode = number_keeping_decoder(self._number).decode

    def read(self, items: Sequence[bytes]) -> EventColumns:
        """Read items into columns; raise `RecursionError` if one is nested too deep to be encoded."""
        noncanonical: list[int] = []
        unreadable: list[int] = []
        events = self._events(items, noncanonical, unreadable)
        attributes = {name: list(map(_pop, events, repeat(name), repeat(None))) for name in ATTRIBUTES}
        contents = list(map(_pop, events, repeat("data"), repeat(None)))
        if set(map(type, contents)) == {dict}:
            rests = list(map(dict.copy, contents))
        else:
            unreadable += [row for row, data in enumerate(contents) if data is not None and type(data) is not dict]
            rests = [dict(data) if type(data) is dict else {} for data in contents]
        if any(events):
            unreadable += [row for row, rest in enumerate(events) if "data_base64" in rest]
        members = _taken_members(rests, attributes["type"])
        if None in attributes["subject"]:
            members |= {name: list(map(_get, rests, repeat(name))) for name in CUSTOMER_MEMBERS}
        properties = [sorted_json(rest) if rest else None for rest in rests]
        extensions = [rest or None for rest in events]
        telling = QUANTITY_MEMBERS | suspicious_names(sorted(set().union(*rests) - QUANTITY_MEMBERS))
        with_quantities = [row for row, rest in enumerate(rests) if not telling.isdisjoint(rest)]
        return EventColumns(
            {**attributes}, {**members}, contents, properties, extensions, noncanonical, unreadable, with_quantities
        )

    def _number(self, text: str) -> Raw:
        if not is_canonical(text):
            self._noncanonical_texts.append(text)
        return Raw(text)

    def _events(self, items: Sequence[bytes], noncanonical: list[int], unreadable: list[int]) -> list[dict[str, Any]]:
        decode, noncanonical_texts = self._decode, self._noncanonical_texts
        events: list[dict[str, Any]] = []
        append = events.append
        for item in items:
            try:
                append(decode(item))
            except (ValueError, RecursionError):
                append({})
                unreadable.append(len(events) - 1)
            if noncanonical_texts:
                noncanonical_texts.clear()
                noncanonical.append(len(events) - 1)
        if set(map(type, events)) != {dict}:
            unreadable += [row for row, event in enumerate(events) if type(event) is not dict]
            events = [event if type(event) is dict else {} for event in events]
        return events


def _taken_members(datas: list[dict[str, Any]], types: list[Any]) -> dict[str, list[Any]]:
    """Remove the members that have columns from every data object; what is left in it are properties."""
    members = {name: list(map(_pop, datas, repeat(name), repeat(None))) for name in COMMON_MEMBERS}
    requests = datas
    if types.count(REQUEST_TYPE) != len(types):
        none: dict[str, Any] = {}
        requests = [data if kind == REQUEST_TYPE else none for data, kind in zip(datas, types, strict=True)]
    for name in REQUEST_MEMBERS:
        members[name] = list(map(_pop, requests, repeat(name), repeat(ABSENT_MEMBERS.get(name))))
    return members
