"""What the price library itself says that a request costs."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from functools import cache

from genai_prices import Usage
from genai_prices.data_units import unit_data
from genai_prices.types import ModelInfo, Provider

from domain.units.registry import COMMON_UNITS
from tests.domain.prices.generated_prices import PICO, Request

LIBRARY_NAMES = {"cached_input_tokens": "cache_read_tokens", "reasoning_tokens": "output_reasoning_tokens"}


def library_cost(
    seller: Provider, entry: ModelInfo, request: Request, percentages: Sequence[Decimal] = ()
) -> Decimal | None:
    """The cost by the library, after discounts of so many percent, rounded to twelve decimals.

    None where the library refuses the usage, or where it leaves out something that was used and that it has no price
    for: the engine does not take that for free.
    """
    own = any(model is entry for model in seller.models)
    prices = entry.get_prices(request.at, dict(request.context) if own else None)
    usage = {
        LIBRARY_NAMES.get(unit, unit): amount for unit, amount in zip(COMMON_UNITS, request.tokens, strict=True)
    } | {unit: Decimal(amount) / PICO for unit, amount in request.extras.items()}
    if any(amount and not is_priced(unit, frozenset(vars(prices))) for unit, amount in usage.items()):
        return None
    with localcontext(Context(prec=76, rounding=ROUND_HALF_EVEN)):
        try:
            cost = entry.calc_price(
                Usage(**usage),
                seller,
                genai_request_timestamp=request.at,
                price_context=dict(request.context),
            )
        except ValueError:
            return None
        total = cost.total_price
        for percentage in percentages:
            total -= total * percentage / 100
        return total.quantize(Decimal("1e-12"))


@cache
def is_priced(unit: str, price_keys: frozenset[str]) -> bool:
    """Whether `unit` is a part of a unit with a price."""
    dimensions = unit_data[unit]["dimensions"].items()
    return any(
        other["dimensions"].items() <= dimensions
        for key, other in unit_data.items()
        if other.get("price_key", key) in price_keys
    )
