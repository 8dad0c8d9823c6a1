"""Subscription objects as a reading knows them: one for each term of a subscription, the time with one plan.

Lago has an object for each plan of a chain with the same external id, where the engine has one subscription whose plan
changes. A term that has ended is a terminated object, one that lies ahead a pending one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Final

import msgspec

from domain.facts.in_effect import in_effect, states
from domain.scope import Scope
from domain.subscriptions.lives import Status, SubscriptionLife, Term, subscription_lives
from domain.values.periods import Interval
from projections.queries.facts import Fact
from projections.queries.snapshot import PAGE_ROWS_MAX, Snapshot
from projections.views.charging.billing_periods import billing_period, billing_timeline, zones_of
from projections.views.charging.plans import PlanView
from projections.views.charging.subscriptions import deletions_of, subscription_ids
from projections.views.customers import CustomerHistory

ACTIVE: Final = "active"
PENDING: Final = "pending"
TERMINATED: Final = "terminated"
CANCELED: Final = "canceled"
#: Of several objects of one id, the ones that a request for one finds by their status: the first that lies ahead, the
#: last that has ended.
_LAST_FIRST: Final = frozenset({TERMINATED})


class SubscriptionTerm(msgspec.Struct, frozen=True):
    """One object: a term, with the life that it is in. `created_at`: when it was told. `ending_at`: the end set."""

    life: SubscriptionLife
    number: int
    created_at: datetime
    ending_at: datetime | None

    @property
    def term(self) -> Term:
        """The time with its plan."""
        return self.life.terms[self.number]

    @property
    def previous(self) -> Term | None:
        """The term before it, of another plan."""
        return self.life.terms[self.number - 1] if self.number else None

    @property
    def following(self) -> Term | None:
        """The term after it, of another plan."""
        return self.life.terms[self.number + 1] if self.number + 1 < len(self.life.terms) else None

    def status(self, now: datetime) -> Status:
        """What it is at `now`."""
        if now < self.term.start:
            return PENDING
        return ACTIVE if self.term.end is None or now < self.term.end else TERMINATED


def terms_named(snapshot: Snapshot, scope: Scope, subscription_id: str) -> list[SubscriptionTerm]:
    """The objects of one external id, of all its lives, in order of time."""
    return _terms(subscription_id, snapshot.facts(scope, "subscription", subscription_id), _deletions(snapshot, scope))


def found_by_status(terms: Sequence[SubscriptionTerm], status: str, now: datetime) -> SubscriptionTerm | None:
    """The object that a request for one with a status means; None when there is none."""
    fitting = [one for one in terms if one.status(now) == status]
    if not fitting:
        return None
    return fitting[-1] if status in _LAST_FIRST else fitting[0]


def last_life(terms: Sequence[SubscriptionTerm], now: datetime) -> list[SubscriptionTerm]:
    """The objects of the life that has not ended; empty when there is none."""
    open_lives = [one for one in terms if one.life.status(now) != TERMINATED]
    return [one for one in open_lives if one.life is open_lives[0].life]


def listed_terms(
    snapshot: Snapshot,
    scope: Scope,
    now: datetime,
    customer_id: str | None,
    plan: str | None,
    statuses: Collection[str],
) -> list[SubscriptionTerm]:
    """The objects of all customers, or of one, with one of these statuses; the last created first."""
    found = [
        one
        for one in _all_terms(snapshot, scope, customer_id)
        if one.status(now) in statuses and customer_id in (None, one.life.customer_id) and plan in (None, one.term.plan)
    ]
    found.sort(key=lambda one: (one.life.subscription_id, one.term.start))
    found.sort(key=lambda one: one.created_at, reverse=True)
    return found


def open_period(
    one: SubscriptionTerm, plan: PlanView, history: CustomerHistory | None, now: datetime
) -> Interval | None:
    """The billing period of an active term that contains now; None of any other term."""
    if one.status(now) != ACTIVE:
        return None
    timeline = billing_timeline(one.life, plan.interval, zones_of(history))
    return billing_period(timeline, one.term, now).span


def _all_terms(snapshot: Snapshot, scope: Scope, customer_id: str | None) -> Iterator[SubscriptionTerm]:
    deletions = _deletions(snapshot, scope)
    after: str | None = None
    while True:
        ids = subscription_ids(snapshot, scope, customer_id, after, PAGE_ROWS_MAX)
        facts = snapshot.facts_named(scope, "subscription", ids)
        for one in ids:
            yield from _terms(one, facts.get(one, ()), deletions)
        if len(ids) < PAGE_ROWS_MAX:
            return
        after = ids[-1]


def _terms(
    subscription_id: str, facts: Sequence[Fact], deletions: Callable[[str], Sequence[datetime]]
) -> list[SubscriptionTerm]:
    told = {fact.effective_at: fact.recorded_at for fact in reversed(facts)}
    found = []
    for life in subscription_lives(subscription_id, facts, deletions):
        for number, term in enumerate(life.terms):
            ends_at = _set_end(facts, life)
            found.append(SubscriptionTerm(life, number, told.get(term.start, term.start), ends_at))
    return found


def _set_end(facts: Sequence[Fact], life: SubscriptionLife) -> datetime | None:
    """The end that was set for a life, which it may not have reached."""
    within = [state for state in states(in_effect(facts)) if state.created_at == life.start]
    ends_at = within[-1].fields.get("ends_at") if within else None
    return None if ends_at is None else datetime.fromisoformat(ends_at)


def _deletions(snapshot: Snapshot, scope: Scope) -> Callable[[str], Sequence[datetime]]:
    @cache
    def of_customer(customer_id: str) -> Sequence[datetime]:
        found = snapshot.customer_with_budgets(scope, customer_id, usage_times=False)
        return deletions_of(None if found is None else found.record)

    return of_customer
