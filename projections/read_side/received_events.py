"""Events as they were received, found by the identity index and read back from the log."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from domain.customers.personal_keys import PersonalKeys
from domain.log.records import EventLog
from domain.scope import Scope
from domain.usage.amending.sent_form import StoredRow
from domain.usage.locators import locator_of
from domain.usage.received_members import Members
from domain.values.instants import aware
from projections.folding.event_lookup import EventLookup, LocatedEvent
from projections.identity.index import IdentityIndex
from projections.queries.events import EventLocation, UsageEventRow
from projections.queries.snapshot import Snapshot
from projections.views.charging.subscriptions import customer_of_subscription


class IndexedEvents:
    """See `projections.queries.snapshot.ReceivedEvents`. Safe to use by several threads.

    `keys` decrypt the facts that events carried. `index` returns the identity index in use. For a moment it does not
    cover the last step of the read store; events of that step are looked for in the rows.
    """

    def __init__(self, log: EventLog, keys: PersonalKeys, hash_seed: int, index: Callable[[], IdentityIndex]) -> None:
        self._keys = keys
        self._hash_seed = hash_seed
        self._index = index
        self._lookup = EventLookup(log)
        self._using = threading.Lock()

    def counted(self, snapshot: Snapshot, scope: Scope, source: str, event_id: str) -> UsageEventRow | None:
        """Return the event counted under this identity, voided or not; None when none was counted."""
        covered, claimed = self._claimed(scope, source, event_id)
        located = _holder(snapshot, claimed)
        if located is not None:
            customer = located.subject or _of_subscription(snapshot, scope, located)
            return snapshot.event_located(scope, EventLocation(located.locator, customer, located.time))
        if covered >= snapshot.point().position:
            return None
        return snapshot.event(scope, source, event_id, from_locator=locator_of(covered + 1, 0))

    def row(self, locator: int) -> StoredRow | None:
        """Return the columns of the event at a locator as it was received; None when intake rejected it."""
        with self._using:
            return self._lookup.row(locator)

    def members(self, locator: int) -> Members | None:
        """Return what the event at a locator said; None when intake rejected it."""
        with self._using:
            return self._lookup.members(locator, self._keys)

    def amended_members(self, position: int, locator: int) -> Members:
        """Return what an event said as the amendment at this log position made it."""
        with self._using:
            return self._lookup.amended_members(position, locator)

    def _claimed(self, scope: Scope, source: str, event_id: str) -> tuple[int, list[LocatedEvent]]:
        """The position up to which the index was asked, and the events that it knows to have claimed the identity."""
        index = self._index()
        covered = index.covered_position
        try:
            with self._using:
                return covered, self._lookup.claimed(index, self._hash_seed, scope, source, event_id)
        except ValueError:  # the index was replaced by that of a rebuild, and closed
            return 0, []


def _holder(snapshot: Snapshot, claimed: Sequence[LocatedEvent]) -> LocatedEvent | None:
    """Of the events that ever claimed an identity the one that holds it.

    Without one it is the last that a replacement withdrew, as `TakenClaims.holder` finds it; else the last one.
    """
    if len(claimed) < 2:
        return claimed[0] if claimed else None
    locators = [event.locator for event in claimed]
    held, reverted = set(snapshot.held(locators)), set(snapshot.reverted(locators))
    holding = [event for event in claimed if event.locator in held]
    withdrawn = [event for event in claimed if event.locator not in reverted]
    return holding[0] if holding else (withdrawn or claimed)[-1]


def _of_subscription(snapshot: Snapshot, scope: Scope, event: LocatedEvent) -> str | None:
    if event.subscription is None:
        return None
    return customer_of_subscription(snapshot, scope, event.subscription, aware(event.time))
