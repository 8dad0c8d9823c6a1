"""Which customer a subscription had at any time, by all facts folded so far."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

import msgspec

from domain.subscriptions.lives import subscription_lives
from domain.values.instants import epoch_microseconds
from domain.values.periods import USAGE_TIME_LIMIT, USAGE_TIME_MIN
from projections.queries.customers import NO_CUSTOMER

_FIELDS: Final = ("customer", "plan", "ends_at")

#: The key of a scope, and the id of a subscription or a customer.
Key = tuple[int, str]


class SubscriptionFact(msgspec.Struct, frozen=True):
    """A fact about a subscription, with those of its fields that decide from when to when it has its customer."""

    position: int
    effective_at: datetime
    kind: str
    fields: Mapping[str, Any]
    patched: tuple[str, ...] = ()


class Span(msgspec.Struct, frozen=True):
    """A time with one customer, in microseconds since 1970: [start_us, end_us)."""

    customer_id: str
    start_us: int
    end_us: int


class Change(msgspec.Struct, frozen=True):
    """A time in which a subscription had another customer than is known now."""

    before: str
    after: str
    start_us: int
    end_us: int


#: From the first to behind the last time that an event may have.
ALL_TIME: Final = Span(NO_CUSTOMER, epoch_microseconds(USAGE_TIME_MIN), epoch_microseconds(USAGE_TIME_LIMIT))


class Subscribers:
    """The customers of all subscriptions of one fold."""

    def __init__(self) -> None:
        self._facts: defaultdict[Key, list[SubscriptionFact]] = defaultdict(list)
        self._deleted_at: defaultdict[Key, list[datetime]] = defaultdict(list)
        self._of_customer: defaultdict[Key, set[str]] = defaultdict(set)
        self._spans: dict[Key, tuple[Span, ...]] = {}

    def add_fact(
        self, scope_key: int, subscription_id: str, position: int, effective_at: datetime, kind: str, fields: Any
    ) -> None:
        """Add a fact about a subscription."""
        kept = {name: fields[name] for name in _FIELDS if name in fields}
        self._facts[scope_key, subscription_id].append(SubscriptionFact(position, effective_at, kind, kept))
        if "customer" in kept:
            self._of_customer[scope_key, kept["customer"]].add(subscription_id)
        self._spans.pop((scope_key, subscription_id), None)

    def add_deletion(self, scope_key: int, customer_id: str, effective_at: datetime) -> None:
        """Add the deletion of a customer, which ends its subscriptions."""
        self._deleted_at[scope_key, customer_id].append(effective_at)
        for subscription_id in self.subscriptions_of(scope_key, customer_id):
            self._spans.pop((scope_key, subscription_id), None)

    @property
    def has_customers(self) -> bool:
        """Whether any customer ever had a subscription."""
        return bool(self._of_customer)

    def subscriptions_of(self, scope_key: int, customer_id: str) -> list[str]:
        """The ids of the subscriptions that a customer ever had, in ascending order."""
        return sorted(self._of_customer.get((scope_key, customer_id), ()))

    def spans(self, scope_key: int, subscription_id: str) -> tuple[Span, ...]:
        """The times in which a subscription had a customer, in order."""
        key = scope_key, subscription_id
        if key not in self._facts:
            return ()
        if key not in self._spans:
            self._spans[key] = self._spans_of(*key)
        return self._spans[key]

    def customer_at(self, scope_key: int, subscription_id: str, time_us: int) -> str:
        """The customer of a subscription at a time; `NO_CUSTOMER` if it has none."""
        return _customer_at(self.spans(scope_key, subscription_id), time_us)

    def _spans_of(self, scope_key: int, subscription_id: str) -> tuple[Span, ...]:
        lives = subscription_lives(
            subscription_id,
            self._facts[scope_key, subscription_id],
            lambda customer_id: self._deleted_at.get((scope_key, customer_id), ()),
        )
        return tuple(
            Span(life.customer_id, epoch_microseconds(life.span.start), epoch_microseconds(life.span.end))
            for life in lives
        )


def changes(before: Sequence[Span], after: Sequence[Span]) -> list[Change]:
    """The times in which the customer changes, in order."""
    bounds = sorted({bound for span in (*before, *after, ALL_TIME) for bound in (span.start_us, span.end_us)})
    pieces = (
        Change(_customer_at(before, start), _customer_at(after, start), start, end) for start, end in pairwise(bounds)
    )
    return [piece for piece in pieces if piece.before != piece.after]


def _customer_at(spans: Sequence[Span], time_us: int) -> str:
    return next((span.customer_id for span in spans if span.start_us <= time_us < span.end_us), NO_CUSTOMER)
