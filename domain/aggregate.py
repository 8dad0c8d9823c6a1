"""The base class of event-sourced aggregates, and the context in which a command is given.

An aggregate has a stream, a version, and the events that its commands produced and that wait to be appended. It
satisfies the aggregate protocols of the `eventsourcing` library, whose repository loads it. The library's own base
class is not used because it reads the clock and creates events as dataclasses; here events are frozen structs and the
time is passed in with each command.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from domain.errors import InvalidInput, LogCorrupted
from domain.event import LifecycleEvent, Provenance
from domain.values.instants import instant_text


class CommandContext(msgspec.Struct, frozen=True):
    """Who gives a command, and when.

    Without `effective_at` the command is effective from its arrival: `arrived_at` when it waited somewhere that kept
    that instant (a Kafka topic), else `recorded_at`.
    """

    recorded_at: datetime
    provenance: Provenance
    effective_at: datetime | None = None
    arrived_at: datetime | None = None

    def effective(self) -> datetime:
        """Return the instant from which the command's event is effective."""
        return self.effective_at or self.arrived_at or self.recorded_at

    def effective_not_before(self, earliest: datetime | None) -> datetime:
        """Return `effective()`, or `earliest` when that is later.

        Raises `InvalidInput` when the caller asked for an instant before `earliest`.
        """
        if earliest is None:
            return self.effective()
        if self.effective_at is not None and self.effective_at < earliest:
            raise InvalidInput(
                "effective_at", f"must not be before {instant_text(earliest)}, when the previous life ended"
            )
        return max(self.effective(), earliest)


class Aggregate:
    """State folded from the events of one stream. Subclasses implement `apply`."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._version = 0
        self._pending: list[LifecycleEvent] = []

    @property
    def id(self) -> str:
        """The stream, which identifies the aggregate."""
        return self._stream

    @property
    def version(self) -> int:
        """The version of the last event applied; 0 before the first."""
        return self._version

    @version.setter
    def version(self, value: int) -> None:
        self._version = value

    def apply(self, event: LifecycleEvent) -> None:
        """Apply one event to the state."""
        raise NotImplementedError

    def replay(self, event: LifecycleEvent) -> None:
        """Apply the next event of this stream; `LogCorrupted` for an event of another stream or version."""
        if (event.stream, event.version) != (self._stream, self._version + 1):
            raise LogCorrupted(
                f"version {event.version} of stream {event.stream!r} follows version {self._version} "
                f"of stream {self._stream!r}"
            )
        self.apply(event)
        self._version = event.version

    def collect_events(self) -> list[LifecycleEvent]:
        """Return the events produced since the last call; the caller appends them."""
        collected, self._pending = self._pending, []
        return collected

    def _emit(self, event: LifecycleEvent) -> None:
        """Apply a new event and keep it for `collect_events`."""
        self.replay(event)
        self._pending.append(event)

    def _unexpected_event(self, event: LifecycleEvent) -> LogCorrupted:
        """Return the error for an event whose class does not belong in this stream."""
        return LogCorrupted(f"stream {self._stream!r} must not contain {type(event).__name__}")

    def _common_fields(self, context: CommandContext, effective_at: datetime | None = None) -> dict[str, Any]:
        """Return the fields that every event has, for the next event of this stream."""
        return {
            "stream": self._stream,
            "version": self._version + 1,
            "recorded_at": context.recorded_at,
            "effective_at": context.effective() if effective_at is None else effective_at,
            "provenance": context.provenance,
        }
