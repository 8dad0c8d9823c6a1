"""The subscriptions of a customer, and pages of all, as a snapshot knows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final

from domain.customers.events import CUSTOMER_DELETED
from domain.errors import InvalidInput
from domain.scope import Scope
from domain.subscriptions.lives import SubscriptionLife, subscription_lives
from projections.queries.customers import CustomerRecord
from projections.queries.facts import Fact
from projections.queries.snapshot import PAGE_ROWS_MAX, Snapshot

#: Subscriptions of one customer that are looked at, ended ones included.
SUBSCRIPTIONS_MAX: Final = PAGE_ROWS_MAX


def lives_of_customer(
    snapshot: Snapshot, scope: Scope, customer_id: str, record: CustomerRecord | None
) -> list[SubscriptionLife]:
    """The lives of all subscriptions that the customer ever had, by id, then time.

    `InvalidInput` when there are more than `SUBSCRIPTIONS_MAX`: without all of them no event has its place.
    """
    ids = _ids_of(snapshot, scope, customer_id)
    if len(ids) > SUBSCRIPTIONS_MAX:
        raise InvalidInput("customer", f"must not have had more than {SUBSCRIPTIONS_MAX} subscriptions")
    facts = snapshot.facts_named(scope, "subscription", ids)
    deletions = deletions_of(record)
    lives = (life for name in ids for life in subscription_lives(name, facts.get(name, ()), lambda _: deletions))
    return [life for life in lives if life.customer_id == customer_id]


def subscription_ids(
    snapshot: Snapshot, scope: Scope, customer_id: str | None, after: str | None, limit: int
) -> list[str]:
    """A page of subscription ids in ascending order, of all customers or those that one ever had."""
    if customer_id is None:
        return snapshot.ids(scope, "subscription", after, limit)
    return [one for one in _ids_of(snapshot, scope, customer_id) if after is None or one > after][:limit]


def shown_lives(snapshot: Snapshot, scope: Scope, ids: Sequence[str], now: datetime) -> list[SubscriptionLife]:
    """Of each of at most `PAGE_ROWS_MAX` ids, the life at `now`, else the next one, else the last one; in their order.

    Ids that never had any are left out.
    """
    facts = snapshot.facts_named(scope, "subscription", ids)
    deletions = deletions_by_customer(snapshot, scope, facts.values())
    lives = (subscription_lives(name, facts.get(name, ()), deletions) for name in ids)
    return [_shown(of_id, now) for of_id in lives if of_id]


def customer_of_subscription(snapshot: Snapshot, scope: Scope, subscription_id: str, instant: datetime) -> str | None:
    """The customer that a subscription has at an instant; None without one."""
    facts = snapshot.facts(scope, "subscription", subscription_id)
    lives = subscription_lives(subscription_id, facts, deletions_by_customer(snapshot, scope, [facts]))
    return next((life.customer_id for life in lives if life.span.contains(instant)), None)


def _shown(lives: Sequence[SubscriptionLife], now: datetime) -> SubscriptionLife:
    not_ended = (life for life in lives if life.status(now) != "terminated")
    return next(not_ended, lives[-1])


def deletions_by_customer(
    snapshot: Snapshot, scope: Scope, facts: Iterable[Sequence[Fact]]
) -> Callable[[str], Sequence[datetime]]:
    """The deletions of the customers of subscriptions, whose facts these are, by one query for 1,000 customers."""
    named = sorted({str(fact.fields["customer"]) for of_one in facts for fact in of_one if "customer" in fact.fields})
    found: dict[str, list[datetime]] = {}
    for first in range(0, len(named), PAGE_ROWS_MAX):
        found |= snapshot.customer_deletions(scope, named[first : first + PAGE_ROWS_MAX])
    return lambda customer_id: found.get(customer_id, ())


def deletions_of(record: CustomerRecord | None) -> list[datetime]:
    """The instants at which a customer was deleted."""
    return [] if record is None else [fact.effective_at for fact in record.facts if fact.kind == CUSTOMER_DELETED]


def _ids_of(snapshot: Snapshot, scope: Scope, customer_id: str) -> list[str]:
    links = snapshot.facts(scope, "subscriber", customer_id)
    return sorted({str(link.fields["subscription"]) for link in links})
