"""The oracle: a meter that is simple enough to be obviously right. It answers each question by a pass over lists.

It shares nothing with the engine but the written rules. Answers have the shape of the native API, money as text.
`known` is the number of trace entries that an answer may use; `now` is the instant of the question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

from tests.oracle.plain_customers import (
    BEGINNING,
    Life,
    PlainFact,
    facts_of_budget,
    facts_of_customer,
    fields_at,
    instant_in,
    life_at,
    markup_factor,
    named_by_creation,
    policy_changes,
    usage_policy,
)
from tests.oracle.plain_periods import Period, Policy, PolicyChange, cuts_of, period_around
from tests.oracle.plain_prices import EXACT, CountedEvent
from tests.oracle.plain_usage import COUNTS, PlainUsage
from tests.oracle.trace_entries import JsonObject, TraceEntry

GRACE = timedelta(hours=1)
#: The bounds of a customer's periods at an instant, as known after a number of entries.
CutsKnown = Callable[[str, datetime, int], Sequence[datetime] | None]


def money_text(amount: Decimal) -> str:
    text = format(amount, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def instant_text(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class Sums:
    requests: int = 0
    tokens: tuple[int, ...] = (0,) * len(COUNTS)
    cost: Decimal = Decimal(0)
    reported: Decimal = Decimal(0)
    unknown: int = 0

    def add(self, event: CountedEvent, cost: Decimal | None, factor: Decimal, unknown: bool) -> None:
        self.requests += event.is_root
        self.tokens = tuple(mine + more for mine, more in zip(self.tokens, event.tokens, strict=True))
        self.unknown += unknown
        if cost is not None:
            self.cost = EXACT.add(self.cost, cost)
            self.reported = EXACT.add(self.reported, EXACT.multiply(cost, factor))

    def minus(self, other: Sums) -> Sums:
        return Sums(
            self.requests - other.requests,
            tuple(mine - less for mine, less in zip(self.tokens, other.tokens, strict=True)),
            EXACT.subtract(self.cost, other.cost),
            EXACT.subtract(self.reported, other.reported),
            self.unknown - other.unknown,
        )

    def as_json(self) -> JsonObject:
        counts = dict(zip(COUNTS, self.tokens, strict=True))
        return {
            "requests": self.requests,
            **counts,
            "total_tokens": counts["input_tokens"] + counts["output_tokens"],
            "cost_usd": money_text(self.cost),
            "reported_cost_usd": money_text(self.reported),
            "cost_unknown_events": self.unknown,
            "units": {},  # no event of a trace tells other units
        }


class PlainMeter:
    def __init__(self, entries: Sequence[TraceEntry]) -> None:
        self.entries = list(entries)
        self.usage = PlainUsage(entries)
        self._facts: dict[tuple[str, int], list[PlainFact]] = {}

    def known_before(self, instant: datetime) -> int:
        return sum(1 for it in self.entries if it.recorded_at < instant)

    def facts(self, customer: str, known: int) -> list[PlainFact]:
        if (customer, known) not in self._facts:
            self._facts[customer, known] = facts_of_customer(self.entries[:known], customer)
        return self._facts[customer, known]

    # What a customer is

    def profile(self, customer: str, now: datetime, known: int) -> dict[str, Any]:
        return fields_at(self.facts(customer, known), now)

    def life(self, customer: str, now: datetime, known: int) -> Life:
        return life_at(self.facts(customer, known), now)

    def exists(self, customer: str, now: datetime, known: int) -> bool:
        """Whether the customer has facts or usage since its last deletion."""
        life = self.life(customer, now, known)
        said = any(
            life.start <= fact.effective_at <= now and fact.kind != "deleted" for fact in self.facts(customer, known)
        )
        seen = any(
            event.time >= life.start and event.order < known for event in self.usage.by_customer.get(customer, ())
        )
        return said or seen

    def customers(self, now: datetime, known: int) -> list[str]:
        named = {getattr(it, "customer", None) for it in self.entries[:known]} | set(self.usage.by_customer)
        return sorted(name for name in named if name is not None and self.exists(name, now, known))

    def life_begin(self, customer: str, now: datetime, known: int) -> datetime:
        """The deletion before this life; for the first life, the first fact or usage of the customer."""
        life = self.life(customer, now, known)
        if life.start != BEGINNING:
            return life.start
        said = [fact.effective_at for fact in self.facts(customer, known)]
        seen = [event.time for event in self.usage.by_customer.get(customer, ()) if event.order < known]
        return min(said + seen)

    # Sums

    def sums(self, customer: str, start: datetime, end: datetime, known: int, model: str | None = None) -> Sums:
        events = self.usage.between(customer, start, end, known)
        return self.sum_of((event for event in events if model is None or event.model == model), known)

    def sum_of(self, events: Iterable[CountedEvent], known: int) -> Sums:
        sums = Sums()
        for event in events:
            factor = markup_factor(self.facts(event.customer, known), event.time)
            cost = self.usage.cost(event, known)
            sums.add(event, cost, factor, self.usage.cost_is_unknown(event, known))
        return sums

    def grouped(
        self, start: datetime, end: datetime, known: int, key: Callable[[CountedEvent], tuple[Any, ...]]
    ) -> dict[tuple[Any, ...], JsonObject]:
        """Sums of all customers per key, in the order of the keys."""
        groups: dict[tuple[Any, ...], list[CountedEvent]] = {}
        for customer in self.usage.by_customer:
            for event in self.usage.between(customer, start, end, known):
                groups.setdefault(key(event), []).append(event)
        return {found: self.sum_of(groups[found], known).as_json() for found in sorted(groups)}

    # Usage periods

    def usage_cuts(self, customer: str, now: datetime, known: int) -> tuple[datetime, ...]:
        facts = self.facts(customer, known)
        life = life_at(facts, now)
        said = [
            fact.effective_at for fact in facts if life.start <= fact.effective_at <= now and fact.kind != "deleted"
        ]
        named = named_by_creation(facts, life)
        moments = sorted({life.start, *said})
        return cuts_of(policy_changes([(at, usage_policy(fields_at(facts, at, named))) for at in moments]))

    def current_usage(
        self, customer: str, now: datetime, known: int, cuts: Sequence[datetime] | None = None
    ) -> JsonObject:
        """Usage in the open usage period, or in the open one of the periods with bounds `cuts`."""
        life = self.life(customer, now, known)
        period = period_around(self.usage_cuts(customer, now, known) if cuts is None else cuts, now)
        start, end = max(period.start, life.start), min(period.end, life.end)
        kinds = sorted({(e.provider or "", e.model or "") for e in self.usage.between(customer, start, end, known)})
        return {
            "customer": customer,
            "period": period_json(period),
            "usage": self.sums(customer, start, end, known).as_json(),
            "by_model": [self._of_model(customer, start, end, known, kind) for kind in kinds],
        }

    def _of_model(self, customer: str, start: datetime, end: datetime, known: int, kind: tuple[str, str]) -> JsonObject:
        events = self.usage.between(customer, start, end, known)
        chosen = [event for event in events if (event.provider or "", event.model or "") == kind]
        return {"provider": kind[0] or None, "model": kind[1] or None, **self.sum_of(chosen, known).as_json()}

    def past_usage(
        self, customer: str, now: datetime, known: int, periods: int, cuts: Sequence[datetime] | None = None
    ) -> list[JsonObject]:
        """Ended periods of this life, newest first: as at closing (None before that), as of now, the difference.

        `cuts`: where the periods meet; else those of the customer's usage periods.
        """
        life = self.life(customer, now, known)
        begin = self.life_begin(customer, now, known)
        by_budget = cuts is not None
        cuts = self.usage_cuts(customer, now, known) if cuts is None else cuts
        ended = [Period(start, end) for start, end in pairwise(cuts) if begin < end <= now]
        read = self.budget_cuts if by_budget else self.usage_cuts
        return [self._past_period(customer, period, life, now, known, read) for period in reversed(ended[-periods:])]

    def _past_period(
        self, customer: str, period: Period, life: Life, now: datetime, known: int, cuts_known: CutsKnown
    ) -> JsonObject:
        start, end = max(period.start, life.start), min(period.end, life.end)
        current = self.sums(customer, start, end, known)
        closed = period.end + GRACE <= now
        closing = self.known_before(period.end + GRACE)
        at_closing = self.sums(customer, start, end, closing) if closed else None
        heard = self.facts(customer, closing) or any(
            event.order < closing for event in self.usage.by_customer.get(customer, ())
        )
        cuts = cuts_known(customer, period.end + GRACE, closing) if closed and heard else None
        before = None if cuts is None else period_around(cuts, period.start)
        difference = None if at_closing is None else current.minus(at_closing)
        return {
            **period_json(period),
            "closed": closed,
            "at_closing": None if at_closing is None else at_closing.as_json(),
            "now": current.as_json(),
            "difference": None if difference is None else difference.as_json(),
            "restated": before not in (None, period) or difference not in (None, Sums()),
            "period_at_closing": None if before is None else period_json(before),
        }

    # Budgets

    def limits(self, customer: str, now: datetime, known: int) -> dict[str, Any]:
        """The customer's own fields, which override those of the shared budget that it names."""
        own = self.profile(customer, now, known)
        shared = fields_at(facts_of_budget(self.entries[:known], own.get("budget_id", "")), now)
        return {**shared, **own}

    def budget_policy(self, customer: str, at: datetime, known: int) -> Policy | None:
        fields = self.limits(customer, at, known)
        if "budget_duration" not in fields:
            return None
        return Policy(
            duration=fields["budget_duration"],
            alignment=fields.get("budget_alignment", "calendar"),
            zone=fields.get("time_zone", "UTC"),
            anchor=instant_in(fields, "period_start") or instant_in(fields, "budget_anchor"),
            first_end=instant_in(fields, "period_end"),
        )

    def budget_changes(self, customer: str, now: datetime, known: int) -> tuple[PolicyChange, ...]:
        life = self.life(customer, now, known)
        own = [fact for fact in self.facts(customer, known) if life.start <= fact.effective_at <= now]
        named = {fact.fields["budget_id"] for fact in own if fact.fields.get("budget_id")}
        shared = [fact for name in named for fact in facts_of_budget(self.entries[:known], name)]
        begin = min((fact.effective_at for fact in own), default=now)
        moments = sorted({fact.effective_at for fact in [*own, *shared] if begin <= fact.effective_at <= now})
        return policy_changes([(at, self.budget_policy(customer, at, known)) for at in moments])

    def budget_cuts(self, customer: str, now: datetime, known: int) -> tuple[datetime, ...] | None:
        """The bounds of the budget's periods; None when it has no periods."""
        if self.budget_policy(customer, now, known) is None:
            return None
        return cuts_of(self.budget_changes(customer, now, known))

    def budget_period(self, customer: str, now: datetime, known: int) -> Period | None:
        cuts = self.budget_cuts(customer, now, known)
        return None if cuts is None else period_around(cuts, now)

    def spent(
        self, customer: str, period: Period | None, now: datetime, known: int, model: str | None = None
    ) -> Decimal:
        """Reported cost in the period and the current life, with the opening spend where it belongs."""
        start, end = self._within_life(customer, period, now, known)
        total = self.sums(customer, start, end, known, model).reported
        if model is None:
            for fact in self.facts(customer, known):
                if fact.kind == "created" and start <= fact.effective_at < end:
                    total = EXACT.add(total, Decimal(fact.fields.get("opening_spend_usd", "0")))
        return total

    def unknown_events(
        self, customer: str, period: Period | None, now: datetime, known: int, model: str | None = None
    ) -> int:
        """Events of unknown cost in the period and the current life."""
        start, end = self._within_life(customer, period, now, known)
        return self.sums(customer, start, end, known, model).unknown

    def _within_life(
        self, customer: str, period: Period | None, now: datetime, known: int
    ) -> tuple[datetime, datetime]:
        life = self.life(customer, now, known)
        if period is None:
            return life.start, life.end
        return max(life.start, period.start), min(life.end, period.end)

    # Windows

    def per_window(
        self, customer: str, start: datetime, end: datetime, window: str, zone: str, known: int
    ) -> list[JsonObject]:
        """Days or months of `zone` that hold usage between start and end, with their sums."""
        found: dict[datetime, list[CountedEvent]] = {}
        for event in self.usage.between(customer, start, end, known):
            found.setdefault(window_start(event.time, window, zone), []).append(event)
        return [{"window_start": at, "usage": self.sum_of(found[at], known).as_json()} for at in sorted(found)]


def window_start(instant: datetime, window: str, zone: str) -> datetime:
    """The local midnight that begins the day or the month of `instant`."""
    wall = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    if window == "month":
        wall = wall + relativedelta(day=1)
    return wall.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)


def period_json(period: Period) -> JsonObject:
    return {"start": instant_text(period.start), "end": instant_text(period.end)}
