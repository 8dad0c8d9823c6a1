"""Decode events whose schema was inferred, straight into columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from domain.usage.block_schema import REQUEST_TYPE
from domain.usage.decoding.dict_reader import ABSENT_MEMBERS, ATTRIBUTES, Column, EventColumns
from domain.usage.decoding.inferred_schema import DATA_MEMBERS, InferredSchema
from domain.usage.decoding.single_event import REQUEST_MEMBERS, sorted_json_lines
from domain.usage.rules import CUSTOMER_MEMBERS

#: Reading by a schema is given up when more events mismatch than this many plus this share of those read so far.
MISMATCHES_MAX: Final = 8
MISMATCHES_SHARE_MAX: Final = 0.25
_EMPTY_OBJECT: Final = b"{}"
_values: Final = msgspec.structs.astuple


class StructEvents(msgspec.Struct):
    """The columns of events, and the rows that do not match the schema: these hold the values of another row."""

    columns: EventColumns
    mismatches: list[int]


def read_structs(schema: InferredSchema, items: Sequence[bytes]) -> StructEvents | None:
    """Read items (at least one) by a schema; return None if too many of them do not match it.

    Raises `RecursionError` if an item is nested too deep to be encoded.
    """
    mismatches: list[int] = []
    events = _objects(schema, items, mismatches)
    if events is None:
        return None
    values = _columns(schema.event_names, events)
    required_names = schema.names.attributes.required
    attributes = {
        name: values[name] if name in required_names else _with_default(values[name], None) for name in ATTRIBUTES
    }
    contents = _with_default(values["data"], None)
    event_columns = EventColumns(attributes, {}, contents, [], _extensions(schema, values, len(items)), [], [], [])
    _read_data(schema, event_columns)
    return StructEvents(event_columns, mismatches)


def _objects(schema: InferredSchema, items: Sequence[bytes], mismatches: list[int]) -> list[Any] | None:
    """Decode each item into an object of the schema; an item that does not match gets the object of another one."""
    decode = schema.decode
    events: list[Any] = []
    remaining = iter(items)
    while len(events) < len(items):
        try:
            events.extend(map(decode, remaining))  # keeps those before the first mismatch
        except (ValueError, RecursionError):
            mismatches.append(len(events))
            events.append(None)
            if len(mismatches) > MISMATCHES_MAX + MISMATCHES_SHARE_MAX * len(events):
                return None
    if len(mismatches) == len(items):
        return None
    if mismatches:
        matching = next(event for event in events if event is not None)
        events = [matching if event is None else event for event in events]
    return events


def _extensions(schema: InferredSchema, values: dict[str, Column], count: int) -> list[dict[str, Any] | None]:
    names = [name for name in schema.extensions if values[name].count(UNSET) != count]
    if not names:
        return [None] * count
    rows = zip(*(values[name] for name in names), strict=True)
    if schema.names.attributes.required.issuperset(names):
        return [dict(zip(names, row, strict=True)) for row in rows]
    return [{name: value for name, value in zip(names, row, strict=True) if value is not UNSET} or None for row in rows]


def _read_data(schema: InferredSchema, event_columns: EventColumns) -> None:
    """Fill in the columns of members and properties from the column of contents."""
    datas, required_names = event_columns.contents, schema.names.members.required
    if None in datas:
        datas, required_names = [data or schema.no_data for data in datas], frozenset()
    columns = _columns(schema.data_names, datas)
    is_request = [kind == REQUEST_TYPE for kind in event_columns.attributes["type"]]
    event_columns.properties = _properties(schema, columns, is_request)
    event_columns.quantity_rows = _quantity_rows([columns[name] for name in schema.quantity_members])
    for name in DATA_MEMBERS + CUSTOMER_MEMBERS if None in event_columns.attributes["subject"] else DATA_MEMBERS:
        absent = ABSENT_MEMBERS.get(name)
        if name not in columns:
            event_columns.members[name] = [absent] * len(datas)
            continue
        column = columns[name] if name in required_names else _with_default(columns[name], absent)
        if name in REQUEST_MEMBERS and not all(is_request):
            column = [value if request else absent for value, request in zip(column, is_request, strict=True)]
        event_columns.members[name] = column


def _quantity_rows(columns: Sequence[Column]) -> list[int]:
    """The rows with a value in one of these columns."""
    if not columns:
        return []
    return [row for row, values in enumerate(zip(*columns, strict=True)) if any(one is not UNSET for one in values)]


def _properties(schema: InferredSchema, columns: dict[str, Column], is_request: list[bool]) -> list[bytes | None]:
    """The members of each event that have no column, as JSON text; events of other types have more of them."""
    if all(is_request):
        return _texts(schema.property_class, [columns[name] for name in schema.properties], len(is_request))
    other_property_class, other_names = schema.other_property_class, schema.other_properties
    if not any(is_request):
        return _texts(other_property_class, [columns[name] for name in other_names], len(is_request))
    is_other = [not request for request in is_request]
    request_columns = [list(compress(columns[name], is_request)) for name in schema.properties]
    other_columns = [list(compress(columns[name], is_other)) for name in other_names]
    request_texts = iter(_texts(schema.property_class, request_columns, is_request.count(True)))
    other_texts = iter(_texts(other_property_class, other_columns, is_request.count(False)))
    return [next(request_texts if request else other_texts) for request in is_request]


def _texts(object_class: type[msgspec.Struct], columns: Sequence[Column], count: int) -> list[bytes | None]:
    """Encode each row of values as an object of this class; None where all values are UNSET."""
    texts: list[bytes | None] = [None] * count
    if columns:
        texts[:] = sorted_json_lines(list(map(object_class, *columns))).split(b"\n")[:-1]
    return [None if text == _EMPTY_OBJECT else text for text in texts] if _EMPTY_OBJECT in texts else texts


def _with_default(column: Column, absent: Any) -> Column:
    """The column with `absent` in place of UNSET."""
    if UnsetType not in set(map(type, column)):
        return column
    if column.count(UNSET) == len(column):
        return [absent] * len(column)
    return [absent if value is UNSET else value for value in column]


def _columns(names: Sequence[str], objects: Sequence[msgspec.Struct]) -> dict[str, Column]:
    """A column for each field of these objects (at least one), which are all of one class."""
    return dict(zip(names, zip(*map(_values, objects), strict=True), strict=True))
