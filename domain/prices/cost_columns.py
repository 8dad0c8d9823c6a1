"""The costs of many requests: `event_cost` of each row of columns, in whole picodollars.

1. Rows are grouped by the standard rule in force and the variants that apply to their time and context.
2. Of those, by the tier that their input tokens reach.
3. Of those, by the units that they report. Nearly all report the common units alone.
4. Each group has one vector of weights. Its sums are of 64 bits where that was proved to be enough by the largest value
   of every column, else of Python integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from domain.prices.price_list import (
    PriceList,
    Rates,
    StandardRule,
    UnitPrice,
    VariantRule,
    applies_to,
    overlaid,
    prices_at,
)
from domain.prices.weights import Weights, weights_of
from domain.units.registry import COMMON_UNITS
from domain.usage.quantities import NO_CONTEXT, QUANTITY_DECIMALS, ExtraQuantities, Quantities
from domain.values.instants import epoch_microseconds

Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]
#: A column of 64-bit integers, or of Python integers as objects.
Column = npt.NDArray[Any]
#: Whole picodollars (10^-12 USD): int64 if every value was proved to fit, else Python integers.
Picodollars = Ints | list[int]

INT64_MAX: Final = 2**63 - 1
_DIVISOR_MAX: Final = INT64_MAX // 2  # twice a remainder still fits
_DAY_US: Final = 24 * 60 * 60 * 1_000_000
_SECOND_US: Final = 1_000_000
_PICO: Final = 10**QUANTITY_DECIMALS
_COMMON: Final = frozenset(COMMON_UNITS)
#: Vectors of weights that a price list keeps; another one costs some hundred microseconds.
_KEPT_WEIGHTS: Final = 256


class _Level(msgspec.Struct, frozen=True):
    """Prices of a rule with its variants, by tier. `thresholds`: the input tokens above which each level begins."""

    thresholds: Ints
    prices: tuple[Mapping[str, UnitPrice], ...]
    tiered: bool


class PriceColumns:
    """A price list, prepared to price columns of requests."""

    def __init__(self, prices: PriceList) -> None:
        self.prices: Final = prices
        self._levels: dict[tuple[int, tuple[int, ...]], _Level] = {}
        self._weights: dict[tuple[int, tuple[int, ...], int, frozenset[str]], Weights] = {}

    def costs(self, times_us: Ints, quantities: Quantities) -> Iterator[tuple[Rows, Picodollars]]:
        """Yield rows and their costs; a row appears at most once, and not where its cost is unknown.

        `times_us`: the time of each request, in microseconds since 1970.
        """
        rows = np.arange(len(quantities), dtype=np.intp)
        if quantities.known is not None:
            rows = rows[quantities.known]
        extras = None if quantities.extras is None or not len(quantities.extras.rows) else quantities.extras
        with_extras = None if extras is None else _marked(extras.rows, len(quantities))
        for key, group in self._by_rule(times_us, quantities, rows):
            level = self._level(*key)
            priced = self._priced_rows(level, quantities, group)
            for number, of_level in _by_threshold(level.thresholds, quantities.tokens[0], priced):
                if extras is None or with_extras is None:
                    yield from self._common((*key, number), quantities, of_level)
                    continue
                rare = with_extras[of_level]
                yield from self._common((*key, number), quantities, of_level[~rare])
                yield from self._rare((*key, number), quantities, extras, of_level[rare])

    def _by_rule(
        self, times_us: Ints, quantities: Quantities, rows: Rows
    ) -> Iterator[tuple[tuple[int, tuple[int, ...]], Rows]]:
        for rule, of_rule in _by_standard_rule(self.prices.standard, times_us, rows):
            if not self.prices.variants or quantities.context_codes is None:
                yield (rule, ()), of_rule
                continue
            codes = quantities.context_codes[of_rule]
            for code in (np.flatnonzero(np.bincount(codes + 1)) - 1).tolist():
                of_context = of_rule[codes == code]
                context = quantities.contexts[code] if code >= 0 else NO_CONTEXT
                for variants, group in _by_variant(self.prices.variants, context, times_us, of_context):
                    yield (rule, variants), group

    def _level(self, rule: int, variants: tuple[int, ...]) -> _Level:
        found = self._levels.get((rule, variants))
        if found is None:
            if len(self._levels) >= _KEPT_WEIGHTS:
                self._levels.clear()
            chosen = tuple(self.prices.variants[number] for number in variants)
            found = self._levels[rule, variants] = _level_of(overlaid(self.prices.standard[rule], chosen))
        return found

    def _priced_rows(self, level: _Level, quantities: Quantities, rows: Rows) -> Rows:
        """Without rows that stand for several requests, where the cost of each request counts."""
        if quantities.requests is None or not (level.tiered or self.prices.minimums):
            return rows
        return rows[quantities.requests[rows] <= 1]

    def _weights_of(self, key: tuple[int, tuple[int, ...], int], reported: frozenset[str]) -> Weights:
        found = self._weights.get((*key, reported))
        if found is None:
            if len(self._weights) >= _KEPT_WEIGHTS:
                self._weights.clear()
            rule, variants, number = key
            found = weights_of(self._level(rule, variants).prices[number], reported)
            self._weights[*key, reported] = found
        return found

    def _common(
        self, key: tuple[int, tuple[int, ...], int], quantities: Quantities, rows: Rows
    ) -> Iterator[tuple[Rows, Picodollars]]:
        if not len(rows):
            return
        weights = self._weights_of(key, _COMMON)
        columns = {unit: _chosen(column, rows) for unit, column in zip(COMMON_UNITS, quantities.tokens, strict=True)}
        yield from _weighed(weights, columns, _requests(quantities, rows), rows)

    def _rare(
        self, key: tuple[int, tuple[int, ...], int], quantities: Quantities, extras: ExtraQuantities, rows: Rows
    ) -> Iterator[tuple[Rows, Picodollars]]:
        for units, group, of_extras in _by_units(extras, rows, len(quantities)):
            common = {
                unit: column[group].astype(object) * _PICO
                for unit, column in zip(COMMON_UNITS, quantities.tokens, strict=True)
            }
            columns = common | of_extras
            reported = _COMMON | units
            holds = _leaves_hold(self._weights_of(key, reported), columns)
            known = slice(None) if holds is None else holds
            for minimum in self.prices.minimums:
                if units.intersection(minimum.units):
                    columns |= dict.fromkeys(minimum.units, _at_least(minimum.least, minimum.units, columns))
                    reported |= frozenset(minimum.units)
            chosen = {unit: column[known] for unit, column in columns.items()}
            whole = not any((column % _PICO).any() for column in chosen.values())
            scale = 1 if whole else _PICO
            narrowed = {unit: _narrowed(column // _PICO if whole else column) for unit, column in chosen.items()}
            of_group = group[known]
            weights = self._weights_of(key, reported)
            yield from _weighed(weights, narrowed, _requests(quantities, of_group), of_group, scale)


def _level_of(rates: Rates) -> _Level:
    tiers = {tier.input_tokens_above for rate in rates.values() for tier in rate.tiers}
    thresholds = sorted(min(tier, INT64_MAX) for tier in tiers)
    return _Level(
        np.array(thresholds, dtype=np.int64),
        tuple(prices_at(rates, tokens) for tokens in (0, *(above + 1 for above in thresholds))),
        bool(tiers),
    )


def _by_standard_rule(rules: Sequence[StandardRule], times_us: Ints, rows: Rows) -> Iterator[tuple[int, Rows]]:
    """Yield the number of each rule with the rows that it is in force for: the last active one, else the first."""
    if len(rules) == 1:
        yield 0, rows
        return
    times = times_us[rows]
    last = np.zeros(len(rows), dtype=np.int64)
    for number, rule in enumerate(rules):
        last[_active(rule, times)] = number
    for number in range(len(rules)):
        yield number, rows[last == number]


def _by_variant(
    variants: Sequence[VariantRule], context: Any, times_us: Ints, rows: Rows
) -> list[tuple[tuple[int, ...], Rows]]:
    """Rows of one context, by the numbers of the variants that apply to them."""
    groups: list[tuple[tuple[int, ...], Rows]] = [((), rows)]
    for number, variant in enumerate(variants):
        if applies_to(variant, context):
            split: list[tuple[tuple[int, ...], Rows]] = []
            for chosen, group in groups:
                active = _active(variant, times_us[group])
                split += [((*chosen, number), group[active]), (chosen, group[~active])]
            groups = [(chosen, group) for chosen, group in split if len(group)]
    return groups


def _active(rule: StandardRule | VariantRule, times_us: Ints) -> Mask:
    active = np.ones(len(times_us), dtype=bool)
    if rule.start is not None:
        active &= times_us >= epoch_microseconds(rule.start)
    if rule.hours is not None:
        first, end = (second * _SECOND_US for second in rule.hours)
        of_day = times_us % _DAY_US
        begun, not_ended = of_day >= first, of_day < end
        active &= (begun & not_ended) if first <= end else (begun | not_ended)
    return active


def _by_threshold(thresholds: Ints, input_tokens: Ints, rows: Rows) -> Iterator[tuple[int, Rows]]:
    if not len(thresholds):
        yield 0, rows
        return
    reached = np.searchsorted(thresholds, _chosen(input_tokens, rows), side="left")
    for number in range(len(thresholds) + 1):
        yield number, rows[reached == number]


def _by_units(
    extras: ExtraQuantities, rows: Rows, count: int
) -> Iterator[tuple[frozenset[str], Rows, dict[str, Column]]]:
    """Yield units, the rows of `rows` that report exactly those, and their quantities in picounits."""
    if not len(rows):
        return
    place = np.full(count, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    places = place[extras.rows]
    chosen = np.flatnonzero(places >= 0)
    picounits = np.array(extras.picounits, dtype=object)[chosen]
    places, codes = places[chosen], extras.codes[chosen]
    reports = np.zeros((len(rows), len(extras.units)), dtype=bool)
    reports[places, codes] = True
    sets, which = np.unique(np.packbits(reports, axis=1), axis=0, return_inverse=True)
    dense: dict[int, Column] = {}
    for code in np.unique(codes).tolist():
        dense[code] = np.zeros(len(rows), dtype=object)
        dense[code][places[codes == code]] = picounits[codes == code]
    for number, packed in enumerate(sets):
        reported = np.flatnonzero(np.unpackbits(packed, count=len(extras.units))).tolist()
        group = np.flatnonzero(which.reshape(-1) == number)
        units = {extras.units[code]: dense[code][group] for code in reported}
        yield frozenset(units), rows[group], units


def _at_least(least: Decimal, units: Sequence[str], columns: Mapping[str, Column]) -> Column:
    """What is charged of units with a minimum, in picounits: the first one used, and `least` at least."""
    charged: Column | int = 0
    for unit in reversed(units):
        if unit in columns:
            charged = np.where(columns[unit] > 0, columns[unit], charged)
    floor = int(Fraction(least) * _PICO)
    return np.where(np.asarray(charged) > 0, np.maximum(charged, floor), 0).astype(object)


def _weighed(
    weights: Weights, columns: Mapping[str, Column], requests: Column | None, rows: Rows, scale: int = 1
) -> Iterator[tuple[Rows, Picodollars]]:
    """Yield the rows of known cost with their costs. Quantities are in 1/`scale` of their units."""
    if not weights.priced or not len(rows):
        return
    bounds = {unit: _bound(column) for unit, column in columns.items()}
    used = {unit: column for unit, column in columns.items() if bounds[unit]}
    exact = not _fits_int64(weights, bounds, 1 if requests is None else _bound(requests), scale)
    if exact:
        used = {unit: column.astype(object) for unit, column in used.items()}
        requests = None if requests is None else requests.astype(object)
    known = _known(weights, used)
    if known is not None and not known.all():
        rows = rows[known]
        used = {unit: column[known] for unit, column in used.items()}
        requests = None if requests is None else requests[known]
    if len(rows):
        total: Column = np.zeros(len(rows), dtype=object if exact else np.int64)
        if weights.of_request:
            total += weights.of_request * scale if requests is None else requests * (weights.of_request * scale)
        for unit, column in used.items():
            if weight := weights.of_unit.get(unit):
                total += column * weight
        costs = _half_even(total, weights.denominator * scale)
        yield rows, costs.tolist() if exact else costs


def _bound(column: Column) -> int:
    """A number that no value is further from 0 than, below twice the largest one; 0 only if all are 0."""
    if column.dtype != object:
        bits = int(np.bitwise_or.reduce(column))  # one pass; negative if a value is
        if bits >= 0:
            return bits
    return max(int(column.max()), -int(column.min()))


def _fits_int64(weights: Weights, bounds: Mapping[str, int], requests: int, scale: int) -> bool:
    """Whether no sum can overflow 64 bits, judged by the largest value of every column."""
    dearest = requests * weights.of_request * scale
    dearest += sum(bounds[unit] * abs(weight) for unit, weight in weights.of_unit.items())
    largest_leaf = max((sum(bounds[unit] * abs(f) for unit, f in leaf.items()) for leaf in weights.leaves), default=0)
    largest_weight = max((weights.of_request * scale, *map(abs, weights.of_unit.values())))
    divisor = weights.denominator * scale
    return max(dearest, largest_leaf, largest_weight) <= INT64_MAX and divisor <= _DIVISOR_MAX


def _known(weights: Weights, used: Mapping[str, Column]) -> Mask | None:
    """Which rows have a known cost; None: all. `used`: the columns that are not 0 everywhere."""
    known = _leaves_hold(weights, used)
    unknown = [used[unit] > 0 for unit in weights.nowhere if unit in used]
    unknown += [(used[one] > 0) & (used[other] > 0) for one, other in weights.together if one in used and other in used]
    for mask in unknown:
        known = ~mask.astype(bool) if known is None else known & ~mask.astype(bool)
    return known


def _leaves_hold(weights: Weights, used: Mapping[str, Column]) -> Mask | None:
    """Where no leaf is negative; None: everywhere."""
    holds: Mask | None = None
    for leaf in weights.leaves:
        terms = [(used[unit], factor) for unit, factor in leaf.items() if unit in used]
        if not terms or (len(terms) == 1 and terms[0][1] > 0 and terms[0][0].min() >= 0):
            continue
        mask = (_sum(terms) >= 0).astype(bool)
        holds = mask if holds is None else holds & mask
    return holds


def _sum(terms: Sequence[tuple[Column, int]]) -> Column:
    total: Column | int = 0
    for column, factor in terms:
        if factor == 1:
            total = total + column
        elif factor == -1:
            total = total - column
        else:
            total = total + column * factor
    return np.asarray(total)


def _half_even(total: Column, divisor: int) -> Column:
    if divisor == 1:
        return total
    quotient: Column = total // divisor
    remainder = (total - quotient * divisor) * 2
    up = (remainder > divisor) | ((remainder == divisor) & (quotient % 2 == 1))
    return np.asarray(quotient + up)


def _requests(quantities: Quantities, rows: Rows) -> Column | None:
    return None if quantities.requests is None else _chosen(quantities.requests, rows)


def _chosen(column: Column, rows: Rows) -> Column:
    """The values of some rows, which ascend."""
    return column if len(rows) == len(column) else column[rows]


def _marked(rows: Rows | Ints, count: int) -> Mask:
    marks = np.zeros(count, dtype=bool)
    marks[rows] = True
    return marks


def _narrowed(column: Column) -> Column:
    return column.astype(np.int64) if not len(column) or _bound(column) <= INT64_MAX else column
