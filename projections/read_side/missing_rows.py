"""The rows of usage that a read store lacks while it is made anew: first come all numbers, then the rows."""

from __future__ import annotations

from typing import Protocol

import msgspec
import pyarrow as pa

from projections.identity.entries import U64
from projections.pricing.rules import PricingRecord


class MissingRows(msgspec.Struct, frozen=True):
    """The rows of the log positions after `written_to`, up to `until`, are missing, except those that were kept."""

    until: int
    written_to: int


class RowFilling(Protocol):
    """Writes missing rows. Used by one thread, while another may fold."""

    def pricing_records(self) -> list[tuple[int | None, PricingRecord]]:
        """Return what a price book is made of, with the keys of the scopes, in the order of the log."""

    def settled_locators(self, first: int, last: int) -> U64:
        """Return the locators in [first, last) that have a row, or an outcome instead of one; in any order."""

    def write(self, rows: pa.Table | None, position: int) -> None:
        """Write the missing rows up to a log position, in one transaction with the note that they are there.

        `rows` are sorted by scope, customer, time and locator; None: there are none. With the last ones every question
        is answered again.
        """
