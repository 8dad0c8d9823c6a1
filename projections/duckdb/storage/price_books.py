"""The price book of the prices that a store holds."""

from __future__ import annotations

from typing import Any, Final, Protocol

import msgspec

from domain.prices.price_list import PriceList
from projections.pricing.price_book import PriceBook

_prices: Final = msgspec.json.Decoder(PriceList)


class Executes(Protocol):
    """A cursor, of a store as it is or as it was at a log position."""

    def execute(self, sql: str, values: Any = ...) -> Any:
        """Execute a statement."""


def price_book(cursor: Executes, position: int) -> PriceBook:
    """Return the prices of all scopes that are stored at or below a log position."""
    book = PriceBook()
    rows = cursor.execute(
        "SELECT scope_key, provider, model, position, prices FROM prices WHERE position <= ? ORDER BY position",
        [position],
    ).fetchall()
    for scope_key, provider, model, set_at, stored in rows:
        book.add(scope_key, provider, model, set_at, _prices.decode(stored))
    return book
