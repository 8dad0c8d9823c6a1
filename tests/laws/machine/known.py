"""What is known of a list of facts at an instant, computed from the whole list: customers, their lives, and sums."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cached_property
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from tests.laws.machine.events import Event, Story, identities
from tests.laws.machine.facts import CustomerDeleted, CustomerSaid, Fact

GRACE: Final = timedelta(hours=1)
BEGINNING: Final = datetime(1980, 1, 1, tzinfo=ZoneInfo("UTC"))
Span = tuple[datetime, datetime]


class Totals(NamedTuple):
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    reported_usd: Decimal = Decimal(0)
    unknown: int = 0

    def credits(self) -> int:
        return int((self.reported_usd * 1_000_000).to_integral_value(ROUND_HALF_EVEN))


@dataclass(frozen=True)
class Known:
    facts: tuple[Fact, ...]
    now: datetime

    # -- events

    @cached_property
    def events(self) -> list[Event]:
        """Events that have their identity, void ones too."""
        stories = (Story(one, self.facts).event() for one in identities(self.facts))
        return [one for one in stories if one is not None]

    @cached_property
    def counted(self) -> list[Event]:
        return [one for one in self.events if not one.is_void]

    def reported(self, event: Event) -> Decimal | None:
        """The cost with the markup at the time of the event."""
        if event.cost_usd is None:
            return None
        markup: Decimal = self.field(event.sent.customer, "markup", event.time) or Decimal(0)
        return event.cost_usd * (100 + markup) / 100

    def total(self, events: Iterable[Event]) -> Totals:
        total = Totals()
        for one in events:
            total = Totals(
                total.requests + 1,
                total.input_tokens + one.sent.input_tokens,
                total.output_tokens + one.sent.output_tokens,
                total.cost_usd + (one.cost_usd or 0),
                total.reported_usd + (self.reported(one) or 0),
                total.unknown + (one.cost_usd is None),
            )
        return total

    def totals_by(self, events: Iterable[Event], group: Callable[[Event], Any]) -> dict[Any, Totals]:
        events = list(events)
        groups = {group(one) for one in events}
        return {key: self.total(one for one in events if group(one) == key) for key in groups}

    # -- lives

    def deletions(self, customer: str) -> list[CustomerDeleted]:
        return [one for one in self.facts if isinstance(one, CustomerDeleted) and one.customer == customer]

    def life_start(self, customer: str, instant: datetime) -> datetime:
        """When the life began that an instant falls in."""
        return max([BEGINNING, *(one.at for one in self.deletions(customer) if one.at <= instant)])

    def said(self, customer: str) -> Iterator[CustomerSaid]:
        """What was said of a customer, without what a later deletion cut off."""
        deletions = self.deletions(customer)
        for one in self.facts:
            if isinstance(one, CustomerSaid) and one.customer == customer:
                cut = (gone for gone in deletions if gone.position > one.position and gone.at <= one.effective_at)
                if next(cut, None) is None:
                    yield one

    def field(self, customer: str, name: str, instant: datetime) -> Any:
        """The value of a field at an instant; None where nothing was said."""
        begin = self.life_start(customer, instant)
        naming = [one for one in self.said(customer) if name in one.fields and begin <= one.effective_at <= instant]
        return max(naming, key=lambda one: (one.effective_at, one.position)).fields[name] if naming else None

    def of_this_life(self, customer: str) -> list[CustomerSaid]:
        """What was said since the last deletion."""
        since = max([0, *(one.position for one in self.deletions(customer))])
        return [one for one in self.said(customer) if one.position > since]

    def is_created(self, customer: str) -> bool:
        return any(one.is_creation for one in self.of_this_life(customer))

    def exists(self, customer: str) -> bool:
        """Whether a fact that is in effect, or usage, has begun a life. Usage ahead of time revives nobody yet."""
        begin, was_deleted = self.life_start(customer, self.now), bool(self.deletions(customer))
        used = (
            one
            for one in self.counted
            if one.sent.customer == customer and one.time >= begin and (one.time <= self.now or not was_deleted)
        )
        in_effect = (one for one in self.of_this_life(customer) if one.effective_at <= self.now)
        return next(in_effect, None) is not None or next(used, None) is not None

    def customers(self) -> list[str]:
        names = {one.customer for one in self.facts if isinstance(one, CustomerSaid)}
        names |= {one.sent.customer for one in self.events}
        return sorted(one for one in names if self.exists(one))

    # -- sums

    def lived(self, customer: str, span: Span | None = None) -> list[Event]:
        """What counts in the present life of a customer, in a span."""
        begin = self.life_start(customer, self.now)
        return [
            one
            for one in self.counted
            if one.sent.customer == customer and one.time >= begin and (span is None or span[0] <= one.time < span[1])
        ]

    def zone(self, customer: str) -> ZoneInfo:
        """The zone that the creation named holds for the whole life."""
        named = [one.fields.get("zone") for one in self.of_this_life(customer) if one.is_creation]
        return ZoneInfo(named[0] if named and named[0] else "UTC")

    def month(self, customer: str, back: int = 0) -> Span:
        """The calendar month of the customer that is now, or so many before it."""
        zone = self.zone(customer)
        local = self.now.astimezone(zone)
        first, last = (
            datetime(local.year + number // 12, number % 12 + 1, 1, tzinfo=zone).astimezone(ZoneInfo("UTC"))
            for number in (local.month - 1 - back, local.month - back)
        )
        return first, last

    def budget_span(self, customer: str) -> Span | None:
        """The open period of the budget, without a duration the usage period; None where nothing needs one."""
        needing = (self.field(customer, name, self.now) for name in ("duration", "period_limit"))
        return self.month(customer) if any(one is not None for one in needing) else None

    def as_closed(self, end: datetime) -> Known:
        """What was known when a period that ended then was closed."""
        return Known(tuple(one for one in self.facts if one.at < end + GRACE), self.now)

    def is_allowed(self, customer: str) -> bool:
        if not self.exists(customer):
            return True
        span = self.budget_span(customer)
        total_limit = self.field(customer, "total_limit", self.now)
        period_limit = self.field(customer, "period_limit", self.now)
        spent = self.total(self.lived(customer)).reported_usd
        in_period = self.total(self.lived(customer, span)).reported_usd if span else Decimal(0)
        return not (
            self.field(customer, "blocked", self.now)
            or (total_limit is not None and spent >= total_limit)
            or (period_limit is not None and span is not None and in_period >= period_limit)
        )
