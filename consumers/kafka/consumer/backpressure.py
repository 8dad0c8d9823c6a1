"""Whether the fold keeps up with what a consumer appends; it pauses where not.

A consumer notes when it appended what. While its oldest append that is not folded is older than a bound, it must not
append more: otherwise one write over HTTP would wait behind its backlog. Without an owner of the data folder nobody
waits, and nothing is held up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

#: Appends that are noted at most; of more than these the oldest stay, which are what matters.
NOTED_APPENDS_MAX: Final = 10_000


class Backpressure:
    """`folded_position` answers None where no owner ever was, `is_owned` whether there is one now."""

    def __init__(
        self,
        folded_position: Callable[[], int | None],
        is_owned: Callable[[], bool],
        lag_seconds_max: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._folded_position = folded_position
        self._is_owned = is_owned
        self._lag_seconds_max = lag_seconds_max
        self._monotonic = monotonic
        self._waiting: deque[tuple[int, float]] = deque()

    def appended(self, position: int) -> None:
        """Something of ours is in the log up to this position."""
        if len(self._waiting) < NOTED_APPENDS_MAX:
            self._waiting.append((position, self._monotonic()))

    def lag_seconds(self) -> float:
        """The age of our oldest append that is not folded; 0 when there is none."""
        folded = self._folded_position()
        while self._waiting and folded is not None and self._waiting[0][0] <= folded:
            self._waiting.popleft()
        return self._monotonic() - self._waiting[0][1] if self._waiting else 0.0

    def is_too_high(self) -> bool:
        """Whether to pause now."""
        if self.lag_seconds() <= self._lag_seconds_max:
            return False
        if self._is_owned():
            return True
        self._waiting.clear()
        return False
