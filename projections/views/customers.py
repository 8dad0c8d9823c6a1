"""Lives, profiles, markups and history of a customer, derived from its facts and its usage. Pure.

A fact takes effect at its `effective_at`; of two facts with the same instant the one at the higher position wins.
A creation and a deletion reset the profile. Life k spans, in event time, from the deletion before it to its own
deletion. Facts of a life that would have taken effect after its deletion are dropped with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

from domain.customers.events import (
    CUSTOMER_BLOCKED,
    CUSTOMER_CREATED,
    CUSTOMER_DEACTIVATED,
    CUSTOMER_DELETED,
    CUSTOMER_REACTIVATED,
    CUSTOMER_UNBLOCKED,
)
from domain.values.money import markup_percentage
from domain.values.periods import USAGE_TIME_MIN, Interval
from projections.queries.customers import CustomerRecord
from projections.queries.facts import Fact

CURRENCY_DEFAULT: Final = "USD"
TIME_ZONE_DEFAULT: Final = "UTC"
#: Later than any event; the end of the span of an open life.
USAGE_TIME_LIMIT: Final = USAGE_TIME_MIN.replace(year=9999)

MARKUP_FIELD: Final = "markup_percentage"
_STARTS_AFRESH: Final = (CUSTOMER_CREATED, CUSTOMER_DELETED)

Origin = Literal["explicit", "usage"]


class Life(msgspec.Struct, frozen=True):
    """A life of a customer: [start, end) in event time, numbered from 1. None: unbounded, or still open."""

    number: int
    start: datetime | None
    end: datetime | None

    @property
    def span(self) -> Interval:
        """The life as an interval with finite bounds."""
        return Interval(self.start or USAGE_TIME_MIN, self.end or USAGE_TIME_LIMIT)

    def contains(self, instant: datetime) -> bool:
        """Whether `instant` falls in this life."""
        return (self.start is None or self.start <= instant) and (self.end is None or instant < self.end)


class Profile(msgspec.Struct, frozen=True):
    """The state of a customer from an instant on. `fields`: those that are set (decimals and instants as text)."""

    since: datetime
    fields: Mapping[str, Any]
    created_at: datetime | None
    active: bool = True
    blocked: bool = False


class CustomerView(msgspec.Struct, frozen=True):
    """A customer at an instant. `exists`: it has a fact or usage in this life."""

    customer_id: str
    exists: bool
    origin: Origin
    life: Life
    created_at: datetime | None  # None: known by usage alone
    first_seen_at: datetime | None  # None: no usage, or the first usage was in an earlier life
    active: bool
    blocked: bool
    fields: Mapping[str, Any]

    @property
    def currency(self) -> str:
        """The currency, `CURRENCY_DEFAULT` when none is set."""
        return str(self.fields.get("currency", CURRENCY_DEFAULT))

    @property
    def time_zone(self) -> str:
        """The time zone, `TIME_ZONE_DEFAULT` when none is set."""
        return str(self.fields.get("time_zone", TIME_ZONE_DEFAULT))

    @property
    def markup_percentage(self) -> Decimal:
        """The markup in percent, 0 when none is set."""
        return Decimal(str(self.fields.get("markup_percentage", "0")))

    @property
    def budget_id(self) -> str | None:
        """The id of the shared budget that the customer names, if any."""
        budget_id: str | None = self.fields.get("budget_id")
        return budget_id


class CustomerHistory(msgspec.Struct, frozen=True):
    """A life of a customer up to and including the instant `until`, folded once from its facts and its usage.

    `span`: the life as an interval. `begin`: where it begins; None when neither a fact nor usage is known. `facts`:
    those of all lives and times in the order in which they take effect, without those that a deletion cut off.
    `profiles`: those of the life in order of time, none when it begins later. `profile`: the one at `until`, an empty
    one where there is none.
    """

    record: CustomerRecord
    until: datetime
    life: Life
    span: Interval
    begin: datetime | None
    facts: tuple[Fact, ...]
    profiles: tuple[Profile, ...]
    profile: Profile

    @property
    def exists(self) -> bool:
        """Whether the customer has a fact or usage in the life that `until` falls in."""
        last = self.record.last_event_at
        if last is not None and (self.life.start is None or last >= self.life.start):
            return True
        in_time = [fact.kind for fact in self.facts if fact.effective_at <= self.until]
        return bool(in_time) and in_time[-1] != CUSTOMER_DELETED

    def view(self) -> CustomerView:
        """The customer at `until`."""
        first = self.record.first_event_at
        return CustomerView(
            customer_id=self.record.customer_id,
            exists=self.exists,
            origin="usage" if self.profile.created_at is None else "explicit",
            life=self.life,
            created_at=self.profile.created_at,
            first_seen_at=first if first is not None and self.life.contains(first) else None,
            active=self.profile.active,
            blocked=self.profile.blocked,
            fields=self.profile.fields,
        )


def record_as_of(record: CustomerRecord, position: int | None) -> CustomerRecord:
    """The record with only the facts known at a log position (None: all). Its usage times stay those known now."""
    if position is None:
        return record
    facts = tuple(fact for fact in record.facts if fact.position <= position)
    return msgspec.structs.replace(record, facts=facts)


def in_effect_order(facts: Sequence[Fact]) -> list[Fact]:
    """Facts sorted by (effective_at, position): the order in which they take effect."""
    return sorted(facts, key=lambda fact: (fact.effective_at, fact.position))


def in_effect(facts: Sequence[Fact]) -> list[Fact]:
    """Facts in the order in which they take effect, without those that a deletion cut off.

    A deletion cuts off the facts at lower positions that are effective at its instant or later.
    """
    kept: list[Fact] = []
    cut_off_at: datetime | None = None
    for fact in sorted(facts, key=lambda fact: fact.position, reverse=True):
        if fact.kind == CUSTOMER_DELETED:
            cut_off_at = fact.effective_at if cut_off_at is None else min(cut_off_at, fact.effective_at)
        elif cut_off_at is not None and fact.effective_at >= cut_off_at:
            continue
        kept.append(fact)
    return in_effect_order(kept)


def lives(record: CustomerRecord) -> tuple[Life, ...]:
    """All lives in order; there is at least one, and the last one is open."""
    ends = [fact.effective_at for fact in in_effect_order(record.facts) if fact.kind == CUSTOMER_DELETED]
    return tuple(
        Life(number, start, end)
        for number, (start, end) in enumerate(zip([None, *ends], [*ends, None], strict=True), 1)
    )


def life_at(record: CustomerRecord, instant: datetime) -> Life:
    """The life that `instant` falls in."""
    return next(life for life in reversed(lives(record)) if life.start is None or life.start <= instant)


def customer_history(record: CustomerRecord, until: datetime, life: Life | None = None) -> CustomerHistory:
    """Fold the facts of a customer up to and including `until`, for a life: by default the one that `until` falls in.

    The first profile begins at the life's first usage or fact, or at the deletion before the life.
    """
    facts = in_effect(record.facts)
    life = life_at(record, until) if life is None else life
    begin = life_begin(record, life)
    found = {profile.since: profile for profile in _profiles(facts, until) if life.contains(profile.since)}
    if begin is not None and begin <= until and begin not in found:
        found[begin] = Profile(begin, {}, None)
    known = tuple(found[since] for since in sorted(found))
    current = known[-1] if known else Profile(until, {}, None)
    return CustomerHistory(record, until, life, life.span, begin, tuple(facts), known, current)


def _profiles(facts: Sequence[Fact], until: datetime) -> Iterator[Profile]:
    """The profile after each fact; `facts` are in the order in which they take effect."""
    fields: dict[str, Any] = {}
    created_at: datetime | None = None
    active, blocked = True, False
    for fact in facts:
        if fact.effective_at > until:
            return
        if fact.kind in _STARTS_AFRESH:
            fields, active, blocked = {}, True, False
            created_at = fact.effective_at if fact.kind == CUSTOMER_CREATED else None
        fields = with_fact(fields, fact)
        active = {CUSTOMER_DEACTIVATED: False, CUSTOMER_REACTIVATED: True}.get(fact.kind, active)
        blocked = {CUSTOMER_BLOCKED: True, CUSTOMER_UNBLOCKED: False}.get(fact.kind, blocked)
        yield Profile(fact.effective_at, fields, created_at, active, blocked)


def with_fact(fields: Mapping[str, Any], fact: Fact) -> dict[str, Any]:
    """The fields after a fact was applied; a null removes the field."""
    return {name: value for name, value in {**fields, **fact.fields}.items() if value is not None}


def life_begin(record: CustomerRecord, life: Life) -> datetime | None:
    """Where a life begins: at the deletion before it; the first life at its first fact or usage (None: neither)."""
    if life.start is not None:
        return life.start
    instants = [fact.effective_at for fact in record.facts]
    if record.first_event_at is not None:
        instants.append(record.first_event_at)
    return min(instants, default=None)


def customer_view(record: CustomerRecord, now: datetime) -> CustomerView:
    """The customer at `now`, in the life that `now` falls in, without facts that take effect later."""
    return customer_history(record, now).view()


class MarkupChange(msgspec.Struct, frozen=True):
    """Usage at or after `start` is reported at raw cost x (1 + percentage / 100), until the next change.

    Before the first change it is reported at raw cost.
    """

    start: datetime
    percentage: Decimal


def markup_changes(facts: Sequence[Fact]) -> tuple[MarkupChange, ...]:
    """The markup changes in order of time; none for a customer whose markup was always 0.

    A fact takes effect at its `effective_at`; of two with the same instant the one at the higher position wins. A
    creation or a deletion resets the markup to 0, and a deletion drops the changes that its life had still to come.
    """
    at: dict[datetime, Decimal] = {}
    percentage = Decimal(0)
    for fact in in_effect(facts):
        if fact.kind in _STARTS_AFRESH:
            percentage = Decimal(0)
        if MARKUP_FIELD in fact.fields:
            value = fact.fields[MARKUP_FIELD]
            percentage = Decimal(0) if value is None else markup_percentage(str(value))
        at[fact.effective_at] = percentage
    changes: list[MarkupChange] = []
    for start, value in at.items():
        if value != (changes[-1].percentage if changes else 0):
            changes.append(MarkupChange(start, value))
    return tuple(changes)


def markup_at(changes: Sequence[MarkupChange], instant: datetime) -> Decimal:
    """The percentage valid at an instant."""
    return next((change.percentage for change in reversed(changes) if change.start <= instant), Decimal(0))
