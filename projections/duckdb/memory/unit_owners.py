"""Which customers and scopes ever had units without a column of their own, so that no other one is asked for them.

It only grows. A customer may be in it whose units were voided since, or are of a step that was rolled back: then the
store tells that there are none.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from projections.arrow_columns import Bools, Ints

_KEYS_AT_FIRST: Final = 1_024


class UnitOwners:
    """Customers and scopes by key. One thread at a time adds; any may ask."""

    def __init__(self) -> None:
        self._scopes: frozenset[int] = frozenset()
        self._customers: Bools = np.zeros(_KEYS_AT_FIRST, np.bool_)

    def add(self, scopes: Ints, customers: Ints) -> None:
        """Add these keys, before the step that wrote their units is committed."""
        if not customers.size:
            return
        greatest = int(customers.max())
        known = self._customers
        if greatest >= known.size:
            known = np.zeros(2 * greatest, np.bool_)
            known[: self._customers.size] = self._customers
        known[customers] = True
        self._customers = known
        self._scopes |= set(np.unique(scopes).tolist())

    def may_have_units(self, scope_key: int, customer_key: int | None) -> bool:
        """Return whether a customer may have units; without one, whether any customer of the scope may."""
        if customer_key is None:
            return scope_key in self._scopes
        known = self._customers
        return customer_key < known.size and bool(known[customer_key])
