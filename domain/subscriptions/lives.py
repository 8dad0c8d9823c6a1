"""From when to when a subscription holds, and each of its plans, by its facts. Pure.

1. A life of a subscription id begins at its creation, and ends where it is terminated, at its `ends_at`, or where the
   customer is deleted, whichever comes first.
2. Within a life, each change of plan ends a term and begins the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Literal

import msgspec

from domain.facts.in_effect import DatedFact, State, in_effect, states
from domain.subscriptions.fields import BILLING_DEFAULT
from domain.values.periods import USAGE_TIME_LIMIT, Interval

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
    dialect_fields: Mapping[str, Any] = {}

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
    subscription_id: str, facts: Sequence[DatedFact], deletions: Callable[[str], Sequence[datetime]]
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
        fields.get("dialect_fields", {}),
    )


def _terms(start: datetime, life: Sequence[State], end: datetime | None) -> Iterator[Term]:
    """A term for each plan that follows another one."""
    by_plan = [(plan, next(of_plan).since) for plan, of_plan in groupby(life, key=lambda one: one.fields["plan"])]
    starts = [max(since, start) for _, since in by_plan]
    for (plan, _), begin, following in zip(by_plan, starts, [*starts[1:], None], strict=True):
        until = end if following is None or (end is not None and end < following) else following
        if until is None or begin < until:
            yield Term(plan, begin, until)
