"""The records of prices and discounts that a snapshot returns, and the place in a list of prices."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final

import msgspec

from domain.prices.price_list import PriceList
from domain.scope import Scope

#: The bounds of a number in a cursor, which comes from outside.
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class PriceRecord(msgspec.Struct, frozen=True):
    """The price that one log record set for a model. `scope` None: a list price, valid for every scope.

    `customer_id`: whose price it is; None for the scope's own.

    Of a list price, `position` and `recorded_at` tell when the scope that asks came to know it: they are those of the
    scope's first usage of the model, unless the price was listed later.
    """

    position: int
    scope: Scope | None
    provider: str
    model: str
    prices: PriceList
    library: str | None
    recorded_at: datetime
    actor: str
    customer_id: str | None = None


class DiscountRecord(msgspec.Struct, frozen=True):
    """The discount that one log record set: for a customer, or for the scope; on a model, or on every model."""

    position: int
    customer_id: str | None
    provider: str | None
    model: str | None
    percentage: Decimal
    effective_from: datetime | None
    recorded_at: datetime
    actor: str


class Owners(msgspec.Struct, frozen=True):
    """Whose prices and discounts are asked for: those of one customer, else the scope's own, and of its customers too.

    List prices belong to none, and come with the scope's own.
    """

    customer_id: str | None = None
    customers_too: bool = True


ANY_OWNER: Final = Owners()


class ListedModel(msgspec.Struct, frozen=True):
    """A model that any scope used, or that was listed, with its list price in effect. An empty provider: none."""

    provider: str
    model: str
    prices: PriceList | None
    library: str | None


class PriceCursor(msgspec.Struct, frozen=True, array_like=True):
    """The place in a list of prices behind the first `rows` rows at log position `position`."""

    position: _Number
    rows: _Number
