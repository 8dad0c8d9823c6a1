"""Months of usage under a plan, drawn at random, and a plain reading of what they cost.

The reference shares no code with the engine but exact decimals: it keeps a list of events and of plans by time, counts
periods day by day, looks at each filter for each event, and prices unit by unit in plain loops.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise
from math import ceil
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from dateutil.relativedelta import relativedelta
from hypothesis import strategies as st

AGGREGATIONS: Final = ("count", "sum", "max", "min", "latest", "unique_count", "weighted_sum")
RECURRING: Final = ("sum", "unique_count", "weighted_sum")
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
_TO_WHOLE: Final = {"round": ROUND_HALF_UP, "ceil": ROUND_CEILING, "floor": ROUND_FLOOR}
_MINOR_UNIT: Final = {"USD": Decimal("0.01"), "JPY": Decimal(1), "KWD": Decimal("0.001")}


class Event(msgspec.Struct, frozen=True):
    """A usage event. `value` None: it has none. `voided`: it is voided later."""

    number: int
    at: datetime
    value: Decimal | None
    subscription: str | None
    region: str | None
    tier: str | None
    operation: str | None
    voided: bool


class Filter(msgspec.Struct, frozen=True):
    """Events with one of these texts at each key (none: any text) have a price of their own."""

    values: Mapping[str, Sequence[str]]
    price: Mapping[str, Any]

    def matches(self, event: Event) -> bool:
        """Whether an event has them all."""
        texts = {"region": event.region, "tier": event.tier}
        return all(self._takes(of, texts[key]) for key, of in self.values.items())

    def _takes(self, of: Sequence[str], text: str | None) -> bool:
        return text is not None and (not of or text in of)


class Measure(msgspec.Struct, frozen=True):
    """How a plan measures: the aggregation, whether it recurs, and how units are rounded."""

    aggregation: str
    recurring: bool
    rounding: tuple[str, int] | None


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
    measures: Mapping[str, Measure]  # by plan
    filters: tuple[Filter, ...]
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
    priced: dict[tuple[str | None, int | None], tuple[Decimal, Decimal]]  # units and amount, by region and filter
    amount: Decimal


def expected(month: Month, at: datetime) -> Expected | None:
    """The charges of the subscription in the period that contains `at`; None outside of it."""
    for plan, start, end in month.terms:
        if start <= at < end:
            period = _period(month, at)
            span = max(start, period[0]), min(end, period[1])
            return _priced(month, plan, span, period)
    return None


def _priced(month: Month, plan: str, span: tuple[datetime, datetime], whole: tuple[datetime, datetime]) -> Expected:
    measure = month.measures[plan]
    begin = month.start if measure.recurring else span[0]
    told = [one for one in month.events if begin <= one.at < span[1] and not one.voided and _belongs(month, one)]
    events = sorted(told, key=lambda one: one.at)
    numbers = [*range(len(month.filters)), None]
    buckets: dict[tuple[str | None, int | None], list[Event]] = {}
    if not month.grouped:
        buckets = {(None, number): [] for number in numbers}
    for one in events:
        buckets.setdefault((one.region if month.grouped else None, _filter_of(month, one)), []).append(one)
    priced = {}
    for (region, number), found in buckets.items():
        units, values = _units(measure.aggregation, found, span, whole)
        if measure.rounding is not None:
            function, decimals = measure.rounding
            step = Decimal(10) ** -decimals
            units = (units / step).to_integral_value(_TO_WHOLE[function]) * step
        units = max(units, Decimal(0))
        amount = price(month.prices[plan] if number is None else month.filters[number].price, units, values)
        priced[region, number] = (units, amount.quantize(_MINOR_UNIT[month.currency], ROUND_HALF_UP))
    return Expected(plan, *span, priced, sum((amount for _, amount in priced.values()), Decimal(0)))


def _filter_of(month: Month, event: Event) -> int | None:
    """The matching filter with the most keys, of several the first."""
    best: int | None = None
    for number, one in enumerate(month.filters):
        if one.matches(event) and (best is None or len(one.values) > len(month.filters[best].values)):
            best = number
    return best


def _belongs(month: Month, event: Event) -> bool:
    if event.subscription is not None:
        return event.subscription == "s"
    return month.other is None or not month.other[0] <= event.at < month.other[1]


def _units(
    aggregation: str, events: Sequence[Event], span: tuple[datetime, datetime], whole: tuple[datetime, datetime]
) -> tuple[Decimal, list[Decimal]]:
    """Units, and the values that they come from."""
    if aggregation == "count":
        return Decimal(len(events)), [Decimal(1)] * len(events)
    valued = [(one, one.value) for one in events if one.value is not None]
    values = [value for _, value in valued]
    if aggregation == "sum":
        return sum(values, Decimal(0)), values
    if aggregation == "unique_count":
        there: set[Decimal] = set()
        for one, value in valued:
            (there.discard if one.operation == "remove" else there.add)(value)
        return Decimal(len(there)), values
    if aggregation == "weighted_sum":
        return _weighted([(one.at, value) for one, value in valued], span, whole), values
    if not values:
        return Decimal(0), values
    return {"max": max(values), "min": min(values), "latest": values[-1]}[aggregation], values


def _weighted(
    steps: Sequence[tuple[datetime, Decimal]], span: tuple[datetime, datetime], whole: tuple[datetime, datetime]
) -> Decimal:
    """The running sum, minute by minute, over the minutes of the whole period; rounded up at 20 decimals."""
    running, weighed = Fraction(0), Fraction(0)
    for (at, value), (following, _) in pairwise([*steps, (span[1], Decimal(0))]):
        running += Fraction(value)
        weighed += (
            running * Fraction((following - max(at, span[0])) / timedelta(minutes=1)) if following > span[0] else 0
        )
    scaled = weighed / Fraction((whole[1] - whole[0]) / timedelta(minutes=1)) * 10**20
    return Decimal(ceil(scaled)).scaleb(-20)


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


#: Few enough that several events have the same one.
_VALUES: Final = ("-30", "-1", "0", "0.25", "1", "10.5", "10.5", "17", "40")
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
def _measures(draw: st.DrawFn) -> Measure:
    aggregation = draw(st.sampled_from((*AGGREGATIONS, *RECURRING, "weighted_sum")))
    rounding = draw(st.none() | st.tuples(st.sampled_from(sorted(_TO_WHOLE)), st.integers(-1, 1)))
    return Measure(aggregation, aggregation in RECURRING and draw(st.sampled_from((True, True, False))), rounding)


@st.composite
def _filters(draw: st.DrawFn, aggregation: str) -> Filter:
    """A filter by region, tier or both, with a price that units of an aggregation may have."""
    texts = {"region": ("eu", "us"), "tier": ("gold", "iron")}
    keys = draw(st.lists(st.sampled_from(sorted(texts)), min_size=1, unique=True))
    values = {key: draw(st.lists(st.sampled_from(texts[key]), max_size=2, unique=True)) for key in keys}
    return Filter(values, draw(models(aggregation)))


@st.composite
def months(draw: st.DrawFn) -> Month:
    """A subscription over some months: an upgrade, an end, another subscription beside it, and events around it all."""
    start = datetime.combine(draw(st.sampled_from(START_DAYS)), time(draw(st.integers(0, 23)), 30), UTC)
    upgrade, end = (draw(st.none() | instants((11_000, MINUTES))) for _ in range(2))
    other = draw(st.none() | st.tuples(instants(), instants()).filter(lambda span: span[0] < span[1]))
    measures = {plan: draw(_measures()) for plan in ("small", "large")}
    names = [measures[plan].aggregation for plan in ("small", "large")]
    priced_alone = "sum" if set(names) <= {"count", "sum"} else "max"
    times = draw(st.lists(instants(), min_size=4, max_size=14, unique=True))
    events = tuple(
        Event(
            number,
            at,
            draw(st.none() | st.sampled_from(_VALUES).map(Decimal)),
            draw(st.sampled_from((None, None, "s", "t"))),
            draw(st.sampled_from((None, "eu", "us"))),
            draw(st.sampled_from((None, "gold", "iron"))),
            draw(st.sampled_from((None, None, "add", "remove"))),
            draw(st.integers(0, 5)) == 0,
        )
        for number, at in enumerate(times)
    )
    return Month(
        zone=draw(st.sampled_from(ZONES)),
        interval=draw(st.sampled_from((*INTERVALS, "weekly"))),
        billing=draw(st.sampled_from(("calendar", "anniversary"))),
        currency=draw(st.sampled_from(sorted(_MINOR_UNIT))),
        start=start,
        upgrade=upgrade,
        end=end,
        other=other,
        prices={plan: draw(models(measure.aggregation)) for plan, measure in measures.items()},
        measures=measures,
        filters=tuple(draw(st.lists(_filters(priced_alone), max_size=4))),
        grouped=draw(st.booleans()),
        events=events,
    )
