"""The end of the log's own stream, which tells how far the log is sealed and which closings are announced."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from domain.aggregate import Aggregate, CommandContext
from domain.event import LifecycleEvent
from domain.log.event_codec import decode_lifecycle
from domain.log.events import LOG_SEALED, ClosingsAnnounced, LogCreated, LogSealed
from domain.log.records import EventLog
from domain.streams import LOG_STREAM

#: How many records at the end of the stream are searched first; doubled as long as something is missing.
SEARCHED_RECORDS_MIN: Final = 64


class LogEnd(Aggregate):
    """The last seal and the last announcement. Loaded from the end, since the stream grows as long as the log does."""

    def __init__(self) -> None:
        super().__init__(LOG_STREAM)
        self.sealed: LogSealed | None = None
        self.announced: ClosingsAnnounced | None = None
        self.sealed_up_to = 0  # the last seal's own record counts as sealed when it follows what it seals

    def load_from(self, log: EventLog) -> None:
        """Read the stream's version and its last events."""
        self.version = head = log.head_version(LOG_STREAM)
        searched = SEARCHED_RECORDS_MIN
        while not self._read(log, max(0, head - searched)):
            searched *= 2
        if self.sealed is not None:
            following = log.read(self.sealed.position, 1)
            follows = bool(following) and following[0].topic == LOG_SEALED
            self.sealed_up_to = self.sealed.position + follows

    def seal(self, position: int, running_hash: bytes, context: CommandContext) -> LogSealed:
        """Return the seal that now stands: a new one, unless nothing but a seal was added since the last one."""
        if self.sealed is not None and position <= self.sealed_up_to:
            return self.sealed
        seal = LogSealed(**self._common_fields(context), position=position, running_hash=running_hash)
        self._emit(seal)
        return seal

    def announce(self, until: datetime, context: CommandContext) -> ClosingsAnnounced:
        """Return the announcement that now stands: a new one, unless one reaches as far."""
        if self.announced is not None and until <= self.announced.until:
            return self.announced
        announcement = ClosingsAnnounced(**self._common_fields(context), until=until)
        self._emit(announcement)
        return announcement

    def _read(self, log: EventLog, after: int) -> bool:
        """Apply the events above a version; return whether that is enough."""
        for record in log.stream(LOG_STREAM, after):
            self.apply(decode_lifecycle(record.topic, record.state))
        return after == 0 or (self.sealed is not None and self.announced is not None)

    def apply(self, event: LifecycleEvent) -> None:
        """Apply an event of the log's own stream."""
        match event:
            case LogSealed():
                self.sealed = event
            case ClosingsAnnounced():
                self.announced = event
            case LogCreated():
                pass
            case _:
                raise self._unexpected_event(event)
