"""Decode one received event at a time, with every rule applied to it in order.

The decoder uses this for few events, and for those that it cannot decode by columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import Any, Final

import msgspec
import pyarrow as pa

from domain.errors import InvalidInput
from domain.scope import Scope
from domain.usage.block_schema import FREE, REQUEST_TYPE, TOKEN_COLUMNS, TYPED, UNITS
from domain.usage.canonical_form import CORE_ATTRIBUTES, content_digest, identity_hash, raw_digest
from domain.usage.decoding.member_warnings import warnings_of
from domain.usage.decoding.quantity_columns import NOTHING_ELSE, quantity_values, units_array
from domain.usage.quantity_rules import NO_UNITS, UsageReader, request_quantities
from domain.usage.rules import (
    TIME_FIRST,
    check_customer_of_subscription,
    check_nesting,
    checked_data,
    checked_specversion,
    cost_of,
    customer_of,
    duration_microseconds,
    instant_microseconds,
    name_of,
    optional_id,
    required_id,
    status_of,
    tags_of,
    time_in_range,
    too_deep,
)
from domain.values.identifiers import id_problem
from domain.values.instants import epoch_microseconds
from domain.values.json_numbers import not_json_reason, number_keeping_decoder

EVENT_BYTES_MAX: Final = 1024 * 1024
RAW_KEPT_BYTES_MAX: Final = 64 * 1024
DETAIL_LENGTH_MAX: Final = 500

DURATION_MEMBERS: Final = ("latency_ms", "ttft_ms")
REFERENCE_MEMBERS: Final = ("subscription", "parent_request", "hold_id")
#: Members of data that are columns whatever the type of the event.
COMMON_MEMBERS: Final = ("provider", "model", "cost_usd", *REFERENCE_MEMBERS, "tags")
#: Members of data that are columns in an `llm.request` and properties in everything else.
REQUEST_MEMBERS: Final = ("status", *TOKEN_COLUMNS, *DURATION_MEMBERS)

Row = dict[str, Any]
_TIME_FIRST_US: Final = epoch_microseconds(TIME_FIRST)
_decode: Final = number_keeping_decoder().decode
_encoder: Final = msgspec.json.Encoder(order="deterministic")
#: The JSON text of values without a column; objects have sorted names, at every depth.
sorted_json: Final = _encoder.encode
#: The same for many objects, one on each line.
sorted_json_lines: Final = _encoder.encode_lines


class RowContext(msgspec.Struct, frozen=True):
    """What intake knows about every event of one call; instants are microseconds since 1970."""

    hash_seed: int
    recorded_us: int
    until_us: int  # the first instant too far in the future
    event_bytes_max: int = EVENT_BYTES_MAX
    read_usage: UsageReader | None = None
    own_units: frozenset[str] = NO_UNITS

    def arrival_in_range(self, arrival_us: int) -> int:
        """The arrival itself, as the time of an event without one; `InvalidInput` if it is out of range."""
        return time_in_range(arrival_us, self.arrivals_until_us)

    def is_arrival_in_range(self, arrival_us: int) -> bool:
        """Whether `arrival_in_range` accepts this arrival."""
        return _TIME_FIRST_US <= arrival_us < self.arrivals_until_us

    @property
    def arrivals_until_us(self) -> int:
        """The first instant too late for an arrival, which may be now even if no future time is tolerated."""
        return max(self.until_us, self.recorded_us + 1)


def decode_event(raw: bytes, header: str | None, context: RowContext, arrival_us: int | None = None) -> Row:
    """Return the values of one received event by column: an accepted row, or a rejected one with `reason` set.

    `arrival_us` is its arrival by its source; None: the time of recording.
    """
    try:
        if len(raw) > context.event_bytes_max:
            raise InvalidInput("event", f"must be at most {context.event_bytes_max} bytes", "event_too_large")
        row = accepted_row(read_event(raw), header, context, arrival_us)
        return row | {"content": content_digest(context.hash_seed, raw)}
    except InvalidInput as problem:
        return rejected_row(raw, problem, context)


def read_event(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in `raw`, its numbers as text.

    `InvalidInput` with reason not_json, not_an_object, or data_invalid for one nested too deep.
    """
    try:
        event = _decode(raw)
    except RecursionError as error:
        raise too_deep() from error
    except ValueError as error:
        raise InvalidInput("event", f"must be JSON: {not_json_reason(error, raw)}", "not_json") from error
    if not isinstance(event, dict):
        raise InvalidInput("event", "must be a JSON object", "not_an_object")
    check_nesting(event)
    return event


def accepted_row(event: dict[str, Any], header: str | None, context: RowContext, arrival_us: int | None = None) -> Row:
    """Return the column values of a valid event; raise `InvalidInput` for the first rule that it breaks."""
    get = event.get
    checked_specversion(get("specversion"))
    row: Row = {"reason": None, "raw": None, "detail": None}
    row["id"] = required_id("id", get("id"))
    row["source"] = required_id("source", get("source"))
    row["type"] = required_id("type", get("type"))
    data = checked_data(get("data"), get("data_base64") is not None)
    optional_id("subject", get("subject"), "subject_invalid")
    row["time"] = _time_of(get("time"), context, arrival_us)
    is_request = row["type"] == REQUEST_TYPE
    known = data if is_request else _readable(data)
    row |= _common_columns(known) | _request_columns(data if is_request else {}, is_request, context)
    of_subscription = check_customer_of_subscription(row["source"], row["subscription"], get("subject"))
    row["subject"] = None if of_subscription else customer_of(get("subject"), header, data)
    columns = COMMON_MEMBERS + REQUEST_MEMBERS if is_request else tuple(known)
    row["properties"] = _rest(data, columns)
    row["extensions"] = _rest(event, CORE_ATTRIBUTES)
    return row


def _time_of(time: object, context: RowContext, arrival_us: int | None) -> int:
    if time is not None:
        return time_in_range(instant_microseconds(time), context.until_us)
    return context.recorded_us if arrival_us is None else context.arrival_in_range(arrival_us)


def _readable(data: dict[str, Any]) -> dict[str, Any]:
    """The common members of another type's data that are valid as columns; the rest stay properties, unchecked."""
    readable: dict[str, Any] = {}
    for name in COMMON_MEMBERS:
        if name in data:
            try:
                _common_columns({name: data[name]})
            except InvalidInput:
                continue
            readable[name] = data[name]
    return readable


def _common_columns(data: dict[str, Any]) -> Row:
    references = {name: optional_id(f"data.{name}", data.get(name), "data_invalid") for name in REFERENCE_MEMBERS}
    cost = cost_of(data.get("cost_usd"))
    return references | {
        "provider": name_of("provider", data.get("provider")),
        "model": name_of("model", data.get("model")),
        "cost_usd": None if cost is None else f"{cost:f}",
        "tags": tags_of(data.get("tags")),
    }


def _request_columns(data: dict[str, Any], is_request: bool, context: RowContext) -> Row:
    row: Row = {name: _milliseconds(duration_microseconds(name, data.get(name))) for name in DURATION_MEMBERS}
    row["status"] = status_of(data.get("status")) if is_request else None
    quantities = request_quantities(data, context.read_usage, context.own_units)
    row["warnings"] = warnings_of(0, data, quantities.unread, context.own_units)
    return row | quantity_values(data, quantities)


def _milliseconds(microseconds: int | None) -> msgspec.Raw | None:
    """A duration in the form that columns are read from: JSON text in milliseconds, cut off at the microsecond."""
    if microseconds is None:
        return None
    whole, below = divmod(microseconds, 1_000)
    return msgspec.Raw(f"{whole}.{below:03}")


def _rest(members: dict[str, Any], without: tuple[str, ...]) -> bytes | None:
    rest = {name: value for name, value in members.items() if name not in without}
    return sorted_json(rest) if rest else None


class _ReadableAttributes(msgspec.Struct):
    """The attributes by which a rejected event can still be found."""

    id: Any = None
    source: Any = None
    type: Any = None
    subject: Any = None


_read_attributes: Final = msgspec.json.Decoder(_ReadableAttributes).decode


def rejected_row(raw: bytes, problem: InvalidInput, context: RowContext) -> Row:
    """Return the column values of an event that is rejected for `problem`."""
    row: Row = dict.fromkeys((*COMMON_MEMBERS, *DURATION_MEMBERS, "status", "time", "properties", "extensions"))
    row |= dict.fromkeys(TOKEN_COLUMNS, 0) | NOTHING_ELSE | {"warnings": []}
    try:
        attributes = _read_attributes(raw)
    except (ValueError, RecursionError):
        attributes = _ReadableAttributes()
    for name in ("id", "source", "type", "subject"):
        value = getattr(attributes, name)
        row[name] = value if isinstance(value, str) and id_problem(value) is None else None
    row["content"] = raw_digest(context.hash_seed, raw)
    row["reason"] = problem.code
    row["detail"] = str(problem)[:DETAIL_LENGTH_MAX]
    row["raw"] = raw[:RAW_KEPT_BYTES_MAX]
    return row


#: Up to this many events, decoding row by row is faster than by columns.
ROW_BY_ROW_EVENTS_MAX: Final = 12


def decode_rows(
    items: Sequence[bytes],
    headers: Sequence[str | None],
    arrivals_us: Sequence[int | None],
    context: RowContext,
    scope: Scope,
) -> list[Row]:
    """Decode each item into a row of `TYPED` and `FREE`, without `group` and `atomic`."""
    received = zip(items, headers, arrivals_us, strict=True)
    return [
        completed_row(decode_event(item, header, context, arrival_us), context, scope)
        for item, header, arrival_us in received
    ]


def completed_row(row: Row, context: RowContext, scope: Scope) -> Row:
    """Complete the values of a decoded event to a row of `TYPED` and `FREE`, without `group` and `atomic`."""
    accepted = row["reason"] is None
    row["identity"] = identity_hash(context.hash_seed, scope, row["source"], row["id"]) if accepted else None
    row["cost_usd"] = None if row["cost_usd"] is None else Decimal(row["cost_usd"])
    for member, column in zip(DURATION_MEMBERS, ("latency_us", "ttft_us"), strict=True):
        row[column] = duration_microseconds(member, row[member])
    if not accepted:
        row |= dict.fromkeys(TOKEN_COLUMNS)
    return row


def batches_of(rows: Sequence[Row]) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Build one batch by `TYPED` and one by `FREE` from complete rows."""
    return _batch_of(rows, TYPED), _batch_of(rows, FREE)


def _batch_of(rows: Sequence[Row], schema: pa.Schema) -> pa.RecordBatch:
    columns = [_column([row[field.name] for row in rows], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _column(values: list[Any], arrow_type: pa.DataType) -> pa.Array:
    if values.count(None) == len(values):
        return _nulls(len(values), arrow_type)
    return units_array(values) if arrow_type == UNITS else pa.array(values, arrow_type)


_nulls: Final = cache(pa.nulls)  # called with few counts and few types
