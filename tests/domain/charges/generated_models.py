"""Charge models and usage that Hypothesis generates, both ways of writing ranges among them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st

from domain.charges.amounts import Used
from domain.charges.models import (
    ChargeModel,
    Graduated,
    GraduatedPercentage,
    Package,
    Percentage,
    Standard,
    Volume,
)
from domain.charges.ranges import PriceRange, RateRange

#: Units and bounds are whole numbers of tenths, and small, so that a reference can count them one by one.
TENTHS_MAX: Final = 600


def tenths(count: int) -> Decimal:
    return Decimal(count).scaleb(-1)


prices = st.just(Decimal(0)) | st.decimals(0, 100, places=3) | st.decimals(0, 10**14, places=18)
some_tenths = st.integers(0, TENTHS_MAX).map(tenths)
units = some_tenths | st.integers(0, TENTHS_MAX // 10).map(Decimal) | st.integers(-30, 0).map(tenths)

Bounds = list[tuple[Decimal, Decimal | None]]


def touching(ends: Sequence[Decimal]) -> Bounds:
    """Ranges of which each begins where the one before ends."""
    return list(zip([Decimal(0), *ends], [*ends, None], strict=True))


def spaced(ends: Sequence[Decimal]) -> Bounds:
    """Ranges in whole numbers of which each begins one above the end of the one before."""
    return list(zip([Decimal(0), *(end + 1 for end in ends)], [*ends, None], strict=True))


bounds_in_tenths = st.sets(st.integers(1, TENTHS_MAX).map(tenths), max_size=5).map(lambda ends: touching(sorted(ends)))
#: At least two apart: a range in whole numbers that begins above the one before ends above its beginning.
whole_ends = st.sets(st.integers(1, TENTHS_MAX // 20).map(lambda half: Decimal(2 * half)), max_size=5).map(sorted)
bounds = bounds_in_tenths | whole_ends.map(spaced) | whole_ends.map(touching)


@st.composite
def price_ranges(draw: st.DrawFn) -> tuple[PriceRange, ...]:
    return tuple(PriceRange(start, end, draw(prices), draw(prices)) for start, end in draw(bounds))


@st.composite
def rate_ranges(draw: st.DrawFn) -> tuple[RateRange, ...]:
    return tuple(RateRange(start, end, draw(prices), draw(prices)) for start, end in draw(bounds))


def _ordered(model: Percentage) -> bool:
    least, most = model.per_transaction_min_amount, model.per_transaction_max_amount
    return least is None or most is None or least <= most


standards = st.builds(Standard, prices)
graduateds = st.builds(Graduated, price_ranges())
packages = st.builds(Package, prices, st.integers(1, 20) | st.integers(1, 10**9), st.just(Decimal(0)) | some_tenths)
percentages = st.builds(
    Percentage,
    prices,
    st.none() | prices,
    st.none() | st.integers(0, 6),
    st.none() | st.just(Decimal(0)) | some_tenths,
    st.none() | st.decimals(0, 5, places=2),
    st.none() | st.decimals(0, 5, places=2),
).filter(_ordered)
volumes = st.builds(Volume, price_ranges())
graduated_percentages = st.builds(GraduatedPercentage, rate_ranges())
models: st.SearchStrategy[ChargeModel] = st.one_of(
    standards, graduateds, packages, percentages, volumes, graduated_percentages
)

#: Values of events; some take back what others added.
event_values = st.lists(some_tenths | st.integers(1, 90).map(tenths) | st.integers(-90, 0).map(tenths), max_size=12)
#: Values of events that take nothing back.
added_values = st.lists(some_tenths | st.integers(0, 90).map(tenths), max_size=12)


def used_by(values: Sequence[Decimal]) -> Used:
    """The usage of events that each added a value."""
    return Used(sum(values, Decimal(0)), len(values), values)


def used_units(count: Decimal) -> Used:
    """The usage of one event."""
    return used_by([count])


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.decimals()
    | st.decimals(0, 100, places=2).map(str),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)
