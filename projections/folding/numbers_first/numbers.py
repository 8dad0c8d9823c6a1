"""The first pass of a fold in two: usage as numbers, and as rows only where these are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
import numpy as np
import pyarrow as pa

from domain.log.blocks import decode_free, read_header
from domain.log.records import LogRecord
from domain.usage.block_schema import FREE
from projections.arrow_columns import Bools, unsigned
from projections.folding.fold_state import FoldState
from projections.folding.numbers_first.kept_rows import KeptRows
from projections.folding.usage_blocks import StepRows, null_free, usage_rows


class NumbersStore(Protocol):
    """A store that can keep numbers without the rows that they are made of."""

    def add_numbers(self, rows: pa.Table, kept: pa.Table) -> None:
        """Add the day deltas of `rows`, as `FoldStore.add_rows` does, and of them only the rows `kept`.

        The free columns of `rows` are null.
        """


class NumbersFirst:
    """Folds usage into numbers. The free part of a block is decoded only where a row of it is kept or refused."""

    def __init__(self, store: NumbersStore, kept: KeptRows) -> None:
        self._store = store
        self._kept = kept

    def add(
        self,
        records: Sequence[LogRecord],
        step_rows: StepRows,
        counted: Bools,
        attributed: Bools,
        state: FoldState,
    ) -> StepRows:
        """Add the counted events of these records; return the rows with the free columns that outcomes need.

        `attributed`: events with the customer of a subscription, which a fact about it may move. Their rows are kept.
        """
        needed = ~counted
        if not counted.any():
            return _with_free(records, step_rows, needed)
        rows = usage_rows(step_rows, counted, state)
        kept = self._kept.among(rows, unsigned(step_rows.typed, "identity")[counted], state) | attributed[counted]
        needed[np.flatnonzero(counted)[kept]] = True
        step_rows = _with_free(records, step_rows, needed)
        free = step_rows.free.filter(pa.array(counted)).filter(pa.array(kept))
        of_kept = rows.filter(pa.array(kept))
        for name in ("tags", "properties", "extensions"):
            of_kept = of_kept.set_column(of_kept.schema.get_field_index(name), of_kept.field(name), free.column(name))
        self._store.add_numbers(rows, of_kept)
        return step_rows


def _with_free(records: Sequence[LogRecord], step_rows: StepRows, needed: Bools) -> StepRows:
    """The rows with their free columns; these stay null in blocks without a row that is needed."""
    if not needed.any():
        return step_rows
    batches, end = [], 0
    for record in records:
        start, count = end, read_header(record.state).count
        end += count
        batches.append(decode_free(record.state) if needed[start:end].any() else null_free(count))
    return msgspec.structs.replace(step_rows, free=pa.Table.from_batches(batches, FREE).combine_chunks())
