"""Customers whose usage changed much lately, so that what is kept of them can be brought up to date before it is asked.

Events are counted by customer. A correction, after which everything kept is read again, counts like many of them.
"""

from __future__ import annotations

import threading
from typing import Final

import numpy as np
import numpy.typing as npt

#: A customer is busy once so many events were written since it was last taken: a tenth of a second to read.
BUSY_EVENTS_MIN: Final = 20_000
_KEYS_AT_FIRST: Final = 1_024

Keys = npt.NDArray[np.int64]


class BusyCustomers:
    """Events by customer key since the customer was last taken. The fold adds; any thread takes."""

    def __init__(self) -> None:
        self._events: Keys = np.zeros(_KEYS_AT_FIRST, np.int64)
        self._lock = threading.Lock()

    def wrote(self, keys: Keys, events: int | Keys = 1) -> None:
        """Count events: the key of each one's customer, or how many there are of each key."""
        if not keys.size:
            return
        with self._lock:
            greatest = int(keys.max())
            if greatest >= self._events.size:
                grown: Keys = np.zeros(2 * greatest, np.int64)
                grown[: self._events.size] = self._events
                self._events = grown
            np.add.at(self._events, keys, events)

    def corrected(self, keys: Keys) -> None:
        """Note that usage of these customers was changed."""
        self.wrote(np.unique(keys), BUSY_EVENTS_MIN)

    def take(self, customers_max: int) -> list[int]:
        """Return the keys of busy customers, at most so many, the lowest first. They are busy no more."""
        with self._lock:
            keys = np.flatnonzero(self._events >= BUSY_EVENTS_MIN)[:customers_max]
            self._events[keys] = 0
        found: list[int] = keys.tolist()
        return found
