"""The customer aggregate: created or adopted, changed, blocked, deactivated, deleted, and created again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.aggregate import Aggregate, CommandContext
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
    check_field_combinations,
    checked_changes,
    with_changes,
    with_separate_limits,
)
from domain.customers.personal_data import PersonalSeal
from domain.customers.timeline import CustomerChange, CustomerState, CustomerTimeline
from domain.errors import AlreadyExists, InvalidInput, NotFound
from domain.event import LifecycleEvent
from domain.scope import Scope
from domain.streams import customer_stream
from domain.values.identifiers import checked_id


class Customer(Aggregate):
    """The state of one customer id.

    `life` counts from 1: a deletion ends a life, and the next one begins without any fields. `alive` tells whether
    lifecycle events made the customer explicit; one known by usage alone is not.

    `fields`, `personal`, `blocked` and `active` are the stored values of the present life after all its changes took
    effect, future-dated ones included. A command is checked against the state at its own effective instant. `personal`
    lacks values that were encrypted with a key that no longer exists.
    """

    def __init__(self, scope: Scope, customer_id: str, seal: PersonalSeal) -> None:
        super().__init__(customer_stream(scope, checked_id("customer_id", customer_id)))
        self.scope = scope
        self.customer_id = customer_id
        self.life = 1
        self.life_began_at: datetime | None = None  # when the previous life ended
        self._seal = seal
        self._begin_life()

    def _begin_life(self) -> None:
        self.alive = False
        self.created_at: datetime | None = None  # effective
        self._timeline = CustomerTimeline()
        self._has_sealed = False

    @property
    def fields(self) -> dict[str, Any]:
        """The fields, without personal ones."""
        return self._timeline.latest.fields

    @property
    def personal(self) -> dict[str, Any]:
        """The decrypted personal fields."""
        return self._timeline.latest.personal

    @property
    def blocked(self) -> bool:
        """Whether access is refused."""
        return self._timeline.latest.blocked

    @property
    def active(self) -> bool:
        """Whether the customer is shown in reports by customer."""
        return self._timeline.latest.active

    @property
    def personal_key_id(self) -> str:
        """The id of the encryption key of the present life; a hash, so that it does not reveal the customer's id."""
        return f"{hashlib.sha256(self.id.encode()).hexdigest()}:{self.life}"

    def create(self, changes: Mapping[str, Any], context: CommandContext) -> None:
        """Begin a life, or adopt the one that usage began; `AlreadyExists` when the customer is explicit already."""
        if self.alive:
            raise AlreadyExists(f"customer {self.customer_id!r} exists already")
        self._set(CustomerCreated, CustomerState(), checked_changes(CUSTOMER_RULES, {}, changes), context)

    def adopt(self, context: CommandContext) -> None:
        """Make a customer explicit that is known by usage alone; no effect when it is explicit already."""
        if not self.alive:
            self._set(CustomerCreated, CustomerState(), {}, context)

    def adopt_if_seen(self, seen_at: datetime | None, context: CommandContext) -> None:
        """Adopt the customer if its latest usage is in the present life.

        `seen_at` is the event time of the latest usage, as the caller read it (None: no usage). It may be out of date:
        usage of a life that was deleted since then does not revive the customer.
        """
        if seen_at is not None and (self.life_began_at is None or seen_at >= self.life_began_at):
            self.adopt(context)

    def update(
        self, changes: Mapping[str, Any], context: CommandContext, replaced: frozenset[str] = frozenset()
    ) -> None:
        """Change fields: a present key sets the field, None clears it; no effect when nothing changes.

        Map fields (metadata, model_limits) are merged unless they are in `replaced`.
        """
        self._check_alive()
        for field in CREATION_FIELDS & changes.keys():
            raise InvalidInput(field, "must be given only when the customer is created")
        state = self._state_for(context)
        current = {**state.fields, **state.personal}
        changed = checked_changes(CUSTOMER_RULES, current, with_separate_limits(changes), replaced)
        if changed:
            self._set(CustomerUpdated, state, changed, context)

    def block(self, context: CommandContext) -> None:
        """Refuse access; no effect when blocked already."""
        self._check_alive()
        if not self._state_for(context).blocked:
            self._emit(CustomerBlocked(**self._event_fields(context)))

    def unblock(self, context: CommandContext) -> None:
        """Undo a block; no effect when not blocked."""
        self._check_alive()
        if self._state_for(context).blocked:
            self._emit(CustomerUnblocked(**self._event_fields(context)))

    def deactivate(self, context: CommandContext) -> None:
        """Hide from reports by customer; no effect when hidden already."""
        self._check_alive()
        if self._state_for(context).active:
            self._emit(CustomerDeactivated(**self._event_fields(context)))

    def reactivate(self, context: CommandContext) -> None:
        """Show in reports by customer again; no effect when not hidden."""
        self._check_alive()
        if not self._state_for(context).active:
            self._emit(CustomerReactivated(**self._event_fields(context)))

    def delete(self, context: CommandContext) -> None:
        """End the present life at the effective instant of the command, which must not be in the future."""
        self._check_alive()
        if context.effective_at is not None and context.effective_at > context.recorded_at:
            raise InvalidInput("effective_at", "of a deletion must not be in the future")
        self._emit(CustomerDeleted(**self._event_fields(context)))

    def apply(self, event: LifecycleEvent) -> None:
        """Apply a customer event."""
        match event:
            case CustomerCreated():
                self.alive = True
                self.created_at = event.effective_at
                self._apply_fields(event, starts_afresh=True)
            case CustomerUpdated():
                self._apply_fields(event, starts_afresh=False)
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
                raise self._unexpected_event(event)

    def _apply_fields(self, event: CustomerCreated | CustomerUpdated, starts_afresh: bool) -> None:
        personal: Mapping[str, Any] = {}
        if event.personal is not None:
            self._has_sealed = True
            personal = self._seal.open(event.personal) or {}
        self._timeline.add(CustomerChange(event.effective_at, event.fields, personal, starts_afresh=starts_afresh))

    def _state_for(self, context: CommandContext) -> CustomerState:
        """Return the state at the effective instant of a command."""
        return self._timeline.at(context.effective_not_before(self.life_began_at))

    def _set(
        self,
        event_class: type[CustomerCreated | CustomerUpdated],
        before: CustomerState,
        changed: Mapping[str, Any],
        context: CommandContext,
    ) -> None:
        check_field_combinations(with_changes(before.fields, changed))
        fields = {field: value for field, value in changed.items() if field not in PERSONAL_FIELDS}
        personal = {field: value for field, value in changed.items() if field in PERSONAL_FIELDS}
        about = self._event_fields(context)
        sealed = self._seal.seal(self.personal_key_id, personal, not self._has_sealed) if personal else None
        self._emit(event_class(**about, fields=fields, personal=sealed))

    def _event_fields(self, context: CommandContext) -> dict[str, Any]:
        place = self._common_fields(context, context.effective_not_before(self.life_began_at))
        return {
            **place,
            "tenant": self.scope.tenant,
            "environment": self.scope.environment,
            "customer_id": self.customer_id,
        }

    def _check_alive(self) -> None:
        if not self.alive:
            raise NotFound(f"customer {self.customer_id!r} does not exist")
