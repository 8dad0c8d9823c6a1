"""What each lifecycle event changes in the read store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pyarrow as pa

from domain.api_keys.events import ApiKeyIssued, ApiKeyRevoked
from domain.budgets.events import BudgetEvent
from domain.commands.events import CommandHonoured
from domain.corrections.events import CorrectionEvent, UsageVoided
from domain.customers.events import CustomerCreated, CustomerEvent, CustomerUpdated
from domain.customers.personal_data import open_personal
from domain.customers.personal_keys import PersonalKeys
from domain.errors import LogCorrupted
from domain.event import LifecycleEvent
from domain.log.events import LogCreated, LogSealed
from domain.meters.events import MeterEvent
from domain.prices.events import PriceListed, PriceSet
from domain.scope import Scope
from domain.sources.events import OffsetsAccepted, PartitionConsumed, PartitionEvent, PartitionTruncated, RecordsLost
from domain.usage.block_schema import REQUEST_TYPE, TOKEN_COLUMNS
from projections.arrow_columns import decimals_of_words, integers, words_of_integers
from projections.duckdb.writing.fold_store import DuckDBFoldStore
from projections.folding.event_lookup import EventLookup
from projections.folding.fold_state import FoldState
from projections.folding.fold_store import SourceMoved
from projections.identity.index import IdentityIndex

#: How many rows of unknown cost are priced at once.
PRICED_ROWS_MAX: Final = 100_000


class LifecycleFolder:
    """Applies lifecycle events in log order within the transaction that its caller holds open."""

    def __init__(self, store: DuckDBFoldStore, index: IdentityIndex, located: EventLookup, keys: PersonalKeys) -> None:
        self._store = store
        self._index = index
        self._located = located
        self._keys = keys

    def apply(
        self, state: FoldState, position: int, topic: str, event: LifecycleEvent, hash_at: Callable[[int], bytes | None]
    ) -> int | None:
        """Fold one event; answer the key of its scope, if it has one.

        `hash_at` knows the running hash of any folded position.
        """
        match event:
            case CustomerEvent():
                return self._customer(state, position, topic, event)
            case BudgetEvent():
                scope_key = state.scope_key(Scope(event.tenant, event.environment))
                self._store.add_fact(
                    "budget_facts", (scope_key, event.budget_id), position, topic, event, _fields(event)
                )
                return scope_key
            case MeterEvent():
                scope_key = state.scope_key(Scope(event.tenant, event.environment))
                self._store.add_fact("meter_facts", (scope_key, event.code), position, topic, event, _fields(event))
                return scope_key
            case ApiKeyIssued():
                scope_key = state.scope_key(Scope(event.tenant, event.environment))
                self._store.add_api_key(
                    event.key_id,
                    scope_key,
                    event.scopes,
                    event.prefix,
                    event.secret_hash,
                    event.name,
                    position,
                    event.recorded_at,
                )
                return scope_key
            case ApiKeyRevoked():
                self._store.revoke_api_key(event.key_id, event.recorded_at)
            case PriceListed():
                self._listed_price(state, position, event)
            case PriceSet():
                return self._set_price(state, position, event)
            case CorrectionEvent():
                return self._correction(state, position, topic, event)
            case CommandHonoured():
                return state.scope_key(Scope(event.tenant, event.environment))
            case _:
                self._of_nobody(state, position, event, hash_at)
        return None

    def _of_nobody(
        self, state: FoldState, position: int, event: LifecycleEvent, hash_at: Callable[[int], bytes | None]
    ) -> None:
        """What is about sources and the log itself, and belongs to no tenant."""
        match event:
            case PartitionEvent():
                self._store.move_source(_moved(position, event))
            case LogSealed():
                if hash_at(event.position) != event.running_hash:
                    raise LogCorrupted(
                        f"the seal at log position {position} does not match the records up to {event.position}"
                    )
            case LogCreated():
                state.hash_seed = event.hash_seed

    def _customer(self, state: FoldState, position: int, topic: str, event: CustomerEvent) -> int:
        scope = Scope(event.tenant, event.environment)
        scope_key = state.scope_key(scope)
        fields = _fields(event)
        if isinstance(event, CustomerCreated | CustomerUpdated) and event.personal is not None:
            personal = open_personal(self._keys, event.personal, scope, event.customer_id)
            fields |= {} if personal is None else personal
        customer_key = state.customer_key(scope_key, event.customer_id, position)
        self._store.add_fact("customer_facts", (customer_key,), position, topic, event, fields)
        return scope_key

    def _listed_price(self, state: FoldState, position: int, event: PriceListed) -> None:
        state.prices.add(None, event.provider, event.model, position, event.versions)
        self._store.add_price(position, None, event.provider, event.model, event.versions, event.library, event)
        for scope_key in list(state.scope_keys.values()):
            self._price_unknown(state, scope_key, event.provider, event.model, position)

    def _set_price(self, state: FoldState, position: int, event: PriceSet) -> int:
        scope_key = state.scope_key(Scope(event.tenant, event.environment))
        state.prices.add(scope_key, event.provider, event.model, position, (event.price,))
        self._store.add_price(position, scope_key, event.provider, event.model, (event.price,), None, event)
        self._price_unknown(state, scope_key, event.provider, event.model, position)
        return scope_key

    def _price_unknown(self, state: FoldState, scope_key: int, provider: str, model: str, position: int) -> None:
        """Price what was counted at unknown cost; a known cost stays."""
        for name in {provider, provider or None}:
            kind_key = state.kind_keys.get((REQUEST_TYPE, name, model))
            if kind_key is None:
                continue
            above = -1
            while True:
                unknown = self._store.unknown_cost_rows(kind_key, scope_key, above, PRICED_ROWS_MAX)
                if unknown.num_rows == 0:
                    break
                above = unknown.column("locator")[-1].as_py()
                priced = _priced(state, unknown, scope_key, provider, model)
                if priced.num_rows:
                    self._store.price_rows(priced, position)

    def _correction(self, state: FoldState, position: int, topic: str, event: CorrectionEvent) -> int:
        scope = Scope(event.tenant, event.environment)
        scope_key = state.scope_key(scope)
        self._store.add_correction(scope_key, event.source, event.id, topic, position, event)
        found = self._located.find(self._index, state.hash_seed, scope, event.source, event.id)
        if found is None:
            waiting = (scope_key, event.source, event.id)
            (state.waiting_voids.add if isinstance(event, UsageVoided) else state.waiting_voids.discard)(waiting)
            return scope_key
        customer_key = state.customer_keys[scope_key, found.subject]
        if isinstance(event, UsageVoided):
            self._store.close_row(customer_key, found.locator, position)
        elif not self._store.row_holds(customer_key, found.locator):
            kind = self._store.reopen_row(customer_key, found.locator, position)
            self._price_unknown(state, scope_key, kind[0] or "", kind[1] or "", position)
        return scope_key


def _moved(position: int, event: PartitionEvent) -> SourceMoved:
    """What a record says of its partition."""
    next_offset, lost, refused = 0, 0, 0
    match event:
        case PartitionConsumed():
            next_offset = event.next_offset
            refused = sum(command.outcome == "refused" for command in event.commands)
        case RecordsLost():
            next_offset, lost = event.to_offset, event.to_offset - event.from_offset
        case OffsetsAccepted() | PartitionTruncated():
            next_offset = event.next_offset
    return SourceMoved(
        event.stream, event.topic, event.partition, next_offset, position, event.recorded_at, lost, refused
    )


def _fields(event: LifecycleEvent) -> dict[str, Any]:
    fields: dict[str, Any] = dict(getattr(event, "fields", {}))
    return fields


def _priced(state: FoldState, unknown: pa.Table, scope_key: int, provider: str, model: str) -> pa.Table:
    """Of these rows, those that have a price now, with their cost."""
    unknown = unknown.combine_chunks()
    times = integers(unknown, "time")
    tokens = [integers(unknown, name) for name in TOKEN_COLUMNS]
    words = np.zeros((unknown.num_rows, 2), dtype=np.uint64)
    positions = np.zeros(unknown.num_rows, dtype=np.int64)
    for price, rows, costs in state.prices.costs(scope_key, provider, model, times, tokens):
        words[rows] = words_of_integers(costs)
        positions[rows] = price
    has_price = positions > 0
    return pa.table(
        {
            "locator": unknown.column("locator"),
            "customer_key": unknown.column("customer_key"),
            "cost_usd": decimals_of_words(words, has_price),
            "price_position": pa.array(positions),
        }
    ).filter(pa.array(has_price))
