"""What log records say of prices, as a price book takes it: prices, discounts, and the ends of customers' lives."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from domain.prices.price_list import PriceList


class PriceRule(msgspec.Struct, frozen=True):
    """The price of a model. `customer_id` None: the scope's own price, or a list price.

    `life_began_at`: when the life of the customer began that has the price; None: it is the first one.
    """

    position: int
    provider: str
    model: str
    prices: PriceList
    customer_id: str | None = None
    life_began_at: datetime | None = None


class DiscountRule(msgspec.Struct, frozen=True):
    """A discount of the scope, or of a customer, on a model; without a model and a provider, on every model."""

    position: int
    percentage: Decimal
    effective_from: datetime | None
    provider: str | None = None
    model: str | None = None
    customer_id: str | None = None
    life_began_at: datetime | None = None


class LifeEnded(msgspec.Struct, frozen=True):
    """A customer was deleted, which ends every price and discount of its own at `ended_at`.

    Those of lower position that are effective from then on or later never hold.
    """

    position: int
    customer_id: str
    ended_at: datetime


#: Records are given to a book in the order of their positions.
PricingRecord = PriceRule | DiscountRule | LifeEnded
