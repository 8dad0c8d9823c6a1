"""Events of a backfill that are outside of its range: rejected rows, as if a rule of events had refused them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.usage.block_schema import FREE, INSTANT, NAME
from domain.usage.decoding.decoder import DecodedEvents
from domain.usage.decoding.single_event import RAW_KEPT_BYTES_MAX
from domain.values.instants import naive

#: The reason of an event that a backfill does not take.
OUTSIDE_RANGE: Final = "outside_backfill"


class TakenEvents(msgspec.Struct, frozen=True):
    """What a backfill takes: events of a time, half-open, of these customers and sources; empty: of all.

    An event without a customer of its own is taken: whose it is, its subscription tells when it counts.
    """

    start: datetime
    end: datetime
    customers: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


def with_range(decoded: DecodedEvents, items: Sequence[bytes], taken: TakenEvents) -> DecodedEvents:
    """Return the rows, of which those outside of the range are rejected. `items` are what they were decoded from."""
    typed, free = decoded.typed, decoded.free
    accepted = np.asarray(pc.is_null(typed.column("reason")), dtype=bool)
    details = _details(typed, taken)
    outside = np.flatnonzero(accepted & np.array([detail is not None for detail in details], dtype=bool))
    if not len(outside):
        return decoded
    reasons, given = typed.column("reason").cast(pa.utf8()).to_pylist(), free.column("detail").to_pylist()
    raw = free.column("raw").to_pylist()
    for row in outside.tolist():
        reasons[row], given[row], raw[row] = OUTSIDE_RANGE, details[row], items[row][:RAW_KEPT_BYTES_MAX]
    typed = _set(typed, "reason", pa.array(reasons, pa.utf8()).dictionary_encode().cast(NAME))
    free = _set(free, "detail", pa.array(given, FREE.field("detail").type))
    free = _set(free, "raw", pa.array(raw, FREE.field("raw").type))
    rejected = sorted({*decoded.rejected_rows, *outside.tolist()})
    return msgspec.structs.replace(decoded, typed=typed, free=free, rejected_rows=rejected)


def _details(typed: pa.RecordBatch, taken: TakenEvents) -> list[str | None]:
    """The field and the rule that each row breaks; None where it breaks none."""
    times = typed.column("time")
    start, end = (pa.scalar(naive(moment), INSTANT) for moment in (taken.start, taken.end))
    in_time = pc.fill_null(pc.and_(pc.greater_equal(times, start), pc.less(times, end)), False)
    details = np.full(typed.num_rows, None, dtype=object)
    for name, field, names in (("source", "source", taken.sources), ("subject", "subject", taken.customers)):
        if names:
            told = typed.column(name).cast(pa.utf8())
            among = pc.or_(pc.is_null(told), pc.is_in(told, pa.array(names, pa.utf8())))
            details[~np.asarray(among, dtype=bool)] = f"{field}: must be one of those of the backfill"
    details[~np.asarray(in_time, dtype=bool)] = "time: must be in the range of the backfill"
    found: list[str | None] = details.tolist()
    return found


def _set(batch: pa.RecordBatch, name: str, values: pa.Array) -> pa.RecordBatch:
    at = batch.schema.get_field_index(name)
    return batch.set_column(at, batch.schema.field(at), values)
