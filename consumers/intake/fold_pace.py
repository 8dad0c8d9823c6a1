"""Pace of the intake: how far the log may run ahead of the fold, which every request has to wait for.

A request is answered once it is folded, and the fold takes the log in its order. So what was appended and is not
folded yet is the queue that a single event waits in. It is kept short, in seconds: while the fold would take longer for
it than `UNFOLDED_SECONDS_MAX`, going by what it took lately, large requests wait, and so do further requests of a key
that fills it alone. Nothing waits for a fold that makes no progress.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from consumers.intake.options import LEAD_MAX, UNFOLDED_BYTES_MAX, UNFOLDED_EVENTS_MAX, UNFOLDED_SECONDS_MAX
from consumers.intake.queue import PendingRequest
from consumers.intake.slice_groups import SliceGroup

#: For how long a fold may stay where it is until nothing waits for it any more.
STANDSTILL_SECONDS_MAX: Final = 5.0
#: The lead where nobody knows how far the fold is, and nothing waits for it.
UNPACED_LEAD: Final = 10.0
#: How much the newest append that was folded counts in the time that the fold takes.
NEWEST_WEIGHT: Final = 0.3


class _Append(msgspec.Struct, frozen=True):
    position: int
    events: int
    size_bytes: int
    events_of_key: dict[str | None, int]
    appended_at: float

    @property
    def load(self) -> float:
        """Its size, in multiples of the least bounds of what is not folded."""
        return max(self.events / UNFOLDED_EVENTS_MAX, self.size_bytes / UNFOLDED_BYTES_MAX)


class FoldPace:
    """Knows what is appended and not folded. For one thread."""

    def __init__(self, folded_position: Callable[[], int | None], monotonic: Callable[[], float]) -> None:
        self._folded_position = folded_position
        self._monotonic = monotonic
        self._unfolded: deque[_Append] = deque()
        self._events = self._size_bytes = 0
        self._events_of_key: Counter[str | None] = Counter()
        self._seen: int | None = None
        self._moved_at = monotonic()
        self._seconds_per_load = UNFOLDED_SECONDS_MAX
        self._looked_at = self._moved_at

    @property
    def lead(self) -> float:
        """How many times the least bounds may be appended and not folded."""
        return UNPACED_LEAD if self._folded_position() is None else self._known_lead()

    def _known_lead(self) -> float:
        return min(max(UNFOLDED_SECONDS_MAX / self._seconds_per_load, 1.0), LEAD_MAX)

    def appended(self, positions: Sequence[int], group: SliceGroup) -> None:
        """Note an append."""
        if not positions or self._folded_position() is None:
            return
        self._look()
        now = self._monotonic()
        if not self._unfolded:
            self._moved_at = now
        events_of_key: Counter[str | None] = Counter()
        for taken in group.slices:
            events_of_key[taken.pending.request.key] += len(taken.items)
        self._unfolded.append(_Append(positions[-1], group.events, group.size_bytes, dict(events_of_key), now))
        self._events += group.events
        self._size_bytes += group.size_bytes
        self._events_of_key += events_of_key

    def must_wait(self, pending: PendingRequest) -> bool:
        """Whether a request must wait until more is folded."""
        if not self._is_held_up(pending):
            return False
        self._look()
        return self._is_held_up(pending) and self._monotonic() - self._moved_at < STANDSTILL_SECONDS_MAX

    def _is_held_up(self, pending: PendingRequest) -> bool:
        lead = self._known_lead()
        events_max, bytes_max = UNFOLDED_EVENTS_MAX * lead, UNFOLDED_BYTES_MAX * lead
        is_full = self._events >= events_max or self._size_bytes >= bytes_max
        return (is_full and pending.is_large) or self._events_of_key[pending.request.key] >= events_max

    def _look(self) -> None:
        """Forget what is folded by now, and learn how long the fold took for it."""
        folded, now = self._folded_position(), self._monotonic()
        if folded is not None and folded != self._seen:
            self._seen, self._moved_at = folded, now
        load = 0.0
        since = max(self._looked_at, self._unfolded[0].appended_at) if self._unfolded else now
        while self._unfolded and folded is not None and self._unfolded[0].position <= folded:
            oldest = self._unfolded.popleft()
            self._events -= oldest.events
            self._size_bytes -= oldest.size_bytes
            self._events_of_key -= Counter(oldest.events_of_key)
            load += oldest.load
        if load:
            self._looked_at = now
            self._note_speed((now - since) / load, load)

    def _note_speed(self, seconds_per_load: float, load: float) -> None:
        """Learn from what was folded; a fold that has nothing left was ready at an unknown time before."""
        if self._unfolded or seconds_per_load < self._seconds_per_load:
            self._seconds_per_load += NEWEST_WEIGHT * min(load, 1.0) * (seconds_per_load - self._seconds_per_load)
