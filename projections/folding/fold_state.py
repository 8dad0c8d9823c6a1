"""The state that the fold keeps in memory between transactions: surrogate keys, prices, amended events, the
customers of subscriptions, and voids without an event yet.

All of it is derived from the read store and loaded again from there after a failed transaction.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from domain.correction_runs.set_members import SetMembers
from domain.log.chain import CHAIN_START
from domain.scope import Scope
from projections.attribution.subscribers import Subscribers
from projections.identity.amended import AmendedEvents
from projections.identity.claims import TakenClaims
from projections.identity.known_backfills import KnownBackfills
from projections.pricing.price_book import PriceBook

#: Event type, provider and model.
SeriesKey = tuple[str, str | None, str | None]


class NewKeys(msgspec.Struct):
    """Surrogate keys assigned in the open transaction, to be stored with it."""

    scopes: list[tuple[int, Scope]] = msgspec.field(default_factory=list)
    kinds: list[tuple[int, str, str | None, str | None]] = msgspec.field(default_factory=list)
    customers: list[tuple[int, int, str, int]] = msgspec.field(default_factory=list)


class CommittedRun(msgspec.Struct):
    """A correction run that was committed at `position`. `members`: what it set; None: it voided or restored."""

    position: int
    members: SetMembers | None = None
    is_reverted: bool = False


class FoldState:
    """The in-memory state of one fold, up to `position`.

    Surrogate keys are assigned in the order in which the fold meets their owners; no answer depends on that order.
    """

    def __init__(self) -> None:
        self.log_id = ""
        self.hash_seed = 0
        self.position = 0
        self.running_hash = CHAIN_START
        self.recorded_at: datetime | None = None
        self.scope_keys: dict[Scope, int] = {}
        self.kind_keys: dict[SeriesKey, int] = {}
        self.customer_keys: dict[tuple[int, str], int] = {}
        self.prices = PriceBook(self.customer_keys)
        # Identities (scope key, source, id) whose last correction is a void and that have no event yet.
        self.waiting_voids: set[tuple[int, str, str]] = set()
        # The position at which each re-pricing run, by scope key and name, was committed.
        self.repricings: dict[tuple[int, str], int] = {}
        # The commit of each correction run.
        self.correction_runs: dict[tuple[int, str], CommittedRun] = {}
        self.amended = AmendedEvents()
        self.backfills = KnownBackfills()
        self.taken = TakenClaims()
        self.subscribers = Subscribers()
        self.new = NewKeys()

    def take_new_keys(self) -> NewKeys:
        """The keys assigned since the last call."""
        new, self.new = self.new, NewKeys()
        return new

    def scope_key(self, scope: Scope) -> int:
        """The key of a scope, assigned at first use."""
        key = self.scope_keys.get(scope)
        if key is None:
            key = self.scope_keys[scope] = len(self.scope_keys) + 1
            self.new.scopes.append((key, scope))
        return key

    def kind_key(self, event_type: str, provider: str | None, model: str | None) -> int:
        """The key of a series (event type, provider, model), assigned at first use."""
        kind = (event_type, provider, model)
        key = self.kind_keys.get(kind)
        if key is None:
            key = self.kind_keys[kind] = len(self.kind_keys) + 1
            self.new.kinds.append((key, *kind))
        return key

    def series(self, kind_key: int) -> SeriesKey:
        """The series with this key. Searches all of them."""
        return next(series for series, key in self.kind_keys.items() if key == kind_key)

    def customer_key(self, scope_key: int, customer_id: str, position: int) -> int:
        """The key of a customer, assigned at first use.

        The first position of a new customer is the lowest `position` given in the transaction that assigns its key.
        """
        name = (scope_key, customer_id)
        key = self.customer_keys.get(name)
        if key is None:
            key = self.customer_keys[name] = len(self.customer_keys) + 1
            self.new.customers.append((key, scope_key, customer_id, position))
        elif self.new.customers and key >= self.new.customers[0][0]:
            index = key - self.new.customers[0][0]
            if position < self.new.customers[index][3]:
                self.new.customers[index] = (key, scope_key, customer_id, position)
        return key
