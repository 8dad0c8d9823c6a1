"""Events that give a model a price."""

from __future__ import annotations

from typing import Final

from domain.event import LifecycleEvent
from domain.prices.schedule import PriceVersion

#: Topics of these events in the log, which never change.
PRICE_LISTED: Final = "price.listed"
PRICE_SET: Final = "price.set"


class PriceListed(LifecycleEvent, frozen=True, kw_only=True):
    """The list price of a model, resolved once from the price library, for every tenant."""

    provider: str
    model: str
    versions: tuple[PriceVersion, ...]
    library: str  # name and version of what resolved it
    matched: str  # provider/model it was resolved to


class PriceSet(LifecycleEvent, frozen=True, kw_only=True):
    """A tenant's own price for a model, valid for usage from `price.effective_from` on.

    It goes before the list price.
    """

    tenant: str
    environment: str
    provider: str
    model: str
    price: PriceVersion
