"""Backpressure: pause a consumer while the fold does not keep up with its appends.

A consumer notes the position and time of its appends. While its oldest unfolded append is older than a bound, it must
not append more: otherwise a write over HTTP would wait behind its backlog. Without an owner of the data folder no
write waits, and the consumer is not held up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

#: Appends that are remembered at most. The oldest are kept: they give the lag.
NOTED_APPENDS_MAX: Final = 10_000


class Backpressure:
    """Decides from the age of the oldest unfolded append whether to pause."""

    def __init__(
        self,
        folded_position: Callable[[], int | None],
        is_owned: Callable[[], bool],
        lag_seconds_max: float,
        monotonic: Callable[[], float],
    ) -> None:
        """`folded_position` returns None before there was any owner; `is_owned` says whether there is one now."""
        self._folded_position = folded_position
        self._is_owned = is_owned
        self._lag_seconds_max = lag_seconds_max
        self._monotonic = monotonic
        self._waiting: deque[tuple[int, float]] = deque()

    def appended(self, position: int) -> None:
        """Note an append of ours up to this position."""
        if len(self._waiting) < NOTED_APPENDS_MAX:
            self._waiting.append((position, self._monotonic()))

    def lag_seconds(self) -> float:
        """Return the age of our oldest unfolded append; 0 when there is none."""
        folded = self._folded_position()
        while self._waiting and folded is not None and self._waiting[0][0] <= folded:
            self._waiting.popleft()
        return self._monotonic() - self._waiting[0][1] if self._waiting else 0.0

    def is_too_high(self) -> bool:
        """Whether to pause now: the lag is above the bound, and the data folder has an owner."""
        if self.lag_seconds() <= self._lag_seconds_max:
            return False
        if self._is_owned():
            return True
        self._waiting.clear()
        return False
