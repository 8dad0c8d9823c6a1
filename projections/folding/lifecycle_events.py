"""Fold lifecycle events: the change that each one makes in the read store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from domain.api_keys.events import ApiKeyIssued, ApiKeyRevoked
from domain.budgets.events import BudgetEvent
from domain.commands.events import CommandHonoured
from domain.correction_runs.events import CorrectionRunEvent
from domain.corrections.events import CorrectionEvent, UsageReplaced
from domain.coupons.application_events import AppliedCouponEvent
from domain.coupons.events import CouponEvent
from domain.customers.events import (
    CustomerCreated,
    CustomerDeleted,
    CustomerEvent,
    CustomerFactsCarried,
    CustomerUpdated,
)
from domain.customers.personal_data import open_personal
from domain.customers.personal_keys import PersonalKeys
from domain.errors import LogCorrupted
from domain.event import LifecycleEvent
from domain.log.events import LogCreated, LogSealed
from domain.meters.events import MeterEvent
from domain.plans.events import PlanEvent
from domain.portal.events import PortalEvent
from domain.prices.events import DiscountSet, PriceListed, PriceSet
from domain.repricings.events import RepricingEvent
from domain.scope import Scope
from domain.sources.events import OffsetsAccepted, PartitionConsumed, PartitionEvent, PartitionTruncated, RecordsLost
from domain.subscriptions.events import SubscriptionCreated, SubscriptionEvent
from projections.folding.attribution.moved_events import move_events
from projections.folding.correction_runs.runs import fold_correction_run
from projections.folding.corrections import CorrectionFolder
from projections.folding.event_lookup import EventLookup
from projections.folding.fold_state import FoldState
from projections.folding.fold_store import FoldStore
from projections.folding.lifecycle_writes import (
    FactOwner,
    NewApiKey,
    NewDiscount,
    NewFact,
    NewPrice,
    SourceProgress,
)
from projections.folding.replacing.replacements import fold_replacement
from projections.folding.repricings import fold_repricing
from projections.folding.unknown_costs import price_unknown_costs
from projections.identity.index import IdentityIndex
from projections.pricing.rules import LifeEnded
from projections.queries.facts import Subject

#: Events that are facts about what has an id of its own.
DefinitionEvent = BudgetEvent | MeterEvent | PlanEvent | SubscriptionEvent | CouponEvent | PortalEvent


class LifecycleFolder:
    """Applies lifecycle events in log order within the transaction that its caller holds open."""

    def __init__(self, store: FoldStore, index: IdentityIndex, lookup: EventLookup, keys: PersonalKeys) -> None:
        self._store = store
        self._lookup = lookup
        self._corrections = CorrectionFolder(store, index, lookup)
        self._keys = keys

    def apply(
        self, state: FoldState, position: int, topic: str, event: LifecycleEvent, hash_at: Callable[[int], bytes | None]
    ) -> int | None:
        """Fold one event; return the key of its scope, if it has one.

        `hash_at` returns the running hash of any folded position.
        """
        match event:
            case CustomerFactsCarried():  # for commands; the facts are in the blocks that follow
                return state.scope_key(Scope(event.tenant, event.environment))
            case CustomerEvent():
                return self._customer(state, position, topic, event)
            case BudgetEvent() | MeterEvent() | PlanEvent() | SubscriptionEvent() | CouponEvent() | PortalEvent():
                return self._definition(state, position, topic, event)
            case AppliedCouponEvent():
                return self._applied_coupon(state, position, topic, event)
            case ApiKeyIssued():
                scope_key = state.scope_key(Scope(event.tenant, event.environment))
                self._store.add_api_key(_api_key(scope_key, position, event))
                return scope_key
            case ApiKeyRevoked():
                self._store.revoke_api_key(event.key_id, event.recorded_at)
            case PriceListed() | PriceSet() | DiscountSet():
                return self._price(state, position, event)
            case CorrectionEvent():
                return self._corrections.apply(state, position, topic, event)
            case UsageReplaced() | CorrectionRunEvent() | RepricingEvent():
                return self._many_events(state, position, topic, event)
            case CommandHonoured():
                return state.scope_key(Scope(event.tenant, event.environment))
            case _:
                self._system_event(state, position, event, hash_at)
        return None

    def _many_events(
        self, state: FoldState, position: int, topic: str, event: UsageReplaced | CorrectionRunEvent | RepricingEvent
    ) -> int:
        """Fold what changes many events at once."""
        match event:
            case UsageReplaced():
                return fold_replacement(self._store, state, self._lookup, position, event)
            case CorrectionRunEvent():
                return fold_correction_run(self._store, state, position, topic, event)
            case RepricingEvent():
                return fold_repricing(self._store, state, position, topic, event)

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

    def _applied_coupon(self, state: FoldState, position: int, topic: str, event: AppliedCouponEvent) -> int:
        """Fold a fact about one of the coupons of a customer; they are kept together, under its id."""
        scope_key = state.scope_key(Scope(event.tenant, event.environment))
        fact = _fact(FactOwner("applied_coupon", scope_key, event.customer_id), position, topic, event)
        numbered = {**fact.fields, "number": event.number}
        self._store.add_fact(msgspec.structs.replace(fact, fields=numbered))
        return scope_key

    def _definition(self, state: FoldState, position: int, topic: str, event: DefinitionEvent) -> int:
        """Fold a fact; the creation of a subscription a second time, by which its customer leads to it."""
        scope_key = state.scope_key(Scope(event.tenant, event.environment))
        subject, identifier = _named(event)
        fact = _fact(FactOwner(subject, scope_key, identifier), position, topic, event)
        self._store.add_fact(fact)
        if isinstance(event, SubscriptionCreated):
            owner = FactOwner("subscriber", scope_key, event.fields["customer"])
            link = {"subscription": event.subscription_id}
            self._store.add_fact(msgspec.structs.replace(fact, owner=owner, fields=link))
        if isinstance(event, SubscriptionEvent):
            before = state.subscribers.spans(scope_key, identifier)
            state.subscribers.add_fact(scope_key, identifier, position, fact.effective_at, topic, fact.fields)
            move_events(self._store, state, scope_key, identifier, before, position, event.recorded_at)
        return scope_key

    def _customer(self, state: FoldState, position: int, topic: str, event: CustomerEvent) -> int:
        scope = Scope(event.tenant, event.environment)
        scope_key = state.scope_key(scope)
        personal = None
        if isinstance(event, CustomerCreated | CustomerUpdated) and event.personal is not None:
            personal = open_personal(self._keys, event.personal, scope, event.customer_id)
        customer_key = state.customer_key(scope_key, event.customer_id, position)
        owner = FactOwner("customer", scope_key, None, customer_key)
        self._store.add_fact(_fact(owner, position, topic, event, personal))
        if isinstance(event, CustomerDeleted):
            state.prices.add(scope_key, LifeEnded(position, event.customer_id, event.effective_at))
            self._end_subscriptions(state, scope_key, position, event)
        return scope_key

    def _end_subscriptions(self, state: FoldState, scope_key: int, position: int, event: CustomerDeleted) -> None:
        """End the subscriptions of a deleted customer: its events after that have no customer."""
        subscribers = state.subscribers
        ids = subscribers.subscriptions_of(scope_key, event.customer_id)
        spans = [subscribers.spans(scope_key, one) for one in ids]
        subscribers.add_deletion(scope_key, event.customer_id, event.effective_at)
        for one, before in zip(ids, spans, strict=True):
            move_events(self._store, state, scope_key, one, before, position, event.recorded_at)

    def _price(self, state: FoldState, position: int, event: PriceListed | PriceSet | DiscountSet) -> int | None:
        match event:
            case PriceListed():
                self._listed_price(state, position, event)
                return None
            case PriceSet():
                return self._set_price(state, position, event)
            case DiscountSet():
                return self._set_discount(state, position, event)

    def _listed_price(self, state: FoldState, position: int, event: PriceListed) -> None:
        by = event.provenance
        price = NewPrice(
            position, None, event.provider, event.model, event.prices, event.library, event.recorded_at, by.actor
        )
        self._add_price(state, price)
        for scope_key in list(state.scope_keys.values()):
            price_unknown_costs(self._store, state, scope_key, event.provider, event.model, position)

    def _set_price(self, state: FoldState, position: int, event: PriceSet) -> int:
        scope_key = state.scope_key(Scope(event.tenant, event.environment))
        price = NewPrice(
            position,
            scope_key,
            event.provider,
            event.model,
            event.prices,
            None,
            event.recorded_at,
            event.provenance.actor,
            event.customer_id,
            event.life_began_at,
        )
        self._add_price(state, price)
        price_unknown_costs(self._store, state, scope_key, event.provider, event.model, position, event.customer_id)
        return scope_key

    def _add_price(self, state: FoldState, price: NewPrice) -> None:
        state.prices.add(price.scope_key, price.rule)
        self._store.add_price(price)

    def _set_discount(self, state: FoldState, position: int, event: DiscountSet) -> int:
        """Fold a discount. It prices unknown costs where it ends an own price, so that the next one holds."""
        scope_key = state.scope_key(Scope(event.tenant, event.environment))
        discount = NewDiscount(
            position,
            scope_key,
            event.customer_id,
            event.life_began_at,
            event.provider,
            event.model,
            event.percentage,
            event.effective_from,
            event.recorded_at,
            event.provenance.actor,
        )
        state.prices.add(scope_key, discount.rule)
        self._store.add_discount(discount)
        if event.model is not None and event.provider is not None:
            price_unknown_costs(self._store, state, scope_key, event.provider, event.model, position, event.customer_id)
        return scope_key


def _named(event: DefinitionEvent) -> tuple[Subject, str]:
    """What an event is about, and its id."""
    match event:
        case BudgetEvent():
            return "budget", event.budget_id
        case MeterEvent():
            return "meter", event.code
        case PlanEvent():
            return "plan", event.code
        case SubscriptionEvent():
            return "subscription", event.subscription_id
        case PortalEvent():
            return "portal", event.customer_id
        case CouponEvent():
            return "coupon", event.code


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


def _fact(
    owner: FactOwner, position: int, topic: str, event: LifecycleEvent, personal: dict[str, Any] | None = None
) -> NewFact:
    """The event as a fact about `owner`, with its personal fields if they can be read."""
    by = event.provenance
    return NewFact(
        owner,
        position,
        event.effective_at,
        event.recorded_at,
        topic,
        {**getattr(event, "fields", {}), **(personal or {})},
        by.actor,
        by.dialect,
        by.reason,
        getattr(event, "patched", ()),
        getattr(event, "if_known", False),
    )


def _api_key(scope_key: int, position: int, event: ApiKeyIssued) -> NewApiKey:
    return NewApiKey(
        event.key_id,
        scope_key,
        event.scopes,
        event.prefix,
        event.secret_hash,
        event.name,
        event.recorded_at,
        position,
        tuple(one for one in event.environments if one != event.environment),
    )
