"""Fold lifecycle events: the change that each one makes in the read store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from domain.api_keys.events import ApiKeyIssued, ApiKeyRevoked
from domain.budgets.events import BudgetEvent
from domain.commands.events import CommandHonoured
from domain.corrections.events import CorrectionEvent
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
from projections.folding.corrections import CorrectionFolder
from projections.folding.event_lookup import EventLookup
from projections.folding.fold_state import FoldState
from projections.folding.fold_store import FoldStore, SourceProgress
from projections.folding.unknown_costs import price_unknown_costs
from projections.identity.index import IdentityIndex


class LifecycleFolder:
    """Applies lifecycle events in log order within the transaction that its caller holds open."""

    def __init__(self, store: FoldStore, index: IdentityIndex, lookup: EventLookup, keys: PersonalKeys) -> None:
        self._store = store
        self._corrections = CorrectionFolder(store, index, lookup)
        self._keys = keys

    def apply(
        self, state: FoldState, position: int, topic: str, event: LifecycleEvent, hash_at: Callable[[int], bytes | None]
    ) -> int | None:
        """Fold one event; return the key of its scope, if it has one.

        `hash_at` returns the running hash of any folded position.
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
                return self._corrections.apply(state, position, topic, event)
            case CommandHonoured():
                return state.scope_key(Scope(event.tenant, event.environment))
            case _:
                self._system_event(state, position, event, hash_at)
        return None

    def _system_event(
        self, state: FoldState, position: int, event: LifecycleEvent, hash_at: Callable[[int], bytes | None]
    ) -> None:
        """Fold an event about Kafka sources or the log itself, which belongs to no tenant."""
        match event:
            case PartitionEvent():
                self._store.update_source(_source_progress(position, event))
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
            price_unknown_costs(self._store, state, scope_key, event.provider, event.model, position)

    def _set_price(self, state: FoldState, position: int, event: PriceSet) -> int:
        scope_key = state.scope_key(Scope(event.tenant, event.environment))
        state.prices.add(scope_key, event.provider, event.model, position, (event.price,))
        self._store.add_price(position, scope_key, event.provider, event.model, (event.price,), None, event)
        price_unknown_costs(self._store, state, scope_key, event.provider, event.model, position)
        return scope_key


def _source_progress(position: int, event: PartitionEvent) -> SourceProgress:
    """The progress of the partition that the event is about."""
    next_offset, lost, refused = 0, 0, 0
    match event:
        case PartitionConsumed():
            next_offset = event.next_offset
            refused = sum(command.outcome == "refused" for command in event.commands)
        case RecordsLost():
            next_offset, lost = event.to_offset, event.to_offset - event.from_offset
        case OffsetsAccepted() | PartitionTruncated():
            next_offset = event.next_offset
    return SourceProgress(
        event.stream, event.topic, event.partition, next_offset, position, event.recorded_at, lost, refused
    )


def _fields(event: LifecycleEvent) -> dict[str, Any]:
    fields: dict[str, Any] = dict(getattr(event, "fields", {}))
    return fields
