"""From received bytes to the columns of a usage block: every item becomes an accepted row or a rejected one.

`decode_body` takes one request, `decode_items` a run of items from several. Rows are in order of arrival.
Where a JSON object names a member twice the last one counts, as in every common JSON reader.
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
from domain.usage.block_schema import FREE, INSTANT, NAME, TOKEN_COLUMNS, TYPED
from domain.usage.canonical_form import identity_hashes
from domain.usage.decoding.column_reader import ReadEvents
from domain.usage.decoding.single_event import (
    EVENT_BYTES_MAX,
    FEW_EVENTS,
    Row,
    RowContext,
    batches_of,
    decode_event,
    decode_few,
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
from domain.usage.request_bodies import format_of, items_of
from domain.usage.rules import FUTURE_TOLERANCE
from domain.values.instants import epoch_microseconds


class ItemRun(msgspec.Struct, frozen=True):
    """Items of one request. `customer` is the intake's header; `group` names the request where that matters.

    A source that tells more of each item gives lists with a value for each: `customers` instead of `customer`, and
    `arrivals_us`, microseconds since 1970, the time of events without one (None: when they are recorded).
    """

    items: Sequence[bytes]
    customer: str | None = None
    group: str | None = None
    atomic: bool = False
    customers: Sequence[str | None] | None = None
    arrivals_us: Sequence[int | None] | None = None

    def headers(self) -> Sequence[str | None]:
        """The customer that each item has beside its own bytes."""
        return [self.customer] * len(self.items) if self.customers is None else self.customers


class DecodingContext(msgspec.Struct, frozen=True):
    """What holds for every item of one step."""

    scope: Scope
    hash_seed: int
    recorded_at: datetime
    future_tolerance: timedelta = FUTURE_TOLERANCE
    event_bytes_max: int = EVENT_BYTES_MAX

    def row_facts(self) -> RowContext:
        recorded_us = epoch_microseconds(self.recorded_at)
        until_us = recorded_us + self.future_tolerance // timedelta(microseconds=1)
        return RowContext(self.hash_seed, recorded_us, until_us, self.event_bytes_max)


class DecodedEvents(msgspec.Struct, frozen=True):
    """One row per received item in both batches: `typed` by `usage_columns.TYPED`, `free` by `usage_columns.FREE`."""

    typed: pa.RecordBatch
    free: pa.RecordBatch
    rejected_rows: list[int]  # ascending

    @property
    def received(self) -> int:
        rows: int = self.typed.num_rows
        return rows

    @property
    def rejected(self) -> int:
        return len(self.rejected_rows)


def decode_body(
    content_type: str,
    body: bytes,
    facts: DecodingContext,
    customer: str | None = None,
    group: str | None = None,
    atomic: bool = False,
) -> DecodedEvents:
    """Decode one request. Bad items become rows; only an unsupported media type raises `InvalidInput`."""
    return decode_items([ItemRun(items_of(format_of(content_type), body), customer, group, atomic)], facts)


def decode_items(runs: Sequence[ItemRun], facts: DecodingContext) -> DecodedEvents:
    """Decode the items of several requests into one pair of batches, in order."""
    items = [item for run in runs for item in run.items]
    headers = [header for run in runs for header in run.headers()]
    arrivals_us = _arrivals(runs)
    row_facts = facts.row_facts()
    if len(items) <= FEW_EVENTS:
        return _few_decoded(runs, decode_few(items, headers, arrivals_us, row_facts, facts.scope))
    told = any(run.arrivals_us is not None for run in runs)
    events = ReadEvents(headers, row_facts, arrivals_us if told else None)
    events.read(items)
    exact: dict[int, dict[str, Any]] = {}
    for _ in range(_PASSES):
        for row in sorted(events.suspects.difference(exact)):
            exact[row] = decode_event(items[row], headers[row], row_facts, arrivals_us[row])
            events.set_row(row, exact[row])
        arrays, found = _arrays_of(events.columns)
        events.suspects.update(found)
        if exact.keys() >= events.suspects:
            break
    rejected = {row: values for row, values in sorted(exact.items()) if values["reason"] is not None}
    return _batches(runs, arrays, events.columns, rejected, facts)


def _arrivals(runs: Sequence[ItemRun]) -> list[int | None]:
    """When each item arrived, where its source tells."""
    arrivals_us: list[int | None] = []
    for run in runs:
        arrivals_us += [None] * len(run.items) if run.arrivals_us is None else run.arrivals_us
    return arrivals_us


def _few_decoded(runs: Sequence[ItemRun], rows: list[Row]) -> DecodedEvents:
    run_of_row = [run for run in runs for _ in run.items]
    for row, run in zip(rows, run_of_row, strict=True):
        row |= {"group": run.group, "atomic": run.atomic}
    rejected_rows = [place for place, row in enumerate(rows) if row["reason"] is not None]
    return DecodedEvents(*batches_of(rows), rejected_rows)


#: Suspects of reading are exact before the first pass over the columns, suspects of that before the second.
_PASSES: Final = 2
_FREE_TEXTS: Final = ("properties", "extensions")


def _arrays_of(columns: dict[str, list[Any]]) -> tuple[dict[str, pa.Array], set[int]]:
    """Each column as an array, and the rows in which a value breaks a rule."""
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
    tokens = {name: tokens_of(columns[name], name) for name in TOKEN_COLUMNS}
    for name, (counts, rows) in tokens.items():
        arrays[name] = pa.array(counts)
        suspects.update(rows)
    for part, whole in (("cached_input_tokens", "input_tokens"), ("reasoning_tokens", "output_tokens")):
        exceeding = tokens[part][0] > tokens[whole][0]
        if exceeding.any():
            suspects.update(np.flatnonzero(exceeding).tolist())
    return arrays, suspects


def _batches(
    runs: Sequence[ItemRun],
    arrays: dict[str, pa.Array],
    columns: dict[str, list[Any]],
    rejected: dict[int, dict[str, Any]],
    facts: DecodingContext,
) -> DecodedEvents:
    count = len(columns["id"])
    identities = identity_hashes(facts.hash_seed, facts.scope, columns["source"], columns["id"])
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
    kind = pa.bool_() if values and isinstance(values[0], bool) else pa.utf8()
    rows = np.repeat(np.arange(len(runs)), [len(run.items) for run in runs])
    return pa.array(values, kind).take(pa.array(rows))


def _sparse(count: int, rejected: dict[int, dict[str, Any]], name: str, kind: pa.DataType) -> pa.Array:
    if not rejected:
        return pa.nulls(count, kind)
    values: list[Any] = [None] * count
    for row, columns in rejected.items():
        values[row] = columns[name]
    return pa.array(values, kind)
