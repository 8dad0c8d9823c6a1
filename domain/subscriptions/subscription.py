"""The subscription aggregate: which plan a customer has, from when on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from domain.aggregate import CommandContext
from domain.errors import InvalidInput
from domain.facts.definition import DefinedAggregate
from domain.scope import Scope
from domain.streams import subscription_stream
from domain.subscriptions.events import SubscriptionCreated, SubscriptionTerminated, SubscriptionUpdated
from domain.subscriptions.fields import CHANGEABLE_RULES, SUBSCRIPTION_RULES
from domain.values.field_rules import Rule, instant
from domain.values.identifiers import checked_id
from domain.values.instants import instant_text


class Subscription(DefinedAggregate):
    """The state of one subscription id. Once it has ended, the id may be used again for another customer.

    Its creation is effective from its start on, which may lie ahead or long past.
    """

    noun: ClassVar = "subscription"
    id_field: ClassVar = "subscription_id"
    rules: ClassVar[Mapping[str, Rule]] = SUBSCRIPTION_RULES
    changeable_rules: ClassVar[Mapping[str, Rule]] = CHANGEABLE_RULES
    required_fields: ClassVar = ("customer", "plan")
    created: ClassVar = SubscriptionCreated
    updated: ClassVar = SubscriptionUpdated
    deleted: ClassVar = SubscriptionTerminated

    def __init__(self, scope: Scope, subscription_id: str) -> None:
        super().__init__(subscription_stream(scope, checked_id("id", subscription_id)), scope, subscription_id)

    def create(self, fields: Mapping[str, Any], context: CommandContext) -> None:
        """Subscribe the customer; `AlreadyExists` when the id is in use. One whose end has passed is terminated."""
        ended_at = self._ended_at(context.recorded_at)
        if ended_at is not None:
            self.delete(msgspec.structs.replace(context, effective_at=ended_at))
        _check_end(fields.get("ends_at"), self.effective(context))
        super().create(fields, context)

    def update(self, changes: Mapping[str, Any], context: CommandContext) -> None:
        """Change name, plan or end; None clears a name or an end. Every subscription has a plan."""
        self.check_exists()
        if "plan" in changes and changes["plan"] is None:
            raise InvalidInput("plan", "must not be cleared; terminate the subscription")
        if self.created_at is not None:
            _check_end(changes.get("ends_at"), self.created_at)
        super().update(changes, context)

    def _ended_at(self, now: datetime) -> datetime | None:
        """The end that was set for a subscription that is not terminated, if it has passed."""
        ends_at = self.timeline.latest().get("ends_at") if self.alive else None
        end = None if ends_at is None else datetime.fromisoformat(ends_at)
        return end if end is not None and end <= now else None


def _check_end(given: object, start: datetime) -> None:
    if given is not None and instant("ends_at", given) <= instant_text(start):
        raise InvalidInput("ends_at", f"must be after the start, {instant_text(start)}")
