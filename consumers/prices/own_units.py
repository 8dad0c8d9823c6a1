"""Units of tenants' own, as their prices in the log name them: a member of data of such a name tells a quantity.

Whoever writes usage reads them from the log itself, so that usage sent after a price was acknowledged is read by it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from domain.log.event_codec import decode_lifecycle
from domain.log.records import EventLog
from domain.prices.events import PRICE_SET, PriceSet
from domain.scope import Scope
from domain.usage.decoding.own_units import own_units_of
from domain.usage.quantity_rules import NO_UNITS

#: Records that are read at once.
_READ_MAX: Final = 1_000
#: Names of own units of one scope; further ones stand in `data.units` alone.
OWN_UNITS_MAX: Final = 1_000


#: The own units of a scope.
OwnUnitsOf = Callable[[Scope], frozenset[str]]


def no_units(scope: Scope) -> frozenset[str]:
    """Return no units, for any scope."""
    return NO_UNITS


class OwnUnits:
    """The own units of every scope, as far as the log goes. Safe to use by several threads."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._position = 0
        self._units: dict[Scope, frozenset[str]] = {}
        self._lock = threading.Lock()

    def of(self, scope: Scope) -> frozenset[str]:
        """Return the own units of a scope, prices that were appended just now included."""
        with self._lock:
            self._read_on()
            return self._units.get(scope, NO_UNITS)

    def _read_on(self) -> None:
        """Read the prices that were set since the last time."""
        head = self._log.head_position()
        while self._position < head:
            found = self._log.records_of_topic(PRICE_SET, self._position, _READ_MAX)
            for record in found:
                self._note(decode_lifecycle(record.topic, record.state))
            is_all = len(found) < _READ_MAX
            self._position = head if is_all else found[-1].position

    def _note(self, event: object) -> None:
        if not isinstance(event, PriceSet):
            return
        named = own_units_of(unit for rule in event.prices.rules for unit in rule.rates)
        scope = Scope(event.tenant, event.environment)
        known = self._units.get(scope, NO_UNITS)
        if named - known and len(known | named) <= OWN_UNITS_MAX:
            self._units[scope] = known | named
