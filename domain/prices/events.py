"""Events that set the price of a model."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from domain.event import LifecycleEvent
from domain.prices.price_list import PriceList

#: Topics of these events in the log, which never change.
PRICE_LISTED: Final = "price.listed"
PRICE_SET: Final = "price.set"


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
    """A tenant set its own price for a model, for usage from `effective_from` on.

    `prices` has one standard rule, which starts then, and variants. It takes precedence over the list price.
    """

    tenant: str
    environment: str
    provider: str
    model: str
    prices: PriceList

    @property
    def effective_from(self) -> datetime | None:
        """The event time from which the price holds; None: without a start."""
        return self.prices.standard[0].start
