"""Price schedules: effective-dated versions of unit prices with tiers."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec


class UnitPrices(msgspec.Struct, frozen=True):
    """Prices in USD per million tokens; `request` in USD per request.

    A part without a price of its own has the price of its whole: cached and cache-written tokens that of input,
    reasoning tokens that of output.
    """

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    reasoning: Decimal | None = None
    request: Decimal | None = None


class PriceTier(msgspec.Struct, frozen=True):
    """Prices of ALL tokens of a request that has more than `input_tokens_above` input tokens."""

    input_tokens_above: int
    prices: UnitPrices


class PriceVersion(msgspec.Struct, frozen=True):
    """Prices effective from an instant on (None: from the beginning) until the next version of the schedule."""

    effective_from: datetime | None
    prices: UnitPrices
    tiers: tuple[PriceTier, ...] = ()
