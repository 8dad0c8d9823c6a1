"""Re-pricing runs, folded into the read store."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from domain.repricings.events import RepricingCommitted, RepricingEvent, RepricingOpened, RepricingReverted
from domain.scope import Scope
from domain.usage.block_schema import REQUEST_TYPE
from domain.values.money import MONEY
from projections.folding.fold_state import FoldState
from projections.folding.fold_store import FoldStore
from projections.folding.lifecycle_writes import NewRepricing
from projections.folding.unknown_costs import staged_costs
from projections.pricing.row_costs import NEW_COST, changed_rows, priced_rows
from projections.pricing.row_range import row_range

#: Rows that are priced at once.
REPRICED_ROWS_MAX: Final = 100_000


def fold_repricing(store: FoldStore, state: FoldState, position: int, topic: str, event: RepricingEvent) -> int:
    """Fold an event of a run, within the transaction that the caller holds open, and return the key of its scope."""
    scope_key, by = state.scope_key(Scope(event.tenant, event.environment)), event.provenance
    run = NewRepricing(scope_key, event.name, topic, position, event.recorded_at, by.actor, by.reason)
    match event:
        case RepricingOpened():
            run = msgspec.structs.replace(run, range=event.range)
        case RepricingCommitted():
            state.repricings[scope_key, event.name] = position
            events, difference = _reprice(store, state, scope_key, position, event)
            run = msgspec.structs.replace(
                run, previewed_at=event.previewed_at, events=events, difference_usd=difference
            )
        case RepricingReverted():
            events, difference = store.undo_repricing(state.repricings[scope_key, event.name], position)
            run = msgspec.structs.replace(run, events=events, difference_usd=difference)
    store.add_repricing(run)
    return scope_key


def _reprice(
    store: FoldStore, state: FoldState, scope_key: int, position: int, event: RepricingCommitted
) -> tuple[int, Decimal]:
    """Give the rows of a range other costs, page by page; return how many, and what their costs grew by."""
    prices = state.prices.as_of(event.previewed_at)
    models = {
        key: (provider or "", model)
        for (kind, provider, model), key in state.kind_keys.items()
        if kind == REQUEST_TYPE and model is not None
    }
    asked = row_range(
        event.range,
        scope_key,
        models,
        lambda customer: state.customer_keys.get((scope_key, customer)),
        event.previewed_at,
    )
    events, difference, after = 0, Decimal(0), None
    while True:
        rows = store.rows_to_reprice(asked, after, REPRICED_ROWS_MAX)
        if not rows.num_rows:
            return events, difference
        after = rows.column("customer_key")[-1].as_py(), rows.column("locator")[-1].as_py()
        changed = changed_rows(priced_rows(prices, scope_key, models, rows))
        if changed.num_rows:
            store.price_rows(staged_costs(changed, position), position)
            events += changed.num_rows
            difference = MONEY.add(difference, MONEY.subtract(_sum(changed, NEW_COST), _sum(changed, "cost_usd")))


def _sum(rows: pa.Table, column: str) -> Decimal:
    found: Decimal | None = pc.sum(rows.column(column)).as_py()
    return found or Decimal(0)
