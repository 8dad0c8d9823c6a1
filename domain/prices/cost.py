"""The cost of one request: exact, rounded once, half-even, to the picodollar. None: it is unknown.

This is what a cost means; `domain.prices.cost_columns` gives the same for columns of requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from domain.prices.price_list import Minimum, PriceList, UnitPrice, applied_price, prices_at
from domain.prices.weights import weights_of
from domain.units.decomposition import leaf_factors
from domain.units.registry import COMMON_UNITS, REQUESTS
from domain.usage.quantities import NO_CONTEXT, PriceContext
from domain.values.money import COST_DECIMALS, MONEY


def event_cost(
    prices: PriceList,
    at: datetime,
    quantities: Mapping[str, Decimal | int],
    context: PriceContext = NO_CONTEXT,
    requests: int = 1,
) -> Decimal | None:
    """Return the cost in USD of a request that used these quantities; None where it is unknown.

    `requests`: how many requests the quantities are of. Common units that are not named were not used.
    """
    reported = {unit: Fraction(0) for unit in COMMON_UNITS} | {key: Fraction(one) for key, one in quantities.items()}
    rates = applied_price(prices, at, context).rates
    if requests > 1 and (prices.minimums or any(rate.tiers for rate in rates.values())):
        return None
    if any(leaf < 0 for leaf in _leaves(frozenset(reported), reported).values()):
        return None
    charged = _charged(reported, prices.minimums)
    level = prices_at(rates, int(reported["input_tokens"]))
    if not _is_known(level, charged):
        return None
    leaves = _leaves(frozenset(level) & frozenset(charged), charged)
    if any(leaf < 0 for leaf in leaves.values()):
        return None
    cost = sum((level[unit].of_one * leaf for unit, leaf in leaves.items()), Fraction(0))
    if REQUESTS in level:
        cost += level[REQUESTS].of_one * requests
    return Decimal(round(cost * 10**COST_DECIMALS)).scaleb(-COST_DECIMALS, MONEY)


def _leaves(units: frozenset[str], quantities: Mapping[str, Fraction]) -> dict[str, Fraction]:
    return {
        unit: sum((quantities[name] * factor for name, factor in factors.items()), Fraction(0))
        for unit, factors in leaf_factors(units).items()
    }


def _charged(reported: Mapping[str, Fraction], minimums: tuple[Minimum, ...]) -> dict[str, Fraction]:
    charged = dict(reported)
    for minimum in minimums:
        used = next((reported[unit] for unit in minimum.units if reported.get(unit)), Fraction(0))
        if used:
            charged.update(dict.fromkeys(minimum.units, max(used, Fraction(minimum.least))))
    return charged


def _is_known(level: Mapping[str, UnitPrice], charged: Mapping[str, Fraction]) -> bool:
    """Whether these prices price all of what is charged, and all that they price was reported."""
    weights = weights_of(level, frozenset(charged))
    return (
        weights.priced
        and not any(charged[unit] for unit in weights.nowhere)
        and not any(charged[one] and charged[other] for one, other in weights.together)
    )
