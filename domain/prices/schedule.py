"""Price schedules: unit prices with tiers, each version valid from an instant on."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec


class UnitPrices(msgspec.Struct, frozen=True):
    """USD per million tokens (`request`: USD per request). A part without a price of its own costs what its whole
    costs:
    cached and written input like input, reasoning like output."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    reasoning: Decimal | None = None
    request: Decimal | None = None


class PriceTier(msgspec.Struct, frozen=True):
    """From more than `input_tokens_above` input tokens on, ALL tokens of the request cost these prices."""

    input_tokens_above: int
    prices: UnitPrices


class PriceVersion(msgspec.Struct, frozen=True):
    """Prices valid from an instant on (None: since ever), until the next version of the same schedule."""

    effective_from: datetime | None
    prices: UnitPrices
    tiers: tuple[PriceTier, ...] = ()
