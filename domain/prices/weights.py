"""Weights of quantities: the cost of a request is a linear function of what it reported, without a rounding.

Leaves are linear in the quantities, and the cost is linear in the leaves. So one vector of whole numbers, over one
denominator, prices all requests that report the same units at the same prices.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from itertools import combinations

import msgspec

from domain.prices.price_list import UnitPrice
from domain.units.decomposition import Factors, leaf_factors
from domain.units.registry import REQUESTS, unit_of
from domain.values.money import COST_DECIMALS


class Weights(msgspec.Struct, frozen=True):
    """How quantities of some reported units add up to a cost in picodollars.

    The cost is (sum of quantity x `of_unit` + requests x `of_request`) / `denominator`. It is unknown where `priced` is
    False, where one of the sums of `leaves` is negative, where a unit of `nowhere` was used, and where both units of a
    pair in `together` were: the priced unit that they are in was not reported.
    """

    of_unit: Mapping[str, int]
    of_request: int
    denominator: int
    priced: bool
    leaves: tuple[Factors, ...]
    nowhere: tuple[str, ...]
    together: tuple[tuple[str, str], ...]


def weights_of(prices: Mapping[str, UnitPrice], reported: frozenset[str]) -> Weights:
    """Return the weights of `reported` units at these prices."""
    metered = frozenset(prices) - {REQUESTS}
    counted = metered & reported
    exact: dict[str, Fraction] = {}
    for key, leaf in leaf_factors(counted).items():
        for unit, factor in leaf.items():
            exact[unit] = exact.get(unit, Fraction(0)) + factor * _picodollars(prices[key])
    of_request = _picodollars(prices[REQUESTS]) if REQUESTS in prices else Fraction(0)
    denominator = math.lcm(of_request.denominator, *(weight.denominator for weight in exact.values()))
    return Weights(
        of_unit={unit: int(weight * denominator) for unit, weight in exact.items() if weight},
        of_request=int(of_request * denominator),
        denominator=denominator,
        priced=bool(counted) or REQUESTS in prices,
        leaves=_leaves(counted, reported),
        nowhere=tuple(sorted(_outside(metered, reported) | _parts_of_unreported(metered, reported))),
        together=_overlaps_in_unreported(metered, reported),
    )


def _picodollars(price: UnitPrice) -> Fraction:
    """The price of one of a unit."""
    return price.of_one * 10**COST_DECIMALS


def _leaves(counted: frozenset[str], reported: frozenset[str]) -> tuple[Factors, ...]:
    """The sums that are negative where parts exceed their whole.

    Where no two units overlap, no priced leaf can be less than nothing unless a reported one is.
    """
    of_reported = list(leaf_factors(reported).values())
    of_counted = leaf_factors(counted).values() if _overlapping(reported) else ()
    return (*of_reported, *(leaf for leaf in of_counted if leaf not in of_reported))


def _outside(metered: frozenset[str], reported: frozenset[str]) -> set[str]:
    """Reported units that lie under no priced unit."""
    return {key for key in reported if not any(unit_of(key).is_part_of(unit_of(whole)) for whole in metered)}


def _parts_of_unreported(metered: frozenset[str], reported: frozenset[str]) -> set[str]:
    unreported = metered - reported
    return {key for key in reported if any(unit_of(key).is_part_of(unit_of(whole)) for whole in unreported)}


def _overlaps_in_unreported(metered: frozenset[str], reported: frozenset[str]) -> tuple[tuple[str, str], ...]:
    unreported = {unit_of(key).dimensions for key in metered - reported}
    return tuple(
        (one, other)
        for one, other in _overlapping(reported)
        if unit_of(one).dimensions | unit_of(other).dimensions in unreported
    )


def _overlapping(keys: frozenset[str]) -> list[tuple[str, str]]:
    """The pairs of units of which neither is a part of the other, and that may yet measure the same."""
    return [
        (one, other)
        for one, other in combinations(sorted(keys), 2)
        if _compatible(one, other)
        and not unit_of(one).is_part_of(unit_of(other))
        and not unit_of(other).is_part_of(unit_of(one))
    ]


def _compatible(one: str, other: str) -> bool:
    """Whether no dimension has one value in one unit and another value in the other one."""
    dimensions = dict(unit_of(one).dimensions)
    return all(dimensions.get(name, value) == value for name, value in unit_of(other).dimensions)
