"""Lives, profiles, markups and history of a customer, derived from its facts and its usage. Pure.

See `domain.facts.in_effect` for the order in which facts take effect. Life k spans, in event time, from the
deletion before it to its own deletion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final, Literal

import msgspec

from domain.customers.event_facts import CUSTOMER_DESCRIBED
from domain.customers.events import CUSTOMER_CREATED, CUSTOMER_DELETED
from domain.customers.state_fields import SET_BY_TOPIC
from domain.facts.in_effect import State, in_effect, states
from domain.values.money import markup_percentage
from domain.values.periods import USAGE_TIME_LIMIT, USAGE_TIME_MIN, Interval
from projections.queries.customers import CustomerRecord, CustomerSpan
from projections.queries.facts import Fact

CURRENCY_DEFAULT: Final = "USD"
TIME_ZONE_DEFAULT: Final = "UTC"

MARKUP_FIELD: Final = "markup_percentage"
#: Fields that the periods of usage depend on.
_OF_USAGE_PERIODS: Final = ("time_zone", "usage_duration", "usage_alignment", "usage_anchor")
#: Fields that the periods of usage and of the budget depend on.
_PERIOD_FIELDS: Final = frozenset(
    {
        *_OF_USAGE_PERIODS,
        "budget_id",
        "budget_duration",
        "budget_alignment",
        "budget_anchor",
        "period_start",
        "period_end",
    }
)

Origin = Literal["explicit", "usage"]


class Life(msgspec.Struct, frozen=True):
    """A life of a customer: [start, end) in event time, numbered from 1. None: unbounded, or still open."""

    number: int
    start: datetime | None
    end: datetime | None

    @property
    def lasts(self) -> bool:
        """Whether something can fall in it. Two deletions at one instant leave an empty life between them."""
        return (self.start or USAGE_TIME_MIN) < (self.end or USAGE_TIME_LIMIT)

    @property
    def span(self) -> Interval:
        """A life that lasts, as an interval with finite bounds."""
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
    `creation`: that of the life, if it has one. `base`: the time zone and the policy of usage periods that it names;
    they hold for the whole life, until another fact changes them. `anchor`: that of a policy stored without one: the
    creation, else the first fact of the life. `profiles`: where something took effect in the life
    that periods depend on, in order of time, and the last one; none when it begins later. `profile`: the one at
    `until`, one with `base` alone where there is none.
    """

    record: CustomerRecord
    until: datetime
    life: Life
    span: Interval
    begin: datetime | None
    facts: tuple[Fact, ...]
    creation: Fact | None
    base: Mapping[str, Any]
    anchor: datetime
    profiles: tuple[Profile, ...]
    profile: Profile

    @property
    def exists(self) -> bool:
        """Whether usage or a fact in effect by `until` has begun the life.

        Usage ahead of `until` begins the first life all the same; it revives nobody who was deleted, until it is due.
        """
        seen_at = usage_by(self.record, self.until)
        if seen_at is not None and (self.life.start is None or seen_at >= self.life.start):
            return True
        return any(fact.effective_at <= self.until for fact in self._beginnings())

    @property
    def explicit(self) -> bool:
        """Whether a known fact has made the life explicit, from whatever instant on it is effective."""
        return any(True for _ in self._beginnings())

    def _beginnings(self) -> Iterator[Fact]:
        """The facts of the life that begin it."""
        return (
            fact
            for fact in self.facts
            if fact.kind != CUSTOMER_DELETED and not fact.if_known and self.life.contains(fact.effective_at)
        )

    def view(self) -> CustomerView:
        """The customer at `until`."""
        first = self.record.first_event_at
        return CustomerView(
            customer_id=self.record.customer_id,
            exists=self.exists,
            origin="explicit" if self.explicit else "usage",
            life=self.life,
            created_at=self.profile.created_at,
            first_seen_at=first if first is not None and self.life.contains(first) else None,
            active=self.profile.active,
            blocked=self.profile.blocked,
            fields=self.profile.fields,
        )


def usage_by(record: CustomerRecord, now: datetime) -> datetime | None:
    """The time of usage that tells whether a customer exists at `now`: its latest, if that is not ahead of `now`.

    Where it is ahead, and the customer was deleted before: the first usage since then, None while that is ahead too.
    """
    last, first = record.last_event_at, record.life_first_event_at
    if last is None or last <= now or first is None:
        return last
    return first if first <= now else None


def known_by(record: CustomerRecord, now: datetime) -> datetime | None:
    """The latest time by which usage, or a fact that came with usage, tells that a customer exists at `now`.

    Of its other facts its stream tells. Facts that a deletion has cut off are none.
    """
    carried = [one.effective_at for one in record.facts if one.kind == CUSTOMER_DESCRIBED and one.effective_at <= now]
    if carried:
        known = in_effect(record.facts)
        carried = [one.effective_at for one in known if one.kind == CUSTOMER_DESCRIBED and one.effective_at <= now]
    seen_at = usage_by(record, now)
    return max([*carried, *(() if seen_at is None else (seen_at,))], default=None)


def lives(record: CustomerRecord) -> tuple[Life, ...]:
    """All lives in order; there is at least one, and the last one is open."""
    ends = sorted(fact.effective_at for fact in record.facts if fact.kind == CUSTOMER_DELETED)
    return tuple(
        Life(number, start, end)
        for number, (start, end) in enumerate(zip([None, *ends], [*ends, None], strict=True), 1)
    )


def lasting_lives(record: CustomerRecord) -> Iterator[Life]:
    """Yield the lives that something can fall in."""
    return (life for life in lives(record) if life.lasts)


def life_at(record: CustomerRecord, instant: datetime) -> Life:
    """The life that `instant` falls in."""
    return next(life for life in reversed(lives(record)) if life.start is None or life.start <= instant)


def customer_history(record: CustomerRecord, until: datetime, life: Life | None = None) -> CustomerHistory:
    """Fold the facts of a customer up to and including `until`, for a life: by default the one that `until` falls in.

    The first profile begins at the life's first usage or fact, or at the deletion before the life.
    """
    life = life_at(record, until) if life is None else life
    begin, span = life_begin(record, life), life.span
    facts = in_effect(record.facts)
    of_life = [fact for fact in facts if span.start <= fact.effective_at < span.end and fact.kind != CUSTOMER_DELETED]
    creation = next((fact for fact in of_life if fact.kind == CUSTOMER_CREATED), None)
    named = {} if creation is None else creation.fields
    base = {name: named[name] for name in _OF_USAGE_PERIODS if named.get(name) is not None}
    anchoring = creation or next(iter(of_life), None)
    anchor = until if anchoring is None else anchoring.effective_at
    known = [_profile(state) for state in states(of_life, until, SET_BY_TOPIC, _PERIOD_FIELDS, base)]
    if begin is not None and begin <= until and not (known and known[0].since <= begin):
        known.insert(0, Profile(begin, base, None))
    current = known[-1] if known else Profile(until, base, None)
    return CustomerHistory(
        record, until, life, span, begin, tuple(facts), creation, base, anchor, tuple(known), current
    )


def _profile(state: State) -> Profile:
    fields = dict(state.fields)
    blocked, active = fields.pop("blocked", False), fields.pop("active", True)
    return Profile(state.since, fields, state.created_at, active, blocked)


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

    A deletion resets the markup to 0.
    """
    at: dict[datetime, Decimal] = {}
    of_markup = [fact for fact in facts if MARKUP_FIELD in fact.fields or fact.kind == CUSTOMER_DELETED]
    for fact in in_effect(of_markup) if of_markup else ():
        value = fact.fields.get(MARKUP_FIELD)
        at[fact.effective_at] = Decimal(0) if value is None else markup_percentage(str(value))
    changes: list[MarkupChange] = []
    for start, value in at.items():
        if value != (changes[-1].percentage if changes else 0):
            changes.append(MarkupChange(start, value))
    return tuple(changes)


def markup_at(changes: Sequence[MarkupChange], instant: datetime) -> Decimal:
    """The percentage valid at an instant."""
    return next((change.percentage for change in reversed(changes) if change.start <= instant), Decimal(0))


def marked_spans(record: CustomerRecord, span: Interval | None) -> Iterator[tuple[CustomerSpan, Decimal]]:
    """Yield the parts into which the customer's markup changes divide a span, each with its percentage."""
    if span is None:
        return
    changes = markup_changes(record.facts)
    cuts = [span.start, *(change.start for change in changes if span.start < change.start < span.end), span.end]
    for start, end in pairwise(cuts):
        yield CustomerSpan(record.customer_id, start, end), markup_at(changes, start)
