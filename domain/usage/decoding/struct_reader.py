"""The shape way to read events: those that fit a shape fill its slots, and its slots are columns at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from domain.usage.block_schema import REQUEST_TYPE
from domain.usage.decoding.dict_reader import ABSENT_MEMBERS, ATTRIBUTES, Column, SentEvents
from domain.usage.decoding.inferred_schema import DATA_MEMBERS, InferredSchema
from domain.usage.decoding.single_event import REQUEST_MEMBERS, sorted_json_lines
from domain.usage.rules import CUSTOMER_MEMBERS

#: Of a run so many events need not fit its shape, and of the rest this part.
MISFITS_MAX: Final = 8
MISFITS_PART_MAX: Final = 0.25
_NONE_SENT: Final = b"{}"
_values: Final = msgspec.structs.astuple


class StructEvents(msgspec.Struct):
    """What was sent, and the rows that do not fit the shape: they hold what another row holds."""

    sent: SentEvents
    misfits: list[int]


def fitted_events(shape: InferredSchema, items: Sequence[bytes]) -> StructEvents | None:
    """Read items, at least one, by a shape; None if too many of them do not fit it.

    `RecursionError` when one is nested deeper than can be written.
    """
    misfits: list[int] = []
    events = _objects(shape, items, misfits)
    if events is None:
        return None
    values = _columns(shape.event_names, events)
    given = shape.names.attributes.always
    attributes = {name: values[name] if name in given else _filled(values[name], None) for name in ATTRIBUTES}
    contents = _filled(values["data"], None)
    sent = SentEvents(attributes, {}, contents, [], _extensions(shape, values, len(items)), [], [])
    _read_data(shape, sent)
    return StructEvents(sent, misfits)


def _objects(shape: InferredSchema, items: Sequence[bytes], misfits: list[int]) -> list[Any] | None:
    """Each item as an object of the shape, or the object of another item where it does not fit."""
    decode = shape.decode
    events: list[Any] = []
    waiting = iter(items)
    while len(events) < len(items):
        try:
            events.extend(map(decode, waiting))  # keeps those before the first that does not fit
        except (ValueError, RecursionError):
            misfits.append(len(events))
            events.append(None)
            if len(misfits) > MISFITS_MAX + MISFITS_PART_MAX * len(events):
                return None
    if len(misfits) == len(items):
        return None
    if misfits:
        fitting = next(event for event in events if event is not None)
        events = [fitting if event is None else event for event in events]
    return events


def _extensions(shape: InferredSchema, values: dict[str, Column], count: int) -> list[dict[str, Any] | None]:
    names = [name for name in shape.extensions if values[name].count(UNSET) != count]
    if not names:
        return [None] * count
    rows = zip(*(values[name] for name in names), strict=True)
    if shape.names.attributes.always.issuperset(names):
        return [dict(zip(names, row, strict=True)) for row in rows]
    return [{name: value for name, value in zip(names, row, strict=True) if value is not UNSET} or None for row in rows]


def _read_data(shape: InferredSchema, sent: SentEvents) -> None:
    """Fill in the members and properties of what was sent from its contents."""
    datas, given = sent.contents, shape.names.members.always
    if None in datas:
        datas, given = [data or shape.no_data for data in datas], frozenset()
    columns = _columns(shape.data_names, datas)
    is_request = [kind == REQUEST_TYPE for kind in sent.attributes["type"]]
    sent.properties = _properties(shape, columns, is_request)
    for name in DATA_MEMBERS + CUSTOMER_MEMBERS if None in sent.attributes["subject"] else DATA_MEMBERS:
        absent = ABSENT_MEMBERS.get(name)
        if name not in columns:
            sent.members[name] = [absent] * len(datas)
            continue
        column = columns[name] if name in given else _filled(columns[name], absent)
        if name in REQUEST_MEMBERS and not all(is_request):
            column = [value if request else absent for value, request in zip(column, is_request, strict=True)]
        sent.members[name] = column


def _properties(shape: InferredSchema, columns: dict[str, Column], is_request: list[bool]) -> list[bytes | None]:
    """Members that have no column, of each event, as JSON text; in events of other types more members have none."""
    if all(is_request):
        return _texts(shape.property_class, [columns[name] for name in shape.properties], len(is_request))
    class_of_others, names_of_others = shape.class_of_others, shape.properties_of_others
    if not any(is_request):
        return _texts(class_of_others, [columns[name] for name in names_of_others], len(is_request))
    is_other = [not request for request in is_request]
    of_requests = [list(compress(columns[name], is_request)) for name in shape.properties]
    of_others = [list(compress(columns[name], is_other)) for name in names_of_others]
    texts_of_requests = iter(_texts(shape.property_class, of_requests, is_request.count(True)))
    texts_of_others = iter(_texts(class_of_others, of_others, is_request.count(False)))
    return [next(texts_of_requests if request else texts_of_others) for request in is_request]


def _texts(object_class: type[msgspec.Struct], columns: Sequence[Column], count: int) -> list[bytes | None]:
    """Each row of values as the text of an object of this class; None where all are UNSET."""
    texts: list[bytes | None] = [None] * count
    if columns:
        texts[:] = sorted_json_lines(list(map(object_class, *columns))).split(b"\n")[:-1]
    return [None if text == _NONE_SENT else text for text in texts] if _NONE_SENT in texts else texts


def _filled(column: Column, absent: Any) -> Column:
    """The column with `absent` where nothing was sent."""
    if UnsetType not in set(map(type, column)):
        return column
    if column.count(UNSET) == len(column):
        return [absent] * len(column)
    return [absent if value is UNSET else value for value in column]


def _columns(names: Sequence[str], objects: Sequence[msgspec.Struct]) -> dict[str, Column]:
    """A column for each field of objects that are all of one shape; there is at least one object."""
    return dict(zip(names, zip(*map(_values, objects), strict=True), strict=True))
