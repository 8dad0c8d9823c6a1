"""Voids, restorations and amendments of usage events, folded into the read store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from domain.corrections.events import CorrectionEvent, UsageAmended, UsageRestored, UsageVoided
from domain.log.blocks import decode_free, decode_typed, read_header
from domain.scope import Scope
from domain.usage.amending.amended_event import MemberChange
from domain.usage.block_schema import TOKEN_COLUMNS
from domain.values.instants import aware, epoch_microseconds
from projections.folding.attribution.attributed_rows import with_customers, without_customer
from projections.folding.event_lookup import EventLookup, LocatedEvent
from projections.folding.fold_state import FoldState
from projections.folding.fold_store import FoldStore
from projections.folding.lifecycle_writes import NewAmendment, NewCorrection
from projections.folding.staged_tables import USAGE_ROWS
from projections.folding.unknown_costs import price_unknown_costs
from projections.folding.usage_blocks import FoldBlock, one_event, usage_rows
from projections.identity.index import IdentityIndex
from projections.quantity_columns import QUANTITY_COLUMNS

#: The member of an event that gives its cost.
_GIVEN_COST: Final = "data.cost_usd"
#: The columns that a price looks at. While they stay, an amended event keeps its cost, as it keeps one that was given.
_PRICED_BY: Final = (
    "kind_key",
    "customer_key",
    "time",
    "status",
    *TOKEN_COLUMNS,
    *(name for name, _ in QUANTITY_COLUMNS),
)
_COST_COLUMNS: Final = ("cost_usd", "cost_origin", "price_position", "discount_positions", "repriced_at")


class CorrectionFolder:
    """Apply corrections in log order, within the transaction that the caller holds open."""

    def __init__(self, store: FoldStore, index: IdentityIndex, lookup: EventLookup) -> None:
        self._store = store
        self._index = index
        self._lookup = lookup

    def apply(self, state: FoldState, position: int, topic: str, event: CorrectionEvent) -> int:
        """Fold a correction and return the key of its scope.

        A void whose event has not arrived yet waits for it. An amendment of an event that was not counted, which no
        command makes, has no effect.
        """
        scope = Scope(event.tenant, event.environment)
        scope_key = state.scope_key(scope)
        by = event.provenance
        self._store.add_correction(
            NewCorrection(scope_key, event.source, event.id, topic, position, event.recorded_at, by.actor, by.reason)
        )
        found = self._lookup.find(self._index, state.hash_seed, scope, event.source, event.id, state.taken)
        if found is None:
            _wait(state, (scope_key, event.source, event.id), event)
            return scope_key
        if state.taken.is_withdrawn(found.locator) and not isinstance(event, UsageAmended):
            return scope_key  # a revert looks at what was said of the identity meanwhile
        customer_key = _customer_key(state, scope_key, found)
        match event:
            case UsageAmended():
                self._amend(state, position, scope_key, customer_key, found.locator, event)
            case UsageVoided():
                self._store.close_row(customer_key, found.locator, position)
            case UsageRestored():
                self._restore(state, position, scope_key, customer_key, found.locator)
        return scope_key

    def _restore(self, state: FoldState, position: int, scope_key: int, customer_key: int, locator: int) -> None:
        kind_key = self._store.reopen_row(customer_key, locator, position)
        if kind_key is not None:
            _, provider, model = state.series(kind_key)
            price_unknown_costs(self._store, state, scope_key, provider or "", model or "", position)

    def _amend(
        self, state: FoldState, position: int, scope_key: int, customer_key: int, locator: int, event: UsageAmended
    ) -> None:
        """Close the current version of the event and open the amended one; that of a voided event is closed too."""
        block = FoldBlock(
            position=position,
            stream=event.stream,
            scope_key=scope_key,
            header=read_header(event.block),
            typed=decode_typed(event.block),
            free=decode_free(event.block),
        )
        last = self._store.last_version(customer_key, locator)
        replaced = _is_given_cost_replaced(block.typed, last, event.changed)
        if replaced:
            block = msgspec.structs.replace(block, typed=_without_cost(block.typed))
        amended = np.array([True])
        step_rows = one_event(block, locator)
        step_rows = with_customers(step_rows, without_customer(step_rows, amended), state.subscribers)
        made = usage_rows(step_rows, amended, state)
        version = _amended(made, last, event.changed, replaced)
        self._store.close_row(customer_key, locator, position)
        self._store.add_version(version)
        [row] = version.select(["customer_key", "time", "content"]).to_pylist()
        state.amended.add(locator, row["customer_key"], row["content"])
        self._store.add_amendment(
            NewAmendment(
                scope_key=scope_key,
                locator=locator,
                position=position,
                customer_key=row["customer_key"],
                customer_key_before=customer_key,
                time=aware(row["time"]),
                content=row["content"],
                changed=msgspec.json.encode(event.changed).decode(),
                recorded_at=event.recorded_at,
            )
        )


def _wait(state: FoldState, identity: tuple[int, str, str], event: CorrectionEvent) -> None:
    match event:
        case UsageVoided():
            state.waiting_voids.add(identity)
        case UsageRestored():
            state.waiting_voids.discard(identity)


def _customer_key(state: FoldState, scope_key: int, found: LocatedEvent) -> int:
    """The customer of an event, by its last version."""
    amended = state.amended.customer_key(found.locator)
    if amended is not None:
        return amended
    subject = found.subject
    if subject is None:
        time_us = epoch_microseconds(aware(found.time))
        subject = state.subscribers.customer_at(scope_key, found.subscription or "", time_us)
    return state.customer_keys[scope_key, subject]


def _is_given_cost_replaced(typed: pa.RecordBatch, last: pa.Table, changed: Sequence[MemberChange]) -> bool:
    """Whether a re-pricing put a price in the place of the cost that was given, and the amendment gives no other."""
    if typed.column("cost_usd").null_count or any(one.member == _GIVEN_COST for one in changed):
        return False
    origins: list[str] = last.column("cost_origin").to_pylist()
    return origins == ["price"]


def _without_cost(typed: pa.RecordBatch) -> pa.RecordBatch:
    at = typed.schema.get_field_index("cost_usd")
    return typed.set_column(at, typed.schema.field(at), pa.nulls(typed.num_rows, typed.schema.field(at).type))


def _amended(version: pa.Table, last: pa.Table, changed: Sequence[MemberChange], was_replaced: bool) -> pa.Table:
    """The version that an amendment opens.

    It was recorded when the event was, is closed if the last version is, and keeps its cost unless something changed
    that makes a cost. `was_replaced`: a re-pricing replaced the cost that was given, which its revert brings back.
    """
    [before], [after] = last.to_pylist(), version.to_pylist()
    kept = {"recorded_at": before["recorded_at"]}
    if before["closed_at"] is not None:
        kept["closed_at"] = after["counted_at"]
    is_priced_alike = all(before[name] == after[name] for name in _PRICED_BY)
    if is_priced_alike and all(one.member != _GIVEN_COST for one in changed):
        kept |= {name: before[name] for name in _COST_COLUMNS}
    elif was_replaced:
        kept["repriced_at"] = before["repriced_at"]
    return pa.Table.from_pylist([after | kept], USAGE_ROWS)
