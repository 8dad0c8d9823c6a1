"""Replacements of events, folded into the read store, column by column.

1. Read the deliveries that the events now equal from their blocks; they keep the locators of the events.
2. Make rows of them as of any other event, with the prices known now.
3. Keep of the last version of each: when it was recorded, whether it is void, and its cost, if neither says one and
   nothing differs that makes a cost.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.corrections.events import UsageReplaced
from domain.scope import Scope
from domain.usage.block_schema import TOKEN_COLUMNS
from projections.arrow_columns import Bools
from projections.folding.attribution.attributed_rows import with_customers, without_customer
from projections.folding.event_lookup import EventLookup
from projections.folding.fold_state import FoldState
from projections.folding.fold_store import FoldStore
from projections.folding.lifecycle_writes import NewReplacement
from projections.folding.staged_tables import USAGE_ROWS
from projections.folding.usage_blocks import StepRows, usage_rows

#: The columns that a price looks at; those of units are lists.
_PRICED_BY: Final = (
    *("kind_key", "customer_key", "time", "status", *TOKEN_COLUMNS),
    *("requests", "quantities_unknown", "price_context"),
)
_UNITS: Final = ("unit_names", "unit_quantities")
_COST_COLUMNS: Final = ("cost_usd", "cost_origin", "price_position", "discount_positions", "repriced_at")


def fold_replacement(
    store: FoldStore, state: FoldState, lookup: EventLookup, position: int, event: UsageReplaced
) -> int:
    """Fold a replacement, within the transaction that the caller holds open, and return the key of its scope."""
    scope_key, by = state.scope_key(Scope(event.tenant, event.environment)), event.provenance
    replacement = NewReplacement(scope_key, position, event.recorded_at, by.actor, by.reason, len(event.counted))
    counted, received = (np.array(locators, dtype=np.int64) for locators in (event.counted, event.received))
    order = np.argsort(counted)
    counted, received = counted[order], received[order]
    last = store.last_versions(pa.array(counted))
    found = np.isin(counted, last.column("locator").to_numpy())  # all of them, by any command
    counted, received = counted[found], received[found]
    if len(counted):
        versions = _versions(_received(lookup, scope_key, position, counted, received), last, state, position)
        before = last.select(["locator", "customer_key"]).append_column("received", pa.array(received))
        store.replace_rows(replacement, versions, before)
        columns = (versions.column(name).to_pylist() for name in ("locator", "customer_key", "content"))
        for locator, customer_key, content in zip(*columns, strict=True):
            state.amended.add(locator, customer_key, content)
    return scope_key


def _received(
    lookup: EventLookup, scope_key: int, position: int, counted: np.ndarray, received: np.ndarray
) -> StepRows:
    """The deliveries, as if received at the position of the replacement, with the locators of the events."""
    typed, free = lookup.columns_at(received.astype(np.uint64))
    count = len(counted)
    return StepRows(
        typed=typed,
        free=free,
        positions=np.full(count, position, dtype=np.int64),
        locators=counted,
        scope_keys=np.full(count, scope_key, dtype=np.int32),
        recorded_us=np.zeros(count, dtype=np.int64),
        streams=pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, dtype=np.int32)), pa.array([""])),
    )


def _versions(step_rows: StepRows, last: pa.Table, state: FoldState, position: int) -> pa.Table:
    every = np.ones(len(step_rows.locators), dtype=bool)
    step_rows = with_customers(step_rows, without_customer(step_rows, every), state.subscribers)
    made = usage_rows(step_rows, every, state).combine_chunks()
    last = last.combine_chunks()
    voided = pc.is_valid(last.column("closed_at"))
    at = pa.array(np.full(made.num_rows, position, dtype=np.int64))
    columns = {name: made.column(name) for name in USAGE_ROWS.names}
    columns["recorded_at"] = last.column("recorded_at")
    columns["closed_at"] = pc.if_else(voided, at, pa.scalar(None, pa.int64()))
    rows = np.arange(made.num_rows)
    chosen = pa.array(np.where(_keeps_cost(made, last), rows, rows + made.num_rows))
    for name in _COST_COLUMNS:
        kept, new = (table.column(name) for table in (last, made))
        if name == "cost_origin":
            kept, new = kept.cast(pa.utf8()), new.cast(pa.utf8())
        both = pa.chunked_array([*kept.chunks, *new.cast(kept.type).chunks], kept.type)
        columns[name] = both.take(chosen)
    return pa.table([pc.cast(columns[name], USAGE_ROWS.field(name).type) for name in USAGE_ROWS.names], USAGE_ROWS)


def _keeps_cost(made: pa.Table, last: pa.Table) -> Bools:
    """Which events keep the cost that they have: no producer gives one, and nothing differs that makes one."""
    alike = np.ones(made.num_rows, dtype=bool)
    for table in (made, last):
        alike &= ~np.asarray(pc.equal(table.column("cost_origin").cast(pa.utf8()), "producer"), dtype=bool)
    for name in _PRICED_BY:
        ours, theirs = (table.column(name) for table in (made, last))
        if pa.types.is_dictionary(ours.type):
            ours = ours.cast(pa.utf8())
        theirs = theirs.cast(ours.type)
        same = pc.or_(pc.fill_null(pc.equal(ours, theirs), False), pc.and_(pc.is_null(ours), pc.is_null(theirs)))
        alike &= np.asarray(same, dtype=bool)
    with_units = [pc.is_valid(table.column("unit_names")) for table in (made, last)]
    for row in np.flatnonzero(alike & np.asarray(pc.or_(*with_units), dtype=bool)).tolist():
        alike[row] = all(made.column(name)[row].as_py() == last.column(name)[row].as_py() for name in _UNITS)
    return alike
