"""A customer: created or adopted, changed, blocked, hidden, deleted, and living again under the same id."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.aggregate import Aggregate, Occasion
from domain.customers.events import (
    CustomerBlocked,
    CustomerCreated,
    CustomerDeactivated,
    CustomerDeleted,
    CustomerReactivated,
    CustomerUnblocked,
    CustomerUpdated,
)
from domain.customers.fields import (
    CREATION_FIELDS,
    CUSTOMER_RULES,
    PERSONAL_FIELDS,
    check_together,
    checked_changes,
    limits_each_by_itself,
    with_changes,
)
from domain.customers.personal_data import PersonalSeal
from domain.customers.timeline import CustomerChange, CustomerState, CustomerTimeline
from domain.errors import AlreadyExists, InvalidInput, NotFound
from domain.event import LifecycleEvent
from domain.scope import Scope
from domain.streams import customer_stream
from domain.values.identifiers import checked_id


class Customer(Aggregate):
    """The state of one customer id. `life` counts from 1; deletion ends a life, and the next begins with nothing.

    `fields`, `personal`, `blocked` and `active` are those of the present life once all that was said took effect, as
    stored; a command is judged by what holds at the instant from which it counts. `personal` lacks what was sealed with
    a key that is gone. `alive` is whether the customer exists by lifecycle events.
    """

    def __init__(self, scope: Scope, customer_id: str, seal: PersonalSeal) -> None:
        super().__init__(customer_stream(scope, checked_id("customer_id", customer_id)))
        self.scope = scope
        self.customer_id = customer_id
        self.life = 1
        self.life_began_at: datetime | None = None  # when the life before ended
        self._seal = seal
        self._begin_life()

    def _begin_life(self) -> None:
        self.alive = False
        self.created_at: datetime | None = None  # effective
        self._timeline = CustomerTimeline()
        self._has_sealed = False

    @property
    def fields(self) -> dict[str, Any]:
        return self._timeline.latest.fields

    @property
    def personal(self) -> dict[str, Any]:
        return self._timeline.latest.personal

    @property
    def blocked(self) -> bool:
        return self._timeline.latest.blocked

    @property
    def active(self) -> bool:
        return self._timeline.latest.active

    @property
    def personal_key_id(self) -> str:
        """The key of the present life's personal data. Says nothing about the customer's id to who does not know it."""
        return f"{hashlib.sha256(self.id.encode()).hexdigest()}:{self.life}"

    def create(self, changes: Mapping[str, Any], occasion: Occasion) -> None:
        """Begin a life, or adopt the one that usage began; `AlreadyExists` when alive."""
        if self.alive:
            raise AlreadyExists(f"customer {self.customer_id!r} exists")
        self._set(CustomerCreated, CustomerState(), checked_changes(CUSTOMER_RULES, {}, changes), occasion)

    def adopt(self, occasion: Occasion) -> None:
        """Make explicit a customer that exists by usage; nothing happens when it is explicit already."""
        if not self.alive:
            self._set(CustomerCreated, CustomerState(), {}, occasion)

    def adopt_seen(self, seen_at: datetime | None, occasion: Occasion) -> None:
        """Adopt it if its latest usage, at `seen_at` in event time (None: there is none), lies in the present life.

        Usage of a life that ended meanwhile revives nobody, however lately somebody has looked.
        """
        if seen_at is not None and (self.life_began_at is None or seen_at >= self.life_began_at):
            self.adopt(occasion)

    def update(self, changes: Mapping[str, Any], occasion: Occasion, replaced: frozenset[str] = frozenset()) -> None:
        """Change fields: a key that is present sets, None clears. Nothing happens when nothing changes."""
        self._check_alive()
        for field in CREATION_FIELDS & changes.keys():
            raise InvalidInput(field, "can be given only when the customer is created")
        state = self._state_for(occasion)
        current = {**state.fields, **state.personal}
        changed = checked_changes(CUSTOMER_RULES, current, limits_each_by_itself(changes), replaced)
        if changed:
            self._set(CustomerUpdated, state, changed, occasion)

    def block(self, occasion: Occasion) -> None:
        """Refuse access; nothing happens when blocked already."""
        self._check_alive()
        if not self._state_for(occasion).blocked:
            self._give(CustomerBlocked(**self._about(occasion)))

    def unblock(self, occasion: Occasion) -> None:
        """Take a block back; nothing happens when not blocked."""
        self._check_alive()
        if self._state_for(occasion).blocked:
            self._give(CustomerUnblocked(**self._about(occasion)))

    def deactivate(self, occasion: Occasion) -> None:
        """Hide from reports by customer; nothing happens when hidden already."""
        self._check_alive()
        if self._state_for(occasion).active:
            self._give(CustomerDeactivated(**self._about(occasion)))

    def reactivate(self, occasion: Occasion) -> None:
        """Show in reports again; nothing happens when not hidden."""
        self._check_alive()
        if not self._state_for(occasion).active:
            self._give(CustomerReactivated(**self._about(occasion)))

    def delete(self, occasion: Occasion) -> None:
        """End the life at the occasion's effective instant, which must not lie in the future."""
        self._check_alive()
        if occasion.effective_at is not None and occasion.effective_at > occasion.recorded_at:
            raise InvalidInput("effective_at", "of a deletion must not lie in the future")
        self._give(CustomerDeleted(**self._about(occasion)))

    def apply(self, event: LifecycleEvent) -> None:
        match event:
            case CustomerCreated():
                self.alive = True
                self.created_at = event.effective_at
                self._take(event, starts_afresh=True)
            case CustomerUpdated():
                self._take(event, starts_afresh=False)
            case CustomerBlocked() | CustomerUnblocked():
                blocked = isinstance(event, CustomerBlocked)
                self._timeline.add(CustomerChange(event.effective_at, blocked=blocked))
            case CustomerDeactivated() | CustomerReactivated():
                active = isinstance(event, CustomerReactivated)
                self._timeline.add(CustomerChange(event.effective_at, active=active))
            case CustomerDeleted():
                self.life += 1
                self.life_began_at = event.effective_at
                self._begin_life()
            case _:
                raise self._foreign(event)

    def _take(self, event: CustomerCreated | CustomerUpdated, starts_afresh: bool) -> None:
        personal: Mapping[str, Any] = {}
        if event.personal is not None:
            self._has_sealed = True
            personal = self._seal.open(event.personal) or {}
        self._timeline.add(CustomerChange(event.effective_at, event.fields, personal, starts_afresh=starts_afresh))

    def _state_for(self, occasion: Occasion) -> CustomerState:
        """What holds at the instant from which a command counts."""
        return self._timeline.at(occasion.not_before(self.life_began_at))

    def _set(
        self,
        event_class: type[CustomerCreated | CustomerUpdated],
        before: CustomerState,
        changed: Mapping[str, Any],
        occasion: Occasion,
    ) -> None:
        check_together(with_changes(before.fields, changed))
        fields = {field: value for field, value in changed.items() if field not in PERSONAL_FIELDS}
        personal = {field: value for field, value in changed.items() if field in PERSONAL_FIELDS}
        about = self._about(occasion)
        sealed = self._seal.seal(self.personal_key_id, personal, not self._has_sealed) if personal else None
        self._give(event_class(**about, fields=fields, personal=sealed))

    def _about(self, occasion: Occasion) -> dict[str, Any]:
        place = self._place(occasion, occasion.not_before(self.life_began_at))
        return {
            **place,
            "tenant": self.scope.tenant,
            "environment": self.scope.environment,
            "customer_id": self.customer_id,
        }

    def _check_alive(self) -> None:
        if not self.alive:
            raise NotFound(f"customer {self.customer_id!r} does not exist")
