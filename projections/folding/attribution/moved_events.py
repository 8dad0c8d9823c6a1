"""Earlier events that get another customer, because a fact tells another customer of their subscription at their time.

Each gets a new version from the position of the fact on, and an amendment that changes nothing of what was sent. A
voided event is moved too, and stays voided. The cost of an event is made again where one of the two customers has
prices of its own, unless a re-pricing run gave it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.usage.block_schema import REQUEST_TYPE
from domain.usage.rules import source_of_subscription
from domain.values.instants import EPOCH
from projections.attribution.subscribers import Change, Span, changes
from projections.folding.fold_state import FoldState
from projections.folding.fold_store import FoldStore
from projections.folding.lifecycle_writes import CustomerMove
from projections.folding.staged_tables import USAGE_ROWS
from projections.pricing.row_costs import NEW_COST, priced_rows

_COST_COLUMNS: Final = ("cost_usd", "cost_origin", "price_position", "discount_positions")
#: Events that are moved at once.
MOVED_EVENTS_MAX: Final = 100_000


def move_events(
    store: FoldStore,
    state: FoldState,
    scope_key: int,
    subscription_id: str,
    before: Sequence[Span],
    position: int,
    recorded_at: datetime,
) -> None:
    """Move the events of a subscription to the customers that it is known to have by the fact at `position`.

    `before`: the times in which it had which customer, by the facts below `position`.
    """
    source = source_of_subscription(subscription_id)
    for change in changes(before, state.subscribers.spans(scope_key, subscription_id)):
        customer_key = state.customer_keys.get((scope_key, change.before))
        if customer_key is None:
            continue
        start, end = _instant(change.start_us), _instant(change.end_us)
        above = -1
        while True:
            rows = store.rows_of_source(customer_key, source, start, end, above, MOVED_EVENTS_MAX)
            if not rows.num_rows:
                break
            above = rows.column("locator")[-1].as_py()
            rows = _of_customer(rows, customer_key, state)
            if rows.num_rows:
                _move(store, state, rows, scope_key, change, position, recorded_at)


def _of_customer(rows: pa.Table, customer_key: int, state: FoldState) -> pa.Table:
    """The events that have this customer still: an amended one may have a version of another time elsewhere."""
    owners = (state.amended.customer_key(locator) for locator in rows.column("locator").to_pylist())
    return rows.filter(pa.array([owner in (None, customer_key) for owner in owners], pa.bool_()))


def _move(
    store: FoldStore,
    state: FoldState,
    rows: pa.Table,
    scope_key: int,
    change: Change,
    position: int,
    recorded_at: datetime,
) -> None:
    before_key = state.customer_keys[scope_key, change.before]
    customer_key = state.customer_key(scope_key, change.after, position)
    at = pa.array(np.full(rows.num_rows, position, dtype=np.int64))
    moved = _replaced(rows, "customer_key", pa.array(np.full(rows.num_rows, customer_key, dtype=np.int64)))
    moved = _replaced(moved, "closed_at", pc.if_else(pc.is_valid(moved.column("closed_at")), at, None))
    moved = _replaced(moved, "counted_at", at)
    if any(state.prices.has_rules_of(scope_key, one) for one in (change.before, change.after)):
        moved = _with_costs(moved, state, scope_key)
    store.move_rows(CustomerMove(before_key, position, recorded_at), moved)
    for locator, content in zip(*(moved.column(name).to_pylist() for name in ("locator", "content")), strict=True):
        state.amended.add(locator, customer_key, content)


def _with_costs(rows: pa.Table, state: FoldState, scope_key: int) -> pa.Table:
    """The rows with the costs that prices give them now; other costs stay."""
    models = {
        kind_key: (provider or "", model)
        for (event_type, provider, model), kind_key in state.kind_keys.items()
        if event_type == REQUEST_TYPE and model is not None
    }
    origins = rows.column("cost_origin").cast(pa.utf8())
    is_priced = pc.and_(pc.is_in(origins, pa.array(["price", "unknown"])), pc.is_null(rows.column("repriced_at")))
    of_model = pc.is_in(rows.column("kind_key"), pa.array(list(models), pa.int32()))
    asked = np.flatnonzero(np.asarray(pc.and_(is_priced, of_model), dtype=bool))
    if not len(asked):
        return rows
    numbered = rows.drop_columns(["price_position", "discount_positions"]).append_column(
        "row", pa.array(np.arange(rows.num_rows))
    )
    numbered = numbered.take(pa.array(asked))
    priced = priced_rows(state.prices, scope_key, models, numbered)
    costs: dict[str, list[object]] = {name: rows.column(name).to_pylist() for name in _COST_COLUMNS}
    for row in asked.tolist():
        costs["cost_usd"][row], costs["cost_origin"][row] = None, "unknown"
        costs["price_position"][row] = costs["discount_positions"][row] = None
    found = priced.select(["row", NEW_COST, "price_position", "discount_positions"]).to_pylist()
    for one in found:
        costs["cost_usd"][one["row"]], costs["cost_origin"][one["row"]] = one[NEW_COST], "price"
        costs["price_position"][one["row"]] = one["price_position"]
        costs["discount_positions"][one["row"]] = one["discount_positions"]
    for name, values in costs.items():
        rows = _replaced(rows, name, pa.array(values, pa.utf8()) if name == "cost_origin" else pa.array(values))
    return rows


def _replaced(rows: pa.Table, name: str, values: pa.Array) -> pa.Table:
    at = USAGE_ROWS.get_field_index(name)
    field = USAGE_ROWS.field(at)
    return rows.set_column(rows.schema.get_field_index(name), field, pc.cast(values, field.type))


def _instant(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)
