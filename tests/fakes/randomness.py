"""Randomness that is the same in every run."""

from __future__ import annotations

import hashlib
import itertools


class CountedRandomness:
    """Bytes that differ from call to call and are the same in every run."""

    def __init__(self, seed: str = "") -> None:
        self._seed = seed
        self._calls = itertools.count()

    def __call__(self, count: int) -> bytes:
        return hashlib.shake_256(f"{self._seed}/{next(self._calls)}".encode()).digest(count)
