"""Months of usage under a plan, drawn at random, and a plain reading of what they cost.

The reference shares no code with the engine but exact decimals: it keeps a list of events and of plans by time, counts
periods day by day, and prices unit by unit in plain loops.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from dateutil.relativedelta import relativedelta
from hypothesis import strategies as st

AGGREGATIONS: Final = ("count", "sum", "max", "min", "latest", "unique_count")
ZONES: Final = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata")
INTERVALS: Final = ("weekly", "monthly", "quarterly", "semiannual", "yearly")
#: Days around the ends of months, and of the changes of the clock in March.
START_DAYS: Final = tuple(date(2026, 1, 29) + timedelta(days=days) for days in range(3))
FIRST: Final = datetime(2026, 1, 25, tzinfo=UTC)
MINUTES: Final = 95 * 24 * 60
_STEPS: Final = {
    "weekly": relativedelta(weeks=1),
    "monthly": relativedelta(months=1),
    "quarterly": relativedelta(months=3),
    "semiannual": relativedelta(months=6),
    "yearly": relativedelta(years=1),
}
_MINOR_UNIT: Final = {"USD": Decimal("0.01"), "JPY": Decimal(1), "KWD": Decimal("0.001")}


class Event(msgspec.Struct, frozen=True):
    """A usage event. `value` None: it has none. `voided`: it is voided later."""

    number: int
    at: datetime
    value: Decimal | None
    subscription: str | None
    region: str | None
    voided: bool


class Month(msgspec.Struct, frozen=True):
    """Everything that decides on the charges of the subscription `s` of one customer.

    `other`: from when to when it has another subscription. `upgrade`: when the plan "large" takes over.
    """

    zone: str
    interval: str
    billing: str
    currency: str
    start: datetime
    upgrade: datetime | None
    end: datetime | None
    other: tuple[datetime, datetime] | None
    prices: Mapping[str, Mapping[str, Any]]  # by plan
    aggregations: Mapping[str, str]  # by plan
    grouped: bool
    events: tuple[Event, ...]

    @property
    def terms(self) -> list[tuple[str, datetime, datetime]]:
        """Plan, start and end of each term."""
        end = self.end or datetime(2100, 1, 1, tzinfo=UTC)
        if self.upgrade is None or self.upgrade >= end:
            return [("small", self.start, end)]
        return [("small", self.start, self.upgrade), ("large", self.upgrade, end)]


class Expected(msgspec.Struct, frozen=True):
    """What the period that contains an instant costs."""

    plan: str
    start: datetime
    end: datetime
    groups: dict[str | None, tuple[Decimal, Decimal]]  # units and rounded amount, by region
    amount: Decimal


def expected(month: Month, at: datetime) -> Expected | None:
    """The charges of the subscription in the period that contains `at`; None outside of it."""
    for plan, start, end in month.terms:
        if start <= at < end:
            period = _period(month, at)
            span = max(start, period[0]), min(end, period[1])
            return _priced(month, plan, span)
    return None


def _priced(month: Month, plan: str, span: tuple[datetime, datetime]) -> Expected:
    events = [one for one in month.events if span[0] <= one.at < span[1] and not one.voided and _belongs(month, one)]
    regions = sorted({one.region or "" for one in events}) if month.grouped else [""]
    groups: dict[str | None, tuple[Decimal, Decimal]] = {}
    for region in regions:
        of_group = [one for one in events if not month.grouped or (one.region or "") == region]
        units, values = _units(month.aggregations[plan], sorted(of_group, key=lambda one: one.at))
        amount = price(month.prices[plan], units, values)
        groups[region or None] = (units, amount.quantize(_MINOR_UNIT[month.currency], ROUND_HALF_UP))
    return Expected(plan, *span, groups, sum((amount for _, amount in groups.values()), Decimal(0)))


def _belongs(month: Month, event: Event) -> bool:
    if event.subscription is not None:
        return event.subscription == "s"
    return month.other is None or not month.other[0] <= event.at < month.other[1]


def _units(aggregation: str, events: Sequence[Event]) -> tuple[Decimal, list[Decimal]]:
    """Units, and the values that they come from; below 0 they count as 0."""
    if aggregation == "count":
        return Decimal(len(events)), [Decimal(1)] * len(events)
    values = [one.value for one in events if one.value is not None]
    if aggregation == "sum":
        return max(sum(values, Decimal(0)), Decimal(0)), values
    if aggregation == "unique_count":
        return Decimal(len(set(values))), values
    if not values:
        return Decimal(0), values
    found = {"max": max(values), "min": min(values), "latest": values[-1]}[aggregation]
    return max(found, Decimal(0)), values


def _period(month: Month, at: datetime) -> tuple[datetime, datetime]:
    zone = ZoneInfo(month.zone)
    bounds = [datetime.combine(day, time.min, zone).astimezone(UTC) for day in _days(month)]
    for start, end in pairwise(bounds):
        if start <= at < end:
            return start, end
    raise AssertionError("the periods of the reference end too early")


def _days(month: Month) -> Iterator[date]:
    """The local days on which periods begin."""
    step = _STEPS[month.interval]
    started_on = month.start.astimezone(ZoneInfo(month.zone)).date()
    first = started_on if month.billing == "anniversary" else date(2024, 1, 1)  # a Monday, too
    for number in range(-60, 250):
        yield first + step * number


def price(model: Mapping[str, Any], units: Decimal, values: Sequence[Decimal]) -> Decimal:
    """The exact amount of units above or at 0; `values` are those of the events in the order of time."""
    match model["model"]:
        case "standard":
            return units * Decimal(model["amount"])
        case "package":
            above = max(units - Decimal(model["free_units"]), Decimal(0)) / Decimal(model["package_size"])
            return above.to_integral_value(ROUND_CEILING) * Decimal(model["amount"])
        case "percentage":
            return _percentage(model, units, values)
        case "volume":
            one = next(one for one in model["ranges"] if one["to_value"] is None or units <= one["to_value"])
            return units * Decimal(one["per_unit_amount"]) + Decimal(one["flat_amount"])
        case _:
            return sum(_by_range(model, units), Decimal(0))


def _by_range(model: Mapping[str, Any], units: Decimal) -> Iterator[Decimal]:
    below = Decimal(0)
    for one in model["ranges"]:
        if one["from_value"] == 0 or units > below:
            upto = units if one["to_value"] is None else min(units, Decimal(one["to_value"]))
            each = Decimal(one["rate"]) / 100 if "rate" in one else Decimal(one["per_unit_amount"])
            yield Decimal(one["flat_amount"]) + (upto - below) * each
        below = Decimal(one["to_value"] or 0)


def _percentage(model: Mapping[str, Any], units: Decimal, values: Sequence[Decimal]) -> Decimal:
    if units <= 0:
        return Decimal(0)
    rate, fixed = Decimal(model["rate"]) / 100, Decimal(model["fixed_amount"])
    if "per_transaction_max_amount" not in model:
        return units * rate + len(values) * fixed
    most = Decimal(model["per_transaction_max_amount"])
    return max(sum((min(value * rate + fixed, most) for value in values), Decimal(0)), Decimal(0))


def instants(minutes: tuple[int, int] = (0, MINUTES)) -> st.SearchStrategy[datetime]:
    """Instants to the minute, many of them at local midnights."""
    whole_days = st.integers(minutes[0] // 1440, minutes[1] // 1440).map(lambda days: days * 1440)
    at_midnight = st.tuples(whole_days, st.sampled_from((-330, -60, -1, 0, 1, 240, 300))).map(sum)
    return st.one_of(st.integers(*minutes), at_midnight).map(lambda minute: FIRST + timedelta(minutes=minute))


_ODD: Final = st.sampled_from(("0", "0.005", "0.37", "1", "12.5"))


@st.composite
def models(draw: st.DrawFn, aggregation: str) -> dict[str, Any]:
    """A charge model; one that prices events one by one only where units are their sum."""
    kind = draw(st.sampled_from(("standard", "graduated", "package", "percentage", "volume", "graduated_percentage")))
    if kind == "standard":
        return {"model": kind, "amount": draw(_ODD)}
    if kind == "package":
        return {
            "model": kind, "amount": draw(_ODD), "package_size": draw(st.integers(1, 7)),
            "free_units": str(draw(st.integers(0, 5))),
        }  # fmt: skip
    if kind == "percentage":
        bound = {"per_transaction_max_amount": draw(_ODD)} if draw(st.booleans()) else {}
        shared = {"model": kind, "rate": draw(_ODD), "fixed_amount": draw(_ODD)}
        return {**shared, **(bound if aggregation in ("count", "sum") else {})}
    ends = sorted(draw(st.sets(st.integers(1, 40), max_size=3)))
    price_of = "rate" if kind == "graduated_percentage" else "per_unit_amount"
    ranges = [
        {"from_value": start, "to_value": end, price_of: draw(_ODD), "flat_amount": draw(_ODD)}
        for start, end in zip([0, *ends], [*ends, None], strict=True)
    ]
    return {"model": kind, "ranges": ranges}


@st.composite
def months(draw: st.DrawFn) -> Month:
    """A subscription over some months: an upgrade, an end, another subscription beside it, and events around it all."""
    start = datetime.combine(draw(st.sampled_from(START_DAYS)), time(draw(st.integers(0, 23)), 30), UTC)
    upgrade, end = (draw(st.none() | instants((11_000, MINUTES))) for _ in range(2))
    other = draw(st.none() | st.tuples(instants(), instants()).filter(lambda span: span[0] < span[1]))
    aggregations = {plan: draw(st.sampled_from(AGGREGATIONS)) for plan in ("small", "large")}
    times = draw(st.lists(instants(), min_size=4, max_size=14, unique=True))
    events = tuple(
        Event(
            number,
            at,
            draw(st.none() | st.integers(-3, 40).map(Decimal) | st.sampled_from([Decimal("10.5"), Decimal("0.25")])),
            draw(st.sampled_from((None, None, "s", "t"))),
            draw(st.sampled_from((None, "eu", "us"))),
            draw(st.integers(0, 5)) == 0,
        )
        for number, at in enumerate(times)
    )
    return Month(
        zone=draw(st.sampled_from(ZONES)),
        interval=draw(st.sampled_from(INTERVALS)),
        billing=draw(st.sampled_from(("calendar", "anniversary"))),
        currency=draw(st.sampled_from(sorted(_MINOR_UNIT))),
        start=start,
        upgrade=upgrade,
        end=end,
        other=other,
        prices={plan: draw(models(aggregation)) for plan, aggregation in aggregations.items()},
        aggregations=aggregations,
        grouped=draw(st.booleans()),
        events=events,
    )
