"""New events that have no customer of their own, with the customer of their subscription at their time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from projections.arrow_columns import Bools, Ints, codes, column, integers
from projections.attribution.subscribers import Span, Subscribers
from projections.folding.usage_blocks import StepRows
from projections.queries.customers import NO_CUSTOMER


def without_customer(step_rows: StepRows, counted: Bools) -> Bools:
    """Which rows are counted events without a customer of their own."""
    subjects = column(step_rows.typed, "subject")
    if not subjects.null_count:
        return np.zeros(len(counted), dtype=bool)
    found: Bools = counted & np.asarray(pc.is_null(subjects), dtype=bool)
    return found


def with_customers(step_rows: StepRows, attributed: Bools, subscribers: Subscribers) -> StepRows:
    """Return the rows, with the customers of those that are `attributed`; `NO_CUSTOMER` where there is none."""
    rows = np.flatnonzero(attributed)
    if not len(rows):
        return step_rows
    subject_codes, names = codes(step_rows.typed, "subject")
    code_of = {name: code for code, name in enumerate(names)}
    for of_subscription, spans in _by_subscription(step_rows, rows, subscribers):
        times = integers(step_rows.typed.select(["time"]).take(pa.array(of_subscription)), "time")
        customers = [NO_CUSTOMER, *(span.customer_id for span in spans)]
        found = np.array([code_of.setdefault(name, len(code_of)) for name in customers], dtype=np.int64)
        subject_codes[of_subscription] = found[_spans_at(spans, times) + 1]
    subjects = pa.DictionaryArray.from_arrays(
        pa.array(subject_codes.astype(np.int32), mask=subject_codes < 0), pa.array(list(code_of), pa.utf8())
    )
    at = step_rows.typed.schema.get_field_index("subject")
    typed = step_rows.typed.set_column(at, step_rows.typed.schema.field(at), subjects)
    return msgspec.structs.replace(step_rows, typed=typed)


def _by_subscription(
    step_rows: StepRows, rows: npt.NDArray[np.intp], subscribers: Subscribers
) -> Iterator[tuple[npt.NDArray[np.intp], Sequence[Span]]]:
    """The rows of each subscription, and the times in which it has a customer."""
    subscriptions, ids = codes(step_rows.typed, "subscription")
    keys = step_rows.scope_keys[rows].astype(np.int64) * len(ids) + subscriptions[rows]
    order = np.argsort(keys, kind="stable")
    distinct, first = np.unique(keys[order], return_index=True)
    for key, of_key in zip(distinct.tolist(), np.split(rows[order], first[1:]), strict=True):
        scope_key, code = divmod(key, len(ids))
        yield of_key, subscribers.spans(scope_key, ids[code])


def _spans_at(spans: Sequence[Span], times: Ints) -> Ints:
    """The number of the span that contains each time; -1 where none does."""
    if not spans:
        return np.full(len(times), -1, dtype=np.int64)
    starts = np.array([span.start_us for span in spans], dtype=np.int64)
    ends = np.array([span.end_us for span in spans], dtype=np.int64)
    at = np.searchsorted(starts, times, side="right") - 1
    return np.where((at >= 0) & (times < ends[at]), at, -1)
