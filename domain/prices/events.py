"""Events that set the price of a model, or a discount."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from domain.event import LifecycleEvent
from domain.prices.price_list import PriceList

#: Topics of these events in the log, which never change.
PRICE_LISTED: Final = "price.listed"
PRICE_SET: Final = "price.set"
DISCOUNT_SET: Final = "price.discounted"


class PriceListed(LifecycleEvent, frozen=True, kw_only=True):
    """The list price of a model was resolved from the price library, for all tenants.

    It replaces what was listed before it, for events that are counted from then on.
    """

    provider: str
    model: str
    prices: PriceList
    library: str  # name and version of what resolved it
    matched: str  # provider/model it was resolved to


class PriceSet(LifecycleEvent, frozen=True, kw_only=True):
    """A tenant set its own price for a model, for usage from `effective_from` on: its own, or that of one customer.

    `prices` has one standard rule, which starts then, and variants. A customer's price takes precedence over the
    tenant's, and that over the list price. `life_began_at`: when the life of the customer began that has the price;
    None: it is the first one.
    """

    tenant: str
    environment: str
    provider: str
    model: str
    prices: PriceList
    customer_id: str | None = None
    life_began_at: datetime | None = None

    @property
    def effective_from(self) -> datetime | None:
        """The event time from which the price holds; None: without a start."""
        return self.prices.standard[0].start


class DiscountSet(LifecycleEvent, frozen=True, kw_only=True):
    """A tenant set a discount for usage from `effective_from` on: for all its usage, or for one customer.

    `percentage` is taken off the next price in the order of precedence: off what the tenant's own rules give for one of
    a customer, off the list price for one of the tenant. Without a model it is for every model. Where one of a model
    has a price of the same owner, the later `effective_from` holds. `life_began_at`: as of `PriceSet`.
    """

    tenant: str
    environment: str
    percentage: Decimal
    effective_from: datetime | None = None
    provider: str | None = None
    model: str | None = None
    customer_id: str | None = None
    life_began_at: datetime | None = None
