"""Subscription objects as a reading knows them: one for each term of a subscription, the time with one plan.

Lago has an object for each plan of a chain with the same external id, where the engine has one subscription whose plan
changes. A term that has ended is a terminated object, one that lies ahead a pending one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec

from domain.facts.in_effect import in_effect, states
from domain.scope import Scope
from domain.subscriptions.lives import Status, SubscriptionLife, Term, subscription_lives
from domain.values.instants import epoch_microseconds
from domain.values.periods import Interval
from projections.queries.facts import Fact
from projections.queries.snapshot import PAGE_ROWS_MAX, Snapshot
from projections.views.charging.billing_periods import billing_period, billing_timeline, zones_of
from projections.views.charging.plans import PlanView
from projections.views.charging.subscriptions import deletions_by_customer, subscription_ids
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
    facts = snapshot.facts(scope, "subscription", subscription_id)
    return _terms(subscription_id, facts, deletions_by_customer(snapshot, scope, [facts]))


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


class AskedTerms(msgspec.Struct, frozen=True):
    """The objects that a list asks for: of one customer or all, of some plans or all, with one of these statuses."""

    customer_id: str | None
    plans: Collection[str] | None
    statuses: Collection[str]

    def has(self, one: SubscriptionTerm, now: datetime) -> bool:
        """Whether an object is asked for."""
        return (
            one.status(now) in self.statuses
            and self.customer_id in (None, one.life.customer_id)
            and (self.plans is None or one.term.plan in self.plans)
        )


def listed_terms(
    snapshot: Snapshot, scope: Scope, asked: AskedTerms, now: datetime, offset: int, limit: int
) -> tuple[int, list[SubscriptionTerm]]:
    """How many objects there are, and a page of them, the last created first.

    Without a customer this is one pass over all subscriptions, of which only keys are kept in memory.
    """
    keys = [
        (-epoch_microseconds(one.created_at), one.life.subscription_id, one.term.start)
        for one in _every(snapshot, scope, asked.customer_id)
        if asked.has(one, now)
    ]
    page = sorted(keys)[offset : offset + limit]
    ids = sorted({subscription_id for _, subscription_id, _ in page})
    facts = snapshot.facts_named(scope, "subscription", ids)
    deletions = deletions_by_customer(snapshot, scope, facts.values())
    found = {
        (subscription_id, one.term.start): one
        for subscription_id, of_one in facts.items()
        for one in _terms(subscription_id, of_one, deletions)
    }
    return len(keys), [found[subscription_id, start] for _, subscription_id, start in page]


def open_period(
    one: SubscriptionTerm, plan: PlanView, history: CustomerHistory | None, now: datetime
) -> Interval | None:
    """The billing period of an active term that contains now; None of any other term."""
    if one.status(now) != ACTIVE:
        return None
    timeline = billing_timeline(one.life, plan.interval, zones_of(history))
    return billing_period(timeline, one.term, now).span


def _every(snapshot: Snapshot, scope: Scope, customer_id: str | None) -> Iterator[SubscriptionTerm]:
    """All objects of one customer, or of all."""
    if customer_id is None:
        deleted = snapshot.customer_deletions(scope, None)
        for subscription_id, facts in snapshot.all_facts(scope, "subscription"):
            yield from _terms(subscription_id, facts, lambda one: deleted.get(one, ()))
        return
    ids = subscription_ids(snapshot, scope, customer_id, None, PAGE_ROWS_MAX)
    of_ids = snapshot.facts_named(scope, "subscription", ids)
    deletions = deletions_by_customer(snapshot, scope, of_ids.values())
    for subscription_id, facts in of_ids.items():
        yield from _terms(subscription_id, facts, deletions)


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
