"""Limits on how often something may be done: so many times in any stretch of time of a given length."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Hashable
from typing import Final

#: Keys that were admitted longer than a window ago are forgotten when there are more keys than this.
KEYS_KEPT_MAX: Final = 10_000


class RateLimiter:
    """Counts what was admitted by key. Exact: no window, wherever it begins, has more than the limit.

    Safe to call from several threads. The caller passes the time, in seconds of a clock that never runs backwards.
    """

    def __init__(self, window_seconds: float) -> None:
        self._window = window_seconds
        self._admitted: dict[Hashable, deque[float]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return for how many keys something is remembered."""
        return len(self._admitted)

    def wait_seconds(self, key: Hashable, limit: int, now: float) -> float:
        """Admit one and return 0, unless `limit` were admitted in the window that ends now.

        Then return after how many seconds the next one can be admitted. What is refused is not counted.
        """
        with self._lock:
            admitted = self._admitted.setdefault(key, deque())
            self._forget_before(admitted, now)
            if len(admitted) >= limit:
                return admitted[len(admitted) - limit] + self._window - now if limit else self._window
            admitted.append(now)
            if len(self._admitted) > KEYS_KEPT_MAX:
                self._forget_idle_keys(now)
            return 0

    def _forget_before(self, admitted: deque[float], now: float) -> None:
        while admitted and admitted[0] <= now - self._window:
            admitted.popleft()

    def _forget_idle_keys(self, now: float) -> None:
        for key, admitted in list(self._admitted.items()):
            self._forget_before(admitted, now)
            if not admitted:
                del self._admitted[key]
