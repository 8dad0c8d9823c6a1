"""The second pass of a fold in two: rows of usage that is folded already, made from the log again.

A row is the one that the first pass would have written: keys are those that were assigned then, and the cost is by the
prices and discounts that were known at the position of its block. What later records changed is not among these rows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Final

import numpy as np
import pyarrow as pa

from domain.log.blocks import BlockHeader
from domain.log.records import USAGE_BATCH_TOPIC, EventLog, LogRecord
from domain.usage.locators import locator_of
from projections.arrow_columns import integers
from projections.folding.fold_state import FoldState
from projections.folding.staged_tables import USAGE_ROWS
from projections.folding.step_planning import count_within
from projections.folding.usage_blocks import concatenate_blocks, decoded_block, usage_rows
from projections.identity.entries import U64
from projections.pricing.price_book import PriceBook
from projections.pricing.rules import PricingRecord

READ_RECORDS_MAX: Final = 256

#: Given two locators: those from the first to the second, exclusive, whose events have a row, or were not counted.
Settled = Callable[[int, int], U64]


class RowsOfLog:
    """Makes rows of ascending positions. `state` gives the keys, which a fold may go on to assign meanwhile."""

    def __init__(self, log: EventLog, state: FoldState, records: Sequence[tuple[int | None, PricingRecord]]) -> None:
        """`records`: all that a price book is made of, in the order of the log."""
        self._log = log
        self._records = records
        self._positions = [record.position for _, record in records]
        self._known = 0
        self._state = FoldState()
        self._state.scope_keys = state.scope_keys
        self._state.kind_keys = state.kind_keys
        self._state.customer_keys = state.customer_keys
        self._state.prices = PriceBook(state.customer_keys)

    def chunk(self, after: int, until: int, rows_max: int, settled: Settled) -> tuple[int, pa.Table | None]:
        """Make the rows of positions after `after`, at most `until`, until there are about `rows_max`.

        Returns the last of these positions, and the rows, sorted by scope, customer, time and locator; None without
        any.
        """
        tables: list[pa.Table] = []
        events, position = 0, after
        while position < until and events < rows_max:
            read = self._log.read(position, READ_RECORDS_MAX, until)
            read = read[: count_within(read, rows_max - events)]
            for records in self._priced_alike(read):
                made = self._rows(records, settled)
                if made.num_rows:
                    events += made.num_rows
                    tables.append(made)
            position = read[-1].position
        return position, sorted_rows(tables) if events else None

    def _priced_alike(self, records: Sequence[LogRecord]) -> Iterator[list[LogRecord]]:
        """The usage batches among these records, those together between which no price became known."""
        usage = (record for record in records if record.topic == USAGE_BATCH_TOPIC)
        for known, alike in groupby(usage, lambda record: bisect_left(self._positions, record.position)):
            for scope_key, record in self._records[self._known : known]:
                self._state.prices.add(scope_key, record)
            self._known = known
            yield list(alike)

    def _rows(self, records: Sequence[LogRecord], settled: Settled) -> pa.Table:
        step_rows = concatenate_blocks([decoded_block(record, self._scope_key) for record in records])
        first, last = records[0].position, records[-1].position
        found = settled(locator_of(first, 0), locator_of(last + 1, 0))
        missing = ~np.isin(step_rows.locators.astype(np.uint64), found)
        return usage_rows(step_rows, missing, self._state) if missing.any() else USAGE_ROWS.empty_table()

    def _scope_key(self, header: BlockHeader) -> int:
        return self._state.scope_keys[header.scope]


def sorted_rows(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of these tables, which ascend by locator, sorted by scope, customer and time before it."""
    rows = tables[0] if len(tables) == 1 else pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    keys = integers(rows, "time"), integers(rows, "customer_key"), integers(rows, "scope_key")
    return rows.take(pa.array(np.lexsort(keys)))
