"""What every aggregate has: a stream, a version, and the events that its commands have given.

It satisfies the aggregate protocols of the `eventsourcing` library, whose repository loads it. The
library's own base class is not used because it makes events with the clock and as dataclasses; here
events are frozen structs and the time comes in with each command.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from domain.errors import InvalidInput, LogCorrupted
from domain.event import LifecycleEvent, Provenance


class Occasion(msgspec.Struct, frozen=True):
    """When a command is given and by whom. `effective_at` None: from when it arrived, which is when it is recorded
    unless it waited somewhere that kept the instant."""

    recorded_at: datetime
    provenance: Provenance
    effective_at: datetime | None = None
    arrived_at: datetime | None = None

    def effective(self) -> datetime:
        """From when the command's event counts."""
        return self.effective_at or self.arrived_at or self.recorded_at

    def not_before(self, earliest: datetime | None) -> datetime:
        """`effective()`, never before `earliest`; `InvalidInput` when the caller asked for an instant before it."""
        if earliest is None:
            return self.effective()
        if self.effective_at is not None and self.effective_at < earliest:
            raise InvalidInput("effective_at", f"must not be before {earliest.isoformat()}, when the life before ended")
        return max(self.effective(), earliest)


class Aggregate:
    """State folded from the events of one stream. Subclasses say in `apply` what an event does to it."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._version = 0
        self._pending: list[LifecycleEvent] = []

    @property
    def id(self) -> str:
        """The stream."""
        return self._stream

    @property
    def version(self) -> int:
        """The version of the last event applied; 0 before the first."""
        return self._version

    @version.setter
    def version(self, value: int) -> None:
        self._version = value

    def apply(self, event: LifecycleEvent) -> None:
        """Change the state as `event` says."""
        raise NotImplementedError

    def replay(self, event: LifecycleEvent) -> None:
        """Apply an event that is in the log; `LogCorrupted` when it is not the next of this stream."""
        if (event.stream, event.version) != (self._stream, self._version + 1):
            raise LogCorrupted(
                f"version {event.version} of stream {event.stream!r} came after {self._version} of {self._stream!r}"
            )
        self.apply(event)
        self._version = event.version

    def collect_events(self) -> list[LifecycleEvent]:
        """The events given since the last call, to be appended."""
        collected, self._pending = self._pending, []
        return collected

    def _give(self, event: LifecycleEvent) -> None:
        self.replay(event)
        self._pending.append(event)

    def _foreign(self, event: LifecycleEvent) -> LogCorrupted:
        """What to raise for an event that has no business in this stream."""
        return LogCorrupted(f"{type(event).__name__} in stream {self._stream!r}, which knows no such event")

    def _place(self, occasion: Occasion, effective_at: datetime | None = None) -> dict[str, Any]:
        """The fields that every event has."""
        return {
            "stream": self._stream,
            "version": self._version + 1,
            "recorded_at": occasion.recorded_at,
            "effective_at": occasion.effective() if effective_at is None else effective_at,
            "provenance": occasion.provenance,
        }
