"""Events that were amended: the contents that are accepted for each, and the customer that it has now.

A claim of the identity index has the content that was counted first. Every content that an amendment gave to the event
is accepted beside it: whoever sends one of them again sends a duplicate. The index itself is not changed.
"""

from __future__ import annotations

import msgspec
import numpy as np

from projections.identity.entries import U64
from projections.identity.resolution import CONFLICT, DUPLICATE, ReceivedRows, Resolution


class AmendedEvents:
    """The amended events of one fold, by locator."""

    def __init__(self) -> None:
        self._customer_keys: dict[int, int] = {}
        self._contents: set[tuple[int, int]] = set()
        self._locators: U64 | None = None

    def add(self, locator: int, customer_key: int, content: int) -> None:
        """Add an amendment, after those of lower positions."""
        if locator not in self._customer_keys:
            self._locators = None
        self._customer_keys[locator] = customer_key
        self._contents.add((locator, content))

    def customer_key(self, locator: int) -> int | None:
        """The customer of an amended event; None for any other event."""
        return self._customer_keys.get(locator)

    def resolved(self, rows: ReceivedRows, resolution: Resolution) -> Resolution:
        """Return the resolution with those conflicts as duplicates whose content an amendment gave to the event.

        Rows are looked at one by one only if the event that they repeat was amended. That either outcome refuses an
        atomic group is decided already.
        """
        if not self._customer_keys:
            return resolution
        if self._locators is None:
            self._locators = np.sort(np.array(list(self._customer_keys), dtype=np.uint64))
        conflicts = np.flatnonzero(resolution.codes == CONFLICT)
        repeated = resolution.first_locators[conflicts]
        nearest = np.minimum(np.searchsorted(self._locators, repeated), len(self._locators) - 1)
        of_amended = conflicts[self._locators[nearest] == repeated]
        if not len(of_amended):
            return resolution
        pairs = zip(resolution.first_locators[of_amended].tolist(), rows.contents[of_amended].tolist(), strict=True)
        accepted = np.fromiter((pair in self._contents for pair in pairs), dtype=np.bool_, count=len(of_amended))
        codes = resolution.codes.copy()
        codes[of_amended[accepted]] = DUPLICATE
        return msgspec.structs.replace(resolution, codes=codes)
