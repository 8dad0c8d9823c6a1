"""Customers as derived from their facts and their usage: lives, profile, history. Pure.

A fact counts from its `effective_at`; of equal ones the one at the higher position stands. A creation and a deletion
start the profile afresh. Life k spans, in event time, from the deletion before it to its own deletion. What was said
in a life to count from later on ends with it.
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
from domain.values.periods import USAGE_TIME_MIN, Interval
from projections.queries.customers import CustomerRecord, Fact

FIRST_SEEN: Final = "customer.first_seen"
CURRENCY_DEFAULT: Final = "USD"
TIME_ZONE_DEFAULT: Final = "UTC"
#: No event is later; where a life is open, its span ends here.
USAGE_TIME_LIMIT: Final = USAGE_TIME_MIN.replace(year=9999)

Origin = Literal["explicit", "usage"]


class Life(msgspec.Struct, frozen=True):
    """[start, end) in event time, counted from 1. None: since ever, or still going on."""

    number: int
    start: datetime | None
    end: datetime | None

    @property
    def span(self) -> Interval:
        return Interval(self.start or USAGE_TIME_MIN, self.end or USAGE_TIME_LIMIT)

    def holds(self, instant: datetime) -> bool:
        return (self.start is None or self.start <= instant) and (self.end is None or instant < self.end)


class Profile(msgspec.Struct, frozen=True):
    """What was true from an instant on. `fields` are the set ones, as facts hold them (decimals, instants as text)."""

    since: datetime
    fields: Mapping[str, Any]
    created_at: datetime | None
    active: bool = True
    blocked: bool = False


class CustomerView(msgspec.Struct, frozen=True):
    """A customer at an instant. `exists`: something was said of it or seen of it in this life."""

    customer_id: str
    exists: bool
    origin: Origin
    life: Life
    created_at: datetime | None  # None: known by its usage only
    first_seen_at: datetime | None  # None: without usage; also when usage is known to have begun in an earlier life
    active: bool
    blocked: bool
    fields: Mapping[str, Any]

    @property
    def currency(self) -> str:
        return str(self.fields.get("currency", CURRENCY_DEFAULT))

    @property
    def time_zone(self) -> str:
        return str(self.fields.get("time_zone", TIME_ZONE_DEFAULT))

    @property
    def markup_percentage(self) -> Decimal:
        return Decimal(str(self.fields.get("markup_percentage", "0")))

    @property
    def budget_id(self) -> str | None:
        budget_id: str | None = self.fields.get("budget_id")
        return budget_id


class HistoryEntry(msgspec.Struct, frozen=True):
    """Something that happened to a customer; `derived`: it is in no lifecycle event but follows from usage."""

    kind: str
    effective_at: datetime
    recorded_at: datetime | None
    position: int | None
    fields: Mapping[str, Any]
    actor: str
    dialect: str
    reason: str | None
    derived: bool = False


def known_at(record: CustomerRecord, position: int | None) -> CustomerRecord:
    """The record with the facts known at a log position (None: all). When usage was seen is not taken back."""
    if position is None:
        return record
    facts = tuple(fact for fact in record.facts if fact.position <= position)
    return msgspec.structs.replace(record, facts=facts)


def in_effect_order(facts: Sequence[Fact]) -> list[Fact]:
    """Facts in the order in which they count."""
    return sorted(facts, key=lambda fact: (fact.effective_at, fact.position))


def in_effect(facts: Sequence[Fact]) -> list[Fact]:
    """Facts that count, in the order in which they do: without those that a deletion cut off, which were said before it
    and would have counted from its instant or later."""
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
    """Every life, the last one open. There is always one."""
    ends = [fact.effective_at for fact in in_effect_order(record.facts) if fact.kind == CUSTOMER_DELETED]
    return tuple(
        Life(number, start, end)
        for number, (start, end) in enumerate(zip([None, *ends], [*ends, None], strict=True), 1)
    )


def life_at(record: CustomerRecord, instant: datetime) -> Life:
    """The life that `instant` falls in."""
    return next(life for life in reversed(lives(record)) if life.start is None or life.start <= instant)


def profiles(record: CustomerRecord, life: Life, until: datetime) -> list[Profile]:
    """What was true in a life and from when on, up to and including `until`. The first begins where the life's usage
    or its first fact does, or at the deletion before it."""
    found = {profile.since: profile for profile in _profiles(record, until) if life.holds(profile.since)}
    begin = life_begin(record, life)
    if begin is not None and begin <= until and begin not in found:
        found[begin] = Profile(begin, {}, None)
    return [found[since] for since in sorted(found)]


def _profiles(record: CustomerRecord, until: datetime) -> Iterator[Profile]:
    """The profile after every fact, in the order in which they count."""
    fields: dict[str, Any] = {}
    created_at: datetime | None = None
    active, blocked = True, False
    for fact in in_effect(record.facts):
        if fact.effective_at > until:
            return
        if fact.kind in (CUSTOMER_CREATED, CUSTOMER_DELETED):
            fields, active, blocked = {}, True, False
            created_at = fact.effective_at if fact.kind == CUSTOMER_CREATED else None
        fields = with_fact(fields, fact)
        active = {CUSTOMER_DEACTIVATED: False, CUSTOMER_REACTIVATED: True}.get(fact.kind, active)
        blocked = {CUSTOMER_BLOCKED: True, CUSTOMER_UNBLOCKED: False}.get(fact.kind, blocked)
        yield Profile(fact.effective_at, fields, created_at, active, blocked)


def with_fact(fields: Mapping[str, Any], fact: Fact) -> dict[str, Any]:
    """Fields after a fact: null takes one away."""
    return {name: value for name, value in {**fields, **fact.fields}.items() if value is not None}


def life_begin(record: CustomerRecord, life: Life) -> datetime | None:
    """The deletion before a life; for the first life the first thing said or seen, None when that is nothing."""
    if life.start is not None:
        return life.start
    instants = [fact.effective_at for fact in record.facts]
    if record.first_event_at is not None:
        instants.append(record.first_event_at)
    return min(instants, default=None)


def customer_view(record: CustomerRecord, now: datetime) -> CustomerView:
    """The customer at `now`, in the life that `now` falls in. Facts that count from later on are not in it."""
    life = life_at(record, now)
    known = profiles(record, life, now)
    profile = known[-1] if known else Profile(now, {}, None)
    seen = record.last_event_at is not None and (life.start is None or record.last_event_at >= life.start)
    first_seen = (
        record.first_event_at if record.first_event_at is not None and life.holds(record.first_event_at) else None
    )
    return CustomerView(
        customer_id=record.customer_id,
        exists=seen or _was_said_of(record, now),
        origin="usage" if profile.created_at is None else "explicit",
        life=life,
        created_at=profile.created_at,
        first_seen_at=first_seen,
        active=profile.active,
        blocked=profile.blocked,
        fields=profile.fields,
    )


def _was_said_of(record: CustomerRecord, now: datetime) -> bool:
    """Whether a fact that counts by `now` comes after the last deletion; one of the same instant may come before it."""
    said = False
    for fact in in_effect(record.facts):
        if fact.effective_at <= now:
            said = fact.kind != CUSTOMER_DELETED
    return said


def history(record: CustomerRecord) -> list[HistoryEntry]:
    """Everything that happened to a customer, in the order in which it counts, with its first sighting."""
    entries = [
        HistoryEntry(
            fact.kind,
            fact.effective_at,
            fact.recorded_at,
            fact.position,
            fact.fields,
            fact.actor,
            fact.dialect,
            fact.reason,
        )
        for fact in in_effect_order(record.facts)
    ]
    if record.first_event_at is None:
        return entries
    began_with_usage = all(fact.position != record.first_position for fact in record.facts)
    position = record.first_position if began_with_usage else None
    sighting = HistoryEntry(
        FIRST_SEEN, record.first_event_at, None, position, {}, "engine", "native", None, derived=True
    )
    return sorted([sighting, *entries], key=lambda entry: entry.effective_at)
