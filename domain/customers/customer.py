"""The customer aggregate: created, changed, blocked, deactivated, deleted, and created again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from domain.aggregate import CommandContext
from domain.customers.events import (
    ConditionalEvent,
    CustomerBlocked,
    CustomerCreated,
    CustomerDeactivated,
    CustomerDeleted,
    CustomerEvent,
    CustomerFactsCarried,
    CustomerReactivated,
    CustomerUnblocked,
    CustomerUpdated,
)
from domain.customers.fields import (
    CREATION_FIELDS,
    CUSTOMER_RULES,
    PERSONAL_FIELDS,
    check_state,
    checked_fields,
    patched_fields,
    with_separate_limits,
    with_whole_maps,
)
from domain.customers.personal_data import PersonalSeal, personal_key_id
from domain.customers.state_fields import SET_BY_EVENT
from domain.errors import AlreadyExists, InvalidInput
from domain.event import LifecycleEvent
from domain.facts.aggregate import EffectiveDatedAggregate, check_deletion
from domain.scope import Scope
from domain.streams import customer_stream
from domain.values.identifiers import checked_id
from domain.values.instants import instant_text

#: The alignments of the two period policies, and the anchor of each.
_ANCHORS: Final = {"usage_alignment": "usage_anchor", "budget_alignment": "budget_anchor"}


class Customer(EffectiveDatedAggregate):
    """The state of one customer id. One that is known by usage alone is not `alive`.

    A command is checked against the states from its own effective instant on. Personal fields are among the others,
    without those that were encrypted with a key that no longer exists.
    """

    def __init__(self, scope: Scope, customer_id: str, seal: PersonalSeal) -> None:
        super().__init__(customer_stream(scope, checked_id("customer_id", customer_id)))
        self.scope = scope
        self.customer_id = customer_id
        self._seal = seal

    def _begin_life(self) -> None:
        super()._begin_life()
        self._has_sealed = False

    @property
    def personal_key_id(self) -> str:
        """The id of the encryption key of the present life."""
        return personal_key_id(self.id, self.life)

    def is_known(self, seen_at: datetime | None, now: datetime) -> bool:
        """Whether the customer exists: a fact says so, or it has usage in the present life.

        `seen_at` is the event time of its latest usage, as the caller read it (None: no usage). It may be out of date:
        usage of a life that was deleted since then does not count. Nor does usage ahead of `now`, once the customer was
        deleted: it will begin the next life when it is due.
        """
        return self.alive or (seen_at is not None and (self.began_at is None or self.began_at <= seen_at <= now))

    def create(self, changes: Mapping[str, Any], context: CommandContext) -> None:
        """Make the customer explicit by a creation; `AlreadyExists` when the present life has one."""
        if self.created_at is not None:
            raise AlreadyExists(f"customer {self.customer_id!r} exists already")
        fields = checked_fields(CUSTOMER_RULES, with_whole_maps(changes))
        fields = {name: value for name, value in fields.items() if value is not None}
        fields |= self._anchors(fields, (), context, self.effective(context))
        self._check(fields, (), context)
        plain, sealed = self._sealed(fields)
        self._emit(CustomerCreated(**self._event_fields(context), fields=plain, personal=sealed))

    def update(
        self,
        changes: Mapping[str, Any],
        context: CommandContext,
        replaced: frozenset[str] = frozenset(),
        *,
        if_known: bool = False,
        anchor_default: datetime | None = None,
    ) -> None:
        """Change fields: a present key sets the field, None clears it. Maps are patched unless they are in `replaced`.

        No effect when nothing changes and the command names no instant. `if_known`: see `ConditionalEvent`. An anchored
        policy without an anchor gets one: the creation, else `anchor_default`, else the instant of the command.
        """
        for field in CREATION_FIELDS & changes.keys():
            raise InvalidInput(field, "must be given only when the customer is created")
        changes, patched = with_separate_limits(changes), patched_fields(changes, replaced)
        fields = checked_fields(CUSTOMER_RULES, changes, patched)
        fields |= self._anchors(fields, patched, context, self.created_at or anchor_default or self.effective(context))
        if self._check(fields, patched, context):
            plain, sealed = self._sealed(fields)
            about = self._event_fields(context)
            self._emit(CustomerUpdated(**about, fields=plain, personal=sealed, patched=patched, if_known=if_known))

    def block(self, context: CommandContext) -> None:
        """Refuse access; no effect when blocked already."""
        self._switch(CustomerBlocked(**self._event_fields(context)), context)

    def unblock(self, context: CommandContext, *, if_known: bool = False) -> None:
        """Undo a block; no effect when not blocked."""
        self._switch(CustomerUnblocked(**self._event_fields(context), if_known=if_known), context)

    def deactivate(self, context: CommandContext, *, if_known: bool = False) -> None:
        """Hide from reports by customer; no effect when hidden already."""
        self._switch(CustomerDeactivated(**self._event_fields(context), if_known=if_known), context)

    def reactivate(self, context: CommandContext, *, if_known: bool = False) -> None:
        """Show in reports by customer again; no effect when not hidden."""
        self._switch(CustomerReactivated(**self._event_fields(context), if_known=if_known), context)

    def delete(self, context: CommandContext) -> None:
        """End the present life at the effective instant of the command, which must not be in the future."""
        check_deletion(context)
        self._emit(CustomerDeleted(**self._event_fields(context)))

    def apply(self, event: LifecycleEvent) -> None:
        """Apply a customer event."""
        match event:
            case CustomerCreated():
                self._apply_creation(event, self._opened(event))
            case CustomerUpdated():
                self._apply_fact(event, self._opened(event), event.patched)
            case CustomerDeleted():
                self._apply_deletion(event)
                return
            case CustomerFactsCarried():
                self.holds_all_facts = False
                self._has_sealed = self._has_sealed or event.personal_key_id is not None
                return
            case CustomerEvent():
                self._apply_fact(event, SET_BY_EVENT[type(event)])
            case _:
                raise self._unexpected_event(event)
        if not (isinstance(event, ConditionalEvent) and event.if_known):
            self.alive = True

    def _switch(self, event: CustomerEvent, context: CommandContext) -> None:
        if self._timeline_with(SET_BY_EVENT[type(event)], (), context) is not None:
            self._emit(event)

    def _check(self, fields: Mapping[str, Any], patched: tuple[str, ...], context: CommandContext) -> bool:
        """Check every state that a command leads to; return whether it must be written."""
        after = self._timeline_with(fields, patched, context)
        for state in () if after is None else after.since(self.effective(context)):
            check_state(CUSTOMER_RULES, state, fields)
        return after is not None

    def _anchors(
        self, fields: Mapping[str, Any], patched: tuple[str, ...], context: CommandContext, anchor: datetime
    ) -> dict[str, Any]:
        """Return the anchors that an anchored policy among these fields needs and does not have."""
        anchored = [name for alignment, name in _ANCHORS.items() if fields.get(alignment) == "anchored"]
        after = self._timeline_with(fields, patched, context) if anchored else None
        if after is None:
            return {}
        state = after.at(self.effective(context))
        missing = [name for name in anchored if name not in state]
        if "budget_id" in state:  # the shared budget may have an anchor
            missing = [name for name in missing if name != "budget_anchor"]
        return {name: instant_text(anchor) for name in missing}

    def _sealed(self, fields: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
        """Return the fields that are not personal, and the personal ones encrypted (None: there are none)."""
        personal = {name: value for name, value in fields.items() if name in PERSONAL_FIELDS}
        plain = {name: value for name, value in fields.items() if name not in PERSONAL_FIELDS}
        sealed = self._seal.seal(self.personal_key_id, personal, not self._has_sealed) if personal else None
        return plain, sealed

    def _opened(self, event: CustomerCreated | CustomerUpdated) -> dict[str, Any]:
        if event.personal is None:
            return event.fields
        self._has_sealed = True
        return {**event.fields, **(self._seal.open(event.personal) or {})}

    def _event_fields(self, context: CommandContext) -> dict[str, Any]:
        return {
            **self._common_fields(context, self.effective(context)),
            "tenant": self.scope.tenant,
            "environment": self.scope.environment,
            "customer_id": self.customer_id,
        }
