"""Events of subscriptions.

A creation is effective from the start of the subscription on, a change of plan from the instant of the change. The end
of a subscription has a topic that ends like that of a deletion, because it ends a life of the id in the same way.
"""

from __future__ import annotations

from typing import Any, Final

from domain.event import LifecycleEvent

#: Topics of these events in the log, which never change.
SUBSCRIPTION_CREATED: Final = "subscription.created"
SUBSCRIPTION_UPDATED: Final = "subscription.updated"
SUBSCRIPTION_TERMINATED: Final = "subscription.deleted"


class SubscriptionEvent(LifecycleEvent, frozen=True, kw_only=True):
    """An event of the subscription with this id."""

    tenant: str
    environment: str
    subscription_id: str


class SubscriptionCreated(SubscriptionEvent, frozen=True, kw_only=True):
    """A customer was subscribed to a plan."""

    fields: dict[str, Any]  # see `domain.subscriptions.fields`


class SubscriptionUpdated(SubscriptionEvent, frozen=True, kw_only=True):
    """Fields of a subscription were set or cleared, its plan among them."""

    fields: dict[str, Any]


class SubscriptionTerminated(SubscriptionEvent, frozen=True, kw_only=True):
    """A subscription ended; its id may be used again."""
