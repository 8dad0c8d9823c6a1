"""Commands about subscriptions: create, update, terminate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from domain.aggregate import CommandContext
from domain.command import Aggregates, EffectiveDatedCommand, Executed, SealOf
from domain.errors import InvalidInput
from domain.plans.plan import Plan
from domain.scope import Scope
from domain.subscriptions.subscription import Subscription


class SubscriptionCommand(EffectiveDatedCommand[Subscription], frozen=True):
    """A command about one subscription."""

    subscription_id: str

    def blank(self, seal_of: SealOf) -> Subscription:
        """Return the subscription without any events."""
        return Subscription(self.scope, self.subscription_id)


class CreateSubscription(SubscriptionCommand, frozen=True):
    """Subscribe a customer to a plan. `AlreadyExists` when the id is in use; `InvalidInput` without such a plan."""

    fields: Mapping[str, Any]

    def execute(self, aggregates: Aggregates, context: CommandContext) -> Executed[Subscription]:
        """Look for the plan, and create the subscription."""
        executed = super().execute(aggregates, context)
        _check_plan(aggregates, self.scope, self.fields)
        return executed

    def apply(self, aggregate: Subscription, context: CommandContext) -> None:
        """Create the subscription with its fields."""
        aggregate.create(self.fields, context)


class UpdateSubscription(SubscriptionCommand, frozen=True):
    """Change the name, the plan or the end of a subscription. `InvalidInput` without such a plan.

    `read`: see `DefinedAggregate.check_read`.
    """

    changes: Mapping[str, Any]
    read: Mapping[str, Any] = msgspec.field(default_factory=dict)

    def execute(self, aggregates: Aggregates, context: CommandContext) -> Executed[Subscription]:
        """Change the subscription, and look for the plan."""
        executed = super().execute(aggregates, context)
        _check_plan(aggregates, self.scope, self.changes)
        return executed

    def apply(self, aggregate: Subscription, context: CommandContext) -> None:
        """Change fields; no effect when nothing changes."""
        aggregate.check_read(self.read, context)
        aggregate.update(self.changes, context)


class TerminateSubscription(SubscriptionCommand, frozen=True):
    """End a subscription."""

    def apply(self, aggregate: Subscription, context: CommandContext) -> None:
        """End the subscription; what it cost stays."""
        aggregate.delete(context)


def _check_plan(aggregates: Aggregates, scope: Scope, fields: Mapping[str, Any]) -> None:
    """Check the plan that was named; it has the form of a code, as the subscription took it."""
    code = fields.get("plan")
    if code is not None and not aggregates.load(Plan(scope, code)).alive:
        raise InvalidInput("plan", f"must be the code of a plan; there is no plan {code!r}")
