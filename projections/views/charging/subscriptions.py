"""Subscriptions derived from their facts: from when to when each plan holds. Pure.

1. A life of a subscription id begins at its creation, and ends where it is terminated, at its `ends_at`, or where the
   customer is deleted, whichever comes first.
2. Within a life, each change of plan ends a term and begins the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import groupby
from typing import Any, Final, Literal

import msgspec

from domain.customers.events import CUSTOMER_DELETED
from domain.errors import InvalidInput
from domain.facts.in_effect import State, in_effect, states
from domain.scope import Scope
from domain.subscriptions.fields import BILLING_DEFAULT
from domain.values.periods import Interval
from projections.queries.customers import CustomerRecord
from projections.queries.facts import Fact
from projections.queries.snapshot import PAGE_ROWS_MAX, Snapshot
from projections.views.customers import USAGE_TIME_LIMIT
from projections.views.meters import NO_FIELDS

#: Subscriptions of one customer that are looked at, ended ones included.
SUBSCRIPTIONS_MAX: Final = PAGE_ROWS_MAX

Status = Literal["pending", "active", "terminated"]


class Term(msgspec.Struct, frozen=True):
    """A time with one plan, [start, end); `end` None: open."""

    plan: str
    start: datetime
    end: datetime | None

    @property
    def span(self) -> Interval:
        """The term as an interval with finite bounds."""
        return Interval(self.start, self.end or USAGE_TIME_LIMIT)


class SubscriptionLife(msgspec.Struct, frozen=True):
    """One use of a subscription id, from its start to its end (None: open). `terms` fill it, in order of time."""

    subscription_id: str
    customer_id: str
    billing: str
    name: str | None
    start: datetime
    end: datetime | None
    terms: tuple[Term, ...]
    dialect_fields: Mapping[str, Any] = NO_FIELDS

    @property
    def span(self) -> Interval:
        """The life as an interval with finite bounds."""
        return Interval(self.start, self.end or USAGE_TIME_LIMIT)

    def status(self, now: datetime) -> Status:
        """What it is at `now`."""
        if now < self.start:
            return "pending"
        return "active" if self.end is None or now < self.end else "terminated"

    def term_at(self, instant: datetime) -> Term | None:
        """The term that contains an instant; None outside of the life."""
        return next((term for term in self.terms if term.span.contains(instant)), None)


def subscription_lives(
    subscription_id: str, facts: Sequence[Fact], deletions: Callable[[str], Sequence[datetime]]
) -> list[SubscriptionLife]:
    """The lives of a subscription id, in order of time; `deletions` returns those of a customer, in any order."""
    found = []
    all_states = states(in_effect(facts))
    for start, of_life in groupby(all_states, key=lambda state: state.created_at):
        if start is None:
            continue
        life = list(of_life)
        following = [state.since for state in all_states if state.since > life[-1].since]
        ends = [*following[:1], *deletions(life[-1].fields["customer"])]
        found.append(_life(subscription_id, start, life, ends))
    return [life for life in found if life is not None]


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

    @cache
    def deletions(customer_id: str) -> list[datetime]:
        found = snapshot.customer_with_budgets(scope, customer_id, usage_times=False)
        return deletions_of(None if found is None else found.record)

    facts = snapshot.facts_named(scope, "subscription", ids)
    lives = (subscription_lives(name, facts.get(name, ()), deletions) for name in ids)
    return [_shown(of_id, now) for of_id in lives if of_id]


def _shown(lives: Sequence[SubscriptionLife], now: datetime) -> SubscriptionLife:
    not_ended = (life for life in lives if life.status(now) != "terminated")
    return next(not_ended, lives[-1])


def deletions_of(record: CustomerRecord | None) -> list[datetime]:
    """The instants at which a customer was deleted."""
    return [] if record is None else [fact.effective_at for fact in record.facts if fact.kind == CUSTOMER_DELETED]


def _ids_of(snapshot: Snapshot, scope: Scope, customer_id: str) -> list[str]:
    links = snapshot.facts(scope, "subscriber", customer_id)
    return sorted({str(link.fields["subscription"]) for link in links})


def _life(
    subscription_id: str, start: datetime, life: Sequence[State], may_end_at: Sequence[datetime]
) -> SubscriptionLife | None:
    """One life from its states; None when it ends as it begins."""
    fields = life[-1].fields
    ends_at = fields.get("ends_at")
    ends = [end for end in may_end_at if end > start]
    if ends_at is not None:
        ends.append(datetime.fromisoformat(ends_at))
    end = min(ends, default=None)
    terms = tuple(_terms(start, life, end))
    if not terms:
        return None
    return SubscriptionLife(
        subscription_id,
        fields["customer"],
        fields.get("billing", BILLING_DEFAULT),
        fields.get("name"),
        start,
        end,
        terms,
        fields.get("dialect_fields", NO_FIELDS),
    )


def _terms(start: datetime, life: Sequence[State], end: datetime | None) -> Iterator[Term]:
    """A term for each plan that follows another one."""
    by_plan = [(plan, next(of_plan).since) for plan, of_plan in groupby(life, key=lambda one: one.fields["plan"])]
    starts = [max(since, start) for _, since in by_plan]
    for (plan, _), begin, following in zip(by_plan, starts, [*starts[1:], None], strict=True):
        until = end if following is None or (end is not None and end < following) else following
        if until is None or begin < until:
            yield Term(plan, begin, until)
