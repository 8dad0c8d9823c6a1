"""The cost of requests from token counts and unit prices: exact, rounded half-even to the picodollar.

`input_tokens` includes cached and cache-written tokens, `output_tokens` includes reasoning tokens. A part without a
price of its own has the price of its whole. If a producer reports parts larger than their whole, the parts are charged
and the remainder of the whole is zero, never negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from domain.prices.schedule import PriceVersion, UnitPrices
from domain.usage.block_schema import COST
from domain.values.money import COST_DECIMALS, MONEY, decimals_of, rounded_cost

TokenColumn = npt.NDArray[np.int64]
#: Whole picodollars (10^-12 USD): int64 if every value was proved to fit, else Python integers.
Picodollars = npt.NDArray[np.int64] | list[int]

TOKENS_PER_PRICE_EXPONENT: Final = 6  # prices are per million tokens
INT64_MAX: Final = 2**63 - 1
_INT64_DIVISOR_EXPONENT_MAX: Final = 18  # twice a remainder still fits


def version_at(versions: Sequence[PriceVersion], instant: datetime) -> PriceVersion | None:
    """Return the price version in force at `instant`, which is the one that started last; None before the first.

    Of two with the same start the later one in the schedule wins.
    """
    found: PriceVersion | None = None
    for version in versions:
        if version.effective_from is not None and version.effective_from > instant:
            continue
        if found is None or found.effective_from is None or _not_before(version, found.effective_from):
            found = version
    return found


def unit_prices_for(version: PriceVersion, input_tokens: int) -> UnitPrices:
    """Return the prices of ALL tokens of a request: those of the highest tier that `input_tokens` exceeds."""
    prices = version.prices
    for tier in sorted(version.tiers, key=lambda tier: tier.input_tokens_above):
        if input_tokens > tier.input_tokens_above:
            prices = tier.prices
    return prices


def event_cost(
    version: PriceVersion,
    *,
    input_tokens: int,
    output_tokens: int,
    cached_input_tokens: int = 0,
    cache_write_tokens: int = 0,
    reasoning_tokens: int = 0,
) -> Decimal:
    """Return the cost of one request in USD, with twelve decimals."""
    prices = unit_prices_for(version, input_tokens)
    parts = (
        (max(0, input_tokens - cached_input_tokens - cache_write_tokens), prices.input),
        (cached_input_tokens, _own_or(prices.cached_input, prices.input)),
        (cache_write_tokens, _own_or(prices.cache_write, prices.input)),
        (max(0, output_tokens - reasoning_tokens), prices.output),
        (reasoning_tokens, _own_or(prices.reasoning, prices.output)),
    )
    total = Decimal(0)
    for tokens, price in parts:
        total = MONEY.fma(Decimal(tokens), price, total)
    return rounded_cost(MONEY.add(total.scaleb(-TOKENS_PER_PRICE_EXPONENT, MONEY), prices.request or Decimal(0)))


def block_costs(
    version: PriceVersion,
    input_tokens: TokenColumn,
    cached_input_tokens: TokenColumn,
    cache_write_tokens: TokenColumn,
    output_tokens: TokenColumn,
    reasoning_tokens: TokenColumn,
) -> Picodollars:
    """Return `event_cost` of every row in whole picodollars. Columns are int64, of equal length, without nulls."""
    columns = (input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens)
    tiers = sorted(version.tiers, key=lambda tier: tier.input_tokens_above)
    if not tiers:
        return _level_costs(version.prices, columns)
    thresholds = np.array([min(tier.input_tokens_above, INT64_MAX) for tier in tiers], dtype=np.int64)
    level = np.searchsorted(thresholds, input_tokens, side="left")
    prices = (version.prices, *(tier.prices for tier in tiers))
    groups = [np.flatnonzero(level == index) for index in range(len(prices))]
    costs = [_level_costs(prices[i], tuple(c[rows] for c in columns)) for i, rows in enumerate(groups)]
    return _in_row_order(groups, costs, len(input_tokens))


def cost_column(costs: Picodollars) -> Any:
    """Return whole picodollars as an Arrow DECIMAL(38,12) array of USD."""
    if isinstance(costs, list):
        return pa.array([Decimal(cost).scaleb(-COST_DECIMALS, MONEY) for cost in costs], COST)
    words = np.empty((len(costs), 2), dtype="<i8")  # low and high half of 128 bits, two's complement
    words[:, 0] = costs
    words[:, 1] = costs >> 63
    return pa.Array.from_buffers(COST, len(costs), [None, pa.py_buffer(words)])


class _ScaledPrices(msgspec.Struct, frozen=True):
    """Prices as integers of 10^-(12 + finer) USD, per token (input, cached, written, output, reasoning) or request."""

    parts: tuple[int, int, int, int, int]
    request: int
    finer: int


def _scaled(prices: UnitPrices) -> _ScaledPrices:
    parts = (
        prices.input,
        _own_or(prices.cached_input, prices.input),
        _own_or(prices.cache_write, prices.input),
        prices.output,
        _own_or(prices.reasoning, prices.output),
    )
    request = prices.request or Decimal(0)
    token_decimals = COST_DECIMALS - TOKENS_PER_PRICE_EXPONENT
    finer = max(0, decimals_of(request) - COST_DECIMALS, *(decimals_of(price) - token_decimals for price in parts))
    cached, written, output, reasoning = (_integer(price, token_decimals + finer) for price in parts[1:])
    return _ScaledPrices(
        (_integer(parts[0], token_decimals + finer), cached, written, output, reasoning),
        _integer(request, COST_DECIMALS + finer),
        finer,
    )


def _level_costs(prices: UnitPrices, columns: tuple[TokenColumn, ...]) -> Picodollars:
    scaled = _scaled(prices)
    if len(columns[0]) == 0:
        return np.empty(0, dtype=np.int64)
    return _int64_costs(scaled, columns) if _fits_int64(scaled, columns) else _exact_costs(scaled, columns)


def _fits_int64(scaled: _ScaledPrices, columns: tuple[TokenColumn, ...]) -> bool:
    """Whether no step of `_int64_costs` can overflow, judged by the largest value of every column."""
    if any(int(column.min()) < 0 for column in columns):
        return False
    most = [int(column.max()) for column in columns]
    dearest = scaled.request + sum(tokens * price for tokens, price in zip(most, scaled.parts, strict=True))
    parts_of_input = most[1] + most[2]
    largest_price = max(*scaled.parts, scaled.request)
    return (
        dearest <= INT64_MAX
        and parts_of_input <= INT64_MAX
        and largest_price <= INT64_MAX
        and scaled.finer <= _INT64_DIVISOR_EXPONENT_MAX
    )


def _int64_costs(scaled: _ScaledPrices, columns: tuple[TokenColumn, ...]) -> TokenColumn:
    whole_input, cached, written, whole_output, reasoning = columns
    plain_input = np.maximum(whole_input - cached - written, 0)
    plain_output = np.maximum(whole_output - reasoning, 0)
    total = np.full(len(whole_input), scaled.request, dtype=np.int64)
    for tokens, price in zip((plain_input, cached, written, plain_output, reasoning), scaled.parts, strict=True):
        if price:
            total += tokens * price
    if scaled.finer == 0:
        return total
    divisor = 10**scaled.finer
    quotient: TokenColumn = total // divisor
    remainder = total % divisor
    up = (remainder * 2 > divisor) | ((remainder * 2 == divisor) & (quotient & 1 == 1))
    quotient += up
    return quotient


def _exact_costs(scaled: _ScaledPrices, columns: tuple[TokenColumn, ...]) -> list[int]:
    divisor = 10**scaled.finer
    costs: list[int] = []
    for row in zip(*(column.tolist() for column in columns), strict=True):
        whole_input, cached, written, whole_output, reasoning = row
        tokens = (
            max(0, whole_input - cached - written),
            cached,
            written,
            max(0, whole_output - reasoning),
            reasoning,
        )
        total = scaled.request + sum(count * price for count, price in zip(tokens, scaled.parts, strict=True))
        costs.append(_half_even(total, divisor))
    return costs


def _half_even(total: int, divisor: int) -> int:
    quotient, remainder = divmod(total, divisor)
    return quotient + (remainder * 2 > divisor or (remainder * 2 == divisor and quotient & 1 == 1))


def _in_row_order(groups: Sequence[npt.NDArray[np.intp]], costs: Sequence[Picodollars], rows: int) -> Picodollars:
    """Merge the costs of disjoint groups of rows; the result has Python integers if one of the groups has them."""
    if any(isinstance(group_costs, list) for group_costs in costs):
        exact = [0] * rows
        for group, group_costs in zip(groups, costs, strict=True):
            for row, cost in zip(group.tolist(), group_costs, strict=True):
                exact[row] = int(cost)
        return exact
    merged = np.empty(rows, dtype=np.int64)
    for group, group_costs in zip(groups, costs, strict=True):
        merged[group] = group_costs
    return merged


def _not_before(version: PriceVersion, instant: datetime) -> bool:
    return version.effective_from is not None and version.effective_from >= instant


def _own_or(own: Decimal | None, whole: Decimal) -> Decimal:
    return whole if own is None else own


def _integer(price: Decimal, decimals: int) -> int:
    return int(price.scaleb(decimals, MONEY))
