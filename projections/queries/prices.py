"""The price record that a snapshot returns, and the place in a list of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from domain.prices.price_list import PriceList
from domain.scope import Scope

#: The bounds of a number in a cursor, which comes from outside.
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class PriceRecord(msgspec.Struct, frozen=True):
    """The price that one log record set for a model. `scope` None: a list price, valid for every scope.

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
