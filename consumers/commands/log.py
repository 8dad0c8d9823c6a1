"""Commands about the log itself: its creation, its seals, and announcements of closed periods."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, TypeVar

from consumers.commands.handler import CommandHandler, CommandResult
from domain.aggregate import CommandContext
from domain.errors import Fenced, LogCorrupted
from domain.event import LifecycleEvent, Provenance
from domain.log.event_codec import decode_lifecycle, new_record
from domain.log.events import LOG_FORMAT, LOG_SEALED, ClosingsAnnounced, LogCreated, LogSealed
from domain.streams import LOG_STREAM

ENGINE: Final = Provenance(actor="engine")
#: How many records at the end of the log's own stream are searched first; doubled as long as nothing is found.
SEARCHED_RECORDS_MIN: Final = 64

E = TypeVar("E", bound=LifecycleEvent)


class LogCommands(CommandHandler):
    """Events that the engine writes about its own log. `state` of a result is the event that now stands."""

    def ensure_log_created(self, log_id: str, hash_seed: int) -> LogCreated:
        """Return the creation event of this log; write it with these values when the log is empty.

        Raises `LogCorrupted` when position 1 holds something else.
        """
        if self._log.head_position() == 0:
            event = LogCreated(
                **_event_header(1, self._context(ENGINE)), log_id=log_id, log_format=LOG_FORMAT, hash_seed=hash_seed
            )
            with suppress(Fenced):  # another process created it at the same moment: its values stand
                self._log.append([new_record(event)])
        first = self._log.read(0, 1)[0]
        found = decode_lifecycle(first.topic, first.state) if first.stream == LOG_STREAM else None
        if not isinstance(found, LogCreated):
            raise LogCorrupted(f"position 1 holds a record of stream {first.stream!r}, not the creation of the log")
        return found

    def seal(self, position: int, running_hash: bytes) -> CommandResult[LogSealed]:
        """Append a seal: the running hash up to `position` is `running_hash`.

        Writes nothing when the last seal reaches that far, or when that seal is the only record since.
        """

        def decide(version: int) -> LogSealed:
            last = self._last_of(LogSealed)
            if last is not None and (position <= last.position or self._is_only_seal_since(last, position)):
                return last
            return LogSealed(
                **_event_header(version, self._context(ENGINE)), position=position, running_hash=running_hash
            )

        return self._write(decide)

    def announce_closings(self, until: datetime) -> CommandResult[ClosingsAnnounced]:
        """Announce that every period whose grace ended at or before `until` is closed, unless that was announced."""

        def decide(version: int) -> ClosingsAnnounced:
            last = self._last_of(ClosingsAnnounced)
            if last is not None and until <= last.until:
                return last
            return ClosingsAnnounced(**_event_header(version, self._context(ENGINE)), until=until)

        return self._write(decide)

    def _write(self, decide: Callable[[int], E]) -> CommandResult[E]:
        """Append the event that `decide` returns for the next version, unless it returns one that is in the log."""
        with self._lock_of(LOG_STREAM):
            for _ in range(self._attempts_max):
                version = self._log.head_version(LOG_STREAM) + 1
                event = decide(version)
                if event.version < version:
                    return CommandResult(None, event)
                try:
                    return CommandResult(self._log.append([new_record(event)])[-1], event)
                except Fenced:
                    continue
        raise Fenced(f"the log's own stream changed during each of {self._attempts_max} attempts: try again")

    def _last_of(self, event_class: type[E]) -> E | None:
        """Return the last event of a class in the log's own stream, searching from its end."""
        head = self._log.head_version(LOG_STREAM)
        searched = SEARCHED_RECORDS_MIN
        while True:
            after = max(0, head - searched)
            for record in reversed(self._log.stream(LOG_STREAM, after)):
                event = decode_lifecycle(record.topic, record.state)
                if isinstance(event, event_class):
                    return event
            if after == 0:
                return None
            searched *= 2

    def _is_only_seal_since(self, last: LogSealed, position: int) -> bool:
        if position != last.position + 1:
            return False
        records = self._log.read(position - 1, 1)
        return bool(records) and records[0].topic == LOG_SEALED


def _event_header(version: int, context: CommandContext) -> dict[str, Any]:
    return {
        "stream": LOG_STREAM,
        "version": version,
        "recorded_at": context.recorded_at,
        "effective_at": context.effective(),
        "provenance": context.provenance,
    }
