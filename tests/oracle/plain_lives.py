"""Customers with several lives and their usage as plain data, and sums over it by passes over lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal

EXACT = Context(prec=120)  # enough that nothing is rounded by accident
CREDITS_PER_USD = 1_000_000


@dataclass(frozen=True)
class Used:
    """One usage event. `cost_usd` None: unknown. `is_request`: of the type of requests to models."""

    id: str
    customer: str
    time: datetime
    cost_usd: Decimal | None
    tokens: int
    is_request: bool
    is_root: bool


@dataclass(frozen=True)
class PlainCustomer:
    """A customer. No two of the instants of its facts are equal; each fact belongs to the life of its instant.

    `deletions` ascend; each ends a life. `created`: for each life whether a command created it. What follows `markups`
    is of the present life. `time_zone` None: it was changed within the life. A budget has calendar months.
    """

    id: str
    deletions: tuple[datetime, ...] = ()
    created: tuple[bool, ...] = (False,)
    markups: tuple[tuple[datetime, Decimal], ...] = ()
    time_zone: str | None = "UTC"
    is_active: bool = True
    has_budget: bool = False

    def life_at(self, instant: datetime) -> int:
        """The number of the life that an instant falls in, from 0."""
        return sum(1 for one in self.deletions if one <= instant)

    def markup_at(self, instant: datetime) -> Decimal:
        """The percentage that the last fact of that life names by then."""
        named = [
            (at, percentage)
            for at, percentage in self.markups
            if at <= instant and self.life_at(at) == self.life_at(instant)
        ]
        return max(named)[1] if named else Decimal(0)


@dataclass(frozen=True)
class Totals:
    """Sums over events of requests to models; `requests` are those of `events` that have no parent."""

    reported_usd: Decimal = Decimal(0)
    events: int = 0
    requests: int = 0
    tokens: int = 0

    def credits(self) -> int:
        """The money in credits, rounded once, half to even."""
        exact = EXACT.multiply(self.reported_usd, Decimal(CREDITS_PER_USD))
        return int(exact.to_integral_value(ROUND_HALF_EVEN, EXACT))


def reported(one: Used, customer: PlainCustomer) -> Decimal | None:
    """The cost of an event with the markup valid at its time; None: unknown."""
    if one.cost_usd is None:
        return None
    return EXACT.divide(EXACT.multiply(one.cost_usd, 100 + customer.markup_at(one.time)), Decimal(100))


@dataclass(frozen=True)
class PlainMonth:
    """Customers by their ids, and all that they used. Creations and deletions are in effect by `now`."""

    now: datetime
    customers: dict[str, PlainCustomer]
    used: Sequence[Used] = field(default_factory=list)

    def existing(self) -> list[str]:
        """The ids of the customers whose present life was created, or has usage; after a deletion such that is due."""
        used = {
            one.customer
            for one in self.used
            if self._is_of_present_life(one) and (one.time <= self.now or not self.customers[one.customer].deletions)
        }
        return sorted(one.id for one in self.customers.values() if one.created[-1] or one.id in used)

    def of_life(self, customer: str, start: datetime | None = None, end: datetime | None = None) -> Totals:
        """The totals of the present life within [start, end)."""
        return self._totals(one for one in self._within(start, end, customer) if self._is_of_present_life(one))

    def of_all_lives(self, customer: str, start: datetime, end: datetime) -> Totals:
        """The totals of all lives within [start, end)."""
        return self._totals(self._within(start, end, customer))

    def _is_of_present_life(self, one: Used) -> bool:
        customer = self.customers[one.customer]
        return customer.life_at(one.time) == len(customer.deletions)

    def _within(self, start: datetime | None, end: datetime | None, customer: str) -> Iterable[Used]:
        return (
            one
            for one in self.used
            if one.customer == customer and (start is None or start <= one.time) and (end is None or one.time < end)
        )

    def _totals(self, used: Iterable[Used]) -> Totals:
        total = Totals()
        for one in used:
            cost = reported(one, self.customers[one.customer]) or Decimal(0)
            total = Totals(
                EXACT.add(total.reported_usd, cost),
                total.events + one.is_request,
                total.requests + (one.is_request and one.is_root),
                total.tokens + one.tokens,
            )
        return total
