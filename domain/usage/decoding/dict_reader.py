"""What a run of events sent, as columns, without judging any value; and the dictionary way to read them.

The dictionary way reads every event. Texts of JSON objects have sorted names, as in canonical form.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any, Final

import msgspec
from msgspec import Raw

from domain.usage.block_schema import REQUEST_TYPE, TOKEN_COLUMNS
from domain.usage.canonical_form import CORE_ATTRIBUTES
from domain.usage.decoding.single_event import COMMON_MEMBERS, REQUEST_MEMBERS, sorted_json
from domain.usage.rules import CUSTOMER_MEMBERS
from domain.values.json_numbers import is_canonical, number_keeping_decoder

ATTRIBUTES: Final = tuple(name for name in CORE_ATTRIBUTES if name != "data")
#: What members of data are taken as where they were not sent; for any other it is None.
ABSENT_MEMBERS: Final = dict.fromkeys(TOKEN_COLUMNS, 0)

Column = Sequence[Any]
_get: Final = dict.get
_pop: Final = dict.pop


class SentEvents(msgspec.Struct):
    """Columns of what was sent. All have one value for each item."""

    attributes: dict[str, Column]  # `ATTRIBUTES`; None where absent
    members: dict[str, Column]  # those of data that have columns; `CUSTOMER_MEMBERS` too if a subject is absent
    contents: Column  # data, in a form whose canonical text is right
    properties: Sequence[bytes | None]
    extensions: Sequence[dict[str, Any] | None]
    respelled: list[int]  # rows that spell a number in a way that is not the canonical one
    unreadable: list[int]  # rows that are no event, or one that only the exact way can read

    def put(self, rows: Sequence[int], others: SentEvents) -> None:
        """Put other events, one for each of these rows, in their places."""
        for name, column in self.attributes.items():
            self.attributes[name] = _replaced(column, rows, others.attributes[name])
        nothing, of_others_nothing = [None] * len(self.contents), [None] * len(rows)
        for name in self.members | others.members:
            mine = self.members.get(name, nothing)
            self.members[name] = _replaced(mine, rows, others.members.get(name, of_others_nothing))
        self.contents = _replaced(self.contents, rows, others.contents)
        self.properties = _replaced(self.properties, rows, others.properties)
        self.extensions = _replaced(self.extensions, rows, others.extensions)
        self.respelled += [rows[place] for place in others.respelled]
        self.unreadable += [rows[place] for place in others.unreadable]


def _replaced(column: Column, rows: Sequence[int], values: Column) -> list[Any]:
    replaced = list(column)
    for row, value in zip(rows, values, strict=True):
        replaced[row] = value
    return replaced


class DictionaryReader:
    """Reads each item into dictionaries, whatever its names."""

    def __init__(self) -> None:
        self._respelled_texts: list[str] = []
        self._decode = number_keeping_decoder(self._number).decode

    def read(self, items: Sequence[bytes]) -> SentEvents:
        """Read items; `RecursionError` when one is nested deeper than can be written."""
        respelled: list[int] = []
        unreadable: list[int] = []
        events = self._events(items, respelled, unreadable)
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
        return SentEvents({**attributes}, {**members}, contents, properties, extensions, respelled, unreadable)

    def _number(self, text: str) -> Raw:
        if not is_canonical(text):
            self._respelled_texts.append(text)
        return Raw(text)

    def _events(self, items: Sequence[bytes], respelled: list[int], unreadable: list[int]) -> list[dict[str, Any]]:
        decode, respelled_texts = self._decode, self._respelled_texts
        events: list[dict[str, Any]] = []
        append = events.append
        for item in items:
            try:
                append(decode(item))
            except (ValueError, RecursionError):
                append({})
                unreadable.append(len(events) - 1)
            if respelled_texts:
                respelled_texts.clear()
                respelled.append(len(events) - 1)
        if set(map(type, events)) != {dict}:
            unreadable += [row for row, event in enumerate(events) if type(event) is not dict]
            events = [event if type(event) is dict else {} for event in events]
        return events


def _taken_members(datas: list[dict[str, Any]], types: list[Any]) -> dict[str, list[Any]]:
    """Take the members that are columns out of every data object; what is left in them are properties."""
    members = {name: list(map(_pop, datas, repeat(name), repeat(None))) for name in COMMON_MEMBERS}
    requests = datas
    if types.count(REQUEST_TYPE) != len(types):
        none: dict[str, Any] = {}
        requests = [data if kind == REQUEST_TYPE else none for data, kind in zip(datas, types, strict=True)]
    for name in REQUEST_MEMBERS:
        members[name] = list(map(_pop, requests, repeat(name), repeat(ABSENT_MEMBERS.get(name))))
    return members
