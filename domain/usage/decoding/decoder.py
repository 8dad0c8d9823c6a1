"""Decode received bytes into the columns of a usage block: every item becomes an accepted or a rejected row.

`decode_body` takes one request, `decode_items` the items of several. Rows are in order of arrival. If a JSON object
has a member twice the last one counts, as in every common JSON reader.

Few items are decoded row by row. Many are decoded by columns:

1. Read all items into columns, and mark every row that cannot be read plainly as a suspect.
2. Decode each suspect by itself and put its values into the columns.
3. Check whole columns. Rows that break a rule are suspects too: repeat 2 and 3 for them once.
4. Build the two record batches, in which a suspect that broke a rule by itself as well is a rejected row.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.scope import Scope
from domain.usage.block_schema import FREE, INSTANT, NAME, QUANTITIES, TOKEN_COLUMNS, TYPED, UNITS
from domain.usage.canonical_form import identity_hashes
from domain.usage.decoding.column_reader import ColumnReader
from domain.usage.decoding.member_warnings import WARNINGS_MAX, MemberWarning
from domain.usage.decoding.quantity_columns import units_array
from domain.usage.decoding.single_event import (
    EVENT_BYTES_MAX,
    ROW_BY_ROW_EVENTS_MAX,
    Row,
    RowContext,
    batches_of,
    decode_event,
    decode_rows,
)
from domain.usage.decoding.vectorized_rules import (
    Checked,
    coded_ids_of,
    coded_names_of,
    coded_statuses_of,
    costs_of,
    durations_of,
    ids_of,
    tags_of,
    tokens_of,
)
from domain.usage.quantity_rules import NO_UNITS, UsageReader
from domain.usage.request_bodies import format_of, items_of
from domain.usage.rules import FUTURE_TOLERANCE, SUBSCRIPTION_SOURCE
from domain.values.instants import epoch_microseconds


class ItemRun(msgspec.Struct, frozen=True):
    """The items of one request. `customer` is the customer header of intake; `group` names the request if that matters.

    A source that knows more about each item gives lists with a value for each: `customers` instead of `customer`, and
    `arrivals_us`, the time of events that have none, in microseconds since 1970 (None: the time of recording).
    """

    items: Sequence[bytes]
    customer: str | None = None
    group: str | None = None
    atomic: bool = False
    customers: Sequence[str | None] | None = None
    arrivals_us: Sequence[int | None] | None = None

    def headers(self) -> Sequence[str | None]:
        """The customer header of each item."""
        return [self.customer] * len(self.items) if self.customers is None else self.customers


class DecodingContext(msgspec.Struct, frozen=True):
    """The settings and the clock that apply to every item of one call."""

    scope: Scope
    hash_seed: int
    recorded_at: datetime
    future_tolerance: timedelta = FUTURE_TOLERANCE
    event_bytes_max: int = EVENT_BYTES_MAX
    read_usage: UsageReader | None = None
    own_units: frozenset[str] = NO_UNITS

    def recorded(self, at: datetime) -> DecodingContext:
        """The same for another instant of recording."""
        return msgspec.structs.replace(self, recorded_at=at)

    def row_context(self) -> RowContext:
        """The same for decoding rows, with instants as microseconds."""
        recorded_us = epoch_microseconds(self.recorded_at)
        until_us = recorded_us + self.future_tolerance // timedelta(microseconds=1)
        return RowContext(self.hash_seed, recorded_us, until_us, self.event_bytes_max, self.read_usage, self.own_units)


class DecodedEvents(msgspec.Struct, frozen=True):
    """One row per received item in both batches: `typed` by the schema `TYPED`, `free` by `FREE`."""

    typed: pa.RecordBatch
    free: pa.RecordBatch
    rejected_rows: list[int]  # ascending
    warnings: tuple[MemberWarning, ...] = ()  # ascending by row, at most `WARNINGS_MAX`

    @property
    def received(self) -> int:
        """The number of items."""
        rows: int = self.typed.num_rows
        return rows

    @property
    def rejected(self) -> int:
        """The number of rejected rows."""
        return len(self.rejected_rows)


def decode_body(
    content_type: str,
    body: bytes,
    context: DecodingContext,
    customer: str | None = None,
    group: str | None = None,
    atomic: bool = False,
) -> DecodedEvents:
    """Decode one request. Bad items become rejected rows; only an unsupported media type raises `InvalidInput`."""
    return decode_items([ItemRun(items_of(format_of(content_type), body), customer, group, atomic)], context)


def decode_items(runs: Sequence[ItemRun], context: DecodingContext) -> DecodedEvents:
    """Decode the items of several requests into one pair of batches, in order."""
    items = [item for run in runs for item in run.items]
    headers = [header for run in runs for header in run.headers()]
    arrivals_us = _arrivals(runs)
    row_context = context.row_context()
    if len(items) <= ROW_BY_ROW_EVENTS_MAX:
        return _decoded_from_rows(runs, decode_rows(items, headers, arrivals_us, row_context, context.scope))
    has_arrivals = any(run.arrivals_us is not None for run in runs)
    reader = ColumnReader(headers, row_context, arrivals_us if has_arrivals else None)
    reader.read(items)
    decoded: dict[int, dict[str, Any]] = {}
    for _ in range(_PASSES):
        for row in sorted(reader.suspects.difference(decoded)):
            decoded[row] = decode_event(items[row], headers[row], row_context, arrivals_us[row])
            reader.set_row(row, decoded[row])
        arrays, found = _arrays_of(reader.columns)
        reader.suspects.update(found)
        if decoded.keys() >= reader.suspects:
            break
    rejected = {row: values for row, values in sorted(decoded.items()) if values["reason"] is not None}
    decoded_events = _batches(runs, arrays, reader.columns, rejected, context)
    warnings = [one for _, of_row in sorted(reader.warnings.items()) for one in of_row]
    return msgspec.structs.replace(decoded_events, warnings=tuple(warnings[:WARNINGS_MAX]))


def _arrivals(runs: Sequence[ItemRun]) -> list[int | None]:
    """The arrival of each item; None if its source does not know it."""
    arrivals_us: list[int | None] = []
    for run in runs:
        arrivals_us += [None] * len(run.items) if run.arrivals_us is None else run.arrivals_us
    return arrivals_us


def _decoded_from_rows(runs: Sequence[ItemRun], rows: list[Row]) -> DecodedEvents:
    run_of_row = [run for run in runs for _ in run.items]
    for row, run in zip(rows, run_of_row, strict=True):
        row |= {"group": run.group, "atomic": run.atomic}
    rejected_rows = [index for index, row in enumerate(rows) if row["reason"] is not None]
    warnings = [msgspec.structs.replace(one, row=index) for index, row in enumerate(rows) for one in row["warnings"]]
    return DecodedEvents(*batches_of(rows), rejected_rows, tuple(warnings[:WARNINGS_MAX]))


#: The first check of columns follows the suspects of reading, the second one the suspects of the first.
_PASSES: Final = 2
_FREE_TEXTS: Final = ("properties", "extensions")


def _arrays_of(columns: dict[str, list[Any]]) -> tuple[dict[str, pa.Array], set[int]]:
    """Each column as an array, and the rows with a value that breaks a rule."""
    checked: dict[str, Checked] = {
        "id": ids_of(columns["id"], required=True),
        "provider": coded_names_of(columns["provider"], "provider"),
        "model": coded_names_of(columns["model"], "model"),
        "status": coded_statuses_of(columns["status"]),
        "cost_usd": costs_of(columns["cost_usd"]),
        "subscription": coded_ids_of(columns["subscription"], required=False),
        "parent_request": ids_of(columns["parent_request"], required=False),
        "hold_id": ids_of(columns["hold_id"], required=False),
        "latency_us": durations_of(columns["latency_ms"], "latency_ms"),
        "ttft_us": durations_of(columns["ttft_ms"], "ttft_ms"),
        "tags": tags_of(columns["tags"]),
    }
    for name in ("source", "type", "subject"):
        checked[name] = coded_ids_of(columns[name], required=True)
    suspects = {row for _, rows in checked.values() for row in rows}
    arrays = {name: array for name, (array, _) in checked.items()}
    suspects.update(_rows_of_subscriptions(arrays["source"]))
    tokens = {name: tokens_of(columns[name], name) for name in TOKEN_COLUMNS}
    for name, (counts, rows) in tokens.items():
        arrays[name] = pa.array(counts)
        suspects.update(rows)
    given, cached, written, answered, reasoning = (counts for counts, _ in tokens.values())
    exceeding = (cached + written > given) | (reasoning > answered)
    if exceeding.any():
        suspects.update(np.flatnonzero(exceeding).tolist())
    return arrays | _quantity_arrays(columns), suspects


def _rows_of_subscriptions(sources: pa.DictionaryArray) -> list[int]:
    """The rows that may have the customer of their subscription, by their source."""
    codes = [
        code
        for code, source in enumerate(sources.dictionary.to_pylist())
        if source is not None and source.startswith(SUBSCRIPTION_SOURCE)
    ]
    if not codes:
        return []
    return np.flatnonzero(np.isin(sources.indices.fill_null(-1).to_numpy(), codes)).tolist()


def _quantity_arrays(columns: dict[str, list[Any]]) -> dict[str, pa.Array]:
    """The columns `QUANTITIES`, whose values were checked when they were read."""
    arrays: dict[str, pa.Array] = {}
    for field in QUANTITIES:
        values = columns[field.name]
        if values.count(None) == len(values):
            arrays[field.name] = pa.nulls(len(values), field.type)
        else:
            arrays[field.name] = units_array(values) if field.type == UNITS else pa.array(values, field.type)
    return arrays


def _batches(
    runs: Sequence[ItemRun],
    arrays: dict[str, pa.Array],
    columns: dict[str, list[Any]],
    rejected: dict[int, dict[str, Any]],
    context: DecodingContext,
) -> DecodedEvents:
    count = len(columns["id"])
    identities = identity_hashes(context.hash_seed, context.scope, columns["source"], columns["id"])
    arrays["identity"] = pa.array(np.array(identities, dtype=np.uint64))
    arrays["content"] = pa.array(np.array(columns["content"], dtype=np.uint64))
    arrays["time"] = pa.array(np.array([time or 0 for time in columns["time"]], dtype=np.int64)).cast(INSTANT)
    if rejected:
        accepted = np.ones(count, dtype=bool)
        accepted[list(rejected)] = False
        for name in ("identity", "time", *TOKEN_COLUMNS):
            arrays[name] = pc.if_else(pa.array(accepted), arrays[name], None)
    arrays["group"] = _repeated([run.group for run in runs], runs).dictionary_encode().cast(NAME)
    arrays["atomic"] = _repeated([run.atomic for run in runs], runs)
    arrays["reason"] = _sparse(count, rejected, "reason", pa.utf8()).dictionary_encode()
    for name in ("raw", "detail"):
        arrays[name] = _sparse(count, rejected, name, FREE.field(name).type)
    for name in _FREE_TEXTS:
        arrays[name] = pa.array(columns[name], pa.utf8())
    return DecodedEvents(
        pa.RecordBatch.from_arrays([arrays[name] for name in TYPED.names], schema=TYPED),
        pa.RecordBatch.from_arrays([arrays[name] for name in FREE.names], schema=FREE),
        list(rejected),
    )


def _repeated(values: list[Any], runs: Sequence[ItemRun]) -> pa.Array:
    """The value of each run on each of its rows."""
    arrow_type = pa.bool_() if values and isinstance(values[0], bool) else pa.utf8()
    rows = np.repeat(np.arange(len(runs)), [len(run.items) for run in runs])
    return pa.array(values, arrow_type).take(pa.array(rows))


def _sparse(count: int, rejected: dict[int, dict[str, Any]], name: str, arrow_type: pa.DataType) -> pa.Array:
    """A column that only rejected rows have values in."""
    if not rejected:
        return pa.nulls(count, arrow_type)
    values: list[Any] = [None] * count
    for row, columns in rejected.items():
        values[row] = columns[name]
    return pa.array(values, arrow_type)
