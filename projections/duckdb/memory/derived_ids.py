"""Customers by their derived ids, which the store does not hold: found by hashing all ids once, then remembered.

What was found holds for ever. What was not found is looked for again only among customers first named since then.
"""

from __future__ import annotations

from typing import Final

import duckdb
import msgspec

from domain.customers.derived_id import DERIVED_ID_DIGITS, hashed_before
from domain.scope import Scope

#: Derived ids that are remembered; beyond this all are forgotten.
DERIVED_IDS_KNOWN_MAX: Final = 10_000
_FIND: Final = f"""SELECT customer_id, first_position FROM customers
    WHERE scope_key = ? AND first_position > ? AND substr(sha256(? || customer_id), 1, {DERIVED_ID_DIGITS}) = ?"""


class _Known(msgspec.Struct, frozen=True):
    """The customer with a derived id, and its first log position; None: no customer first named by `checked_to`."""

    customer_id: str | None
    first_position: int
    checked_to: int


class DerivedIds:
    """Derived ids of one store. Safe for several threads: at worst one looks for what another has found."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], _Known] = {}

    def customer_id(
        self, cursor: duckdb.DuckDBPyConnection, scope: Scope, scope_key: int, derived: str, position: int
    ) -> str | None:
        """Return the id of the customer with this derived id, for a snapshot at `position`; None when there is none."""
        known = self._known.get((scope_key, derived))
        if known is None or (known.customer_id is None and known.checked_to < position):
            checked_to = 0 if known is None else known.checked_to
            known = _found(cursor, scope, scope_key, derived, checked_to, position)
            self._remember((scope_key, derived), known)
        return known.customer_id if known.first_position <= position else None

    def _remember(self, key: tuple[int, str], known: _Known) -> None:
        if len(self._known) >= DERIVED_IDS_KNOWN_MAX:
            self._known.clear()
        self._known[key] = known


def _found(
    cursor: duckdb.DuckDBPyConnection, scope: Scope, scope_key: int, derived: str, checked_to: int, position: int
) -> _Known:
    rows = cursor.execute(_FIND, [scope_key, checked_to, hashed_before(scope), derived]).fetchall()
    customer_id, first_position = rows[0] if rows else (None, 0)
    return _Known(customer_id, first_position, position)
