"""Commands about the log as a whole: its creation, its seals, and the closings announced in it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, TypeVar

from consumers.commands.handler import CommandHandler, CommandResult
from domain.aggregate import Occasion
from domain.errors import Fenced, LogCorrupted
from domain.event import LifecycleEvent, Provenance
from domain.log.event_codec import decode_lifecycle, new_record
from domain.log.events import LOG_FORMAT, LOG_SEALED, ClosingsAnnounced, LogCreated, LogSealed
from domain.streams import LOG_STREAM

ENGINE: Final = Provenance(actor="engine")
#: How far back the log's own stream is looked through at first; twice as far each time nothing is found.
LOOKED_BACK_RECORDS: Final = 64

E = TypeVar("E", bound=LifecycleEvent)


class LogCommands(CommandHandler):
    """What the engine writes about its own log. `state` of a result is the event that now stands."""

    def ensure_log_created(self, log_id: str, hash_seed: int) -> LogCreated:
        """The creation of this log; written now, with these values, when the log is empty.

        `LogCorrupted` when position 1 holds something else.
        """
        if self._log.head_position() == 0:
            event = LogCreated(
                **_place(1, self._occasion(ENGINE)), log_id=log_id, log_format=LOG_FORMAT, hash_seed=hash_seed
            )
            with suppress(Fenced):  # another process created it at the same moment: its values stand
                self._log.append([new_record(event)])
        first = self._log.read(0, 1)[0]
        found = decode_lifecycle(first.topic, first.state) if first.stream == LOG_STREAM else None
        if not isinstance(found, LogCreated):
            raise LogCorrupted(f"position 1 holds a record of stream {first.stream!r}, not the creation of the log")
        return found

    def seal(self, position: int, running_hash: bytes) -> CommandResult[LogSealed]:
        """Write down that the running hash up to `position` is `running_hash`.

        Changes nothing when the last seal reaches that far, or when all there is to seal is that seal itself.
        """

        def decide(version: int) -> LogSealed:
            last = self._last_of(LogSealed)
            if last is not None and (position <= last.position or self._is_only_seal_since(last, position)):
                return last
            return LogSealed(**_place(version, self._occasion(ENGINE)), position=position, running_hash=running_hash)

        return self._write(decide)

    def announce_closings(self, until: datetime) -> CommandResult[ClosingsAnnounced]:
        """Say that every period that ended, with its grace, at or before `until` is closed; unchanged if said."""

        def decide(version: int) -> ClosingsAnnounced:
            last = self._last_of(ClosingsAnnounced)
            if last is not None and until <= last.until:
                return last
            return ClosingsAnnounced(**_place(version, self._occasion(ENGINE)), until=until)

        return self._write(decide)

    def _write(self, decide: Callable[[int], E]) -> CommandResult[E]:
        """Append what `decide` answers for the version that comes next, unless that is in the log already."""
        with self._turn_of(LOG_STREAM):
            for _ in range(self._attempts_max):
                version = self._log.head_version(LOG_STREAM) + 1
                event = decide(version)
                if event.version < version:
                    return CommandResult(None, event)
                try:
                    return CommandResult(self._log.append([new_record(event)])[-1], event)
                except Fenced:
                    continue
        raise Fenced(f"the log's own stream moved during each of {self._attempts_max} attempts: try again")

    def _last_of(self, event_class: type[E]) -> E | None:
        """The last event of a class in the log's own stream, looked for from its end."""
        head = self._log.head_version(LOG_STREAM)
        looked_back = LOOKED_BACK_RECORDS
        while True:
            after = max(0, head - looked_back)
            for record in reversed(self._log.stream(LOG_STREAM, after)):
                event = decode_lifecycle(record.topic, record.state)
                if isinstance(event, event_class):
                    return event
            if after == 0:
                return None
            looked_back *= 2

    def _is_only_seal_since(self, last: LogSealed, position: int) -> bool:
        if position != last.position + 1:
            return False
        records = self._log.read(position - 1, 1)
        return bool(records) and records[0].topic == LOG_SEALED


def _place(version: int, occasion: Occasion) -> dict[str, Any]:
    return {
        "stream": LOG_STREAM,
        "version": version,
        "recorded_at": occasion.recorded_at,
        "effective_at": occasion.effective(),
        "provenance": occasion.provenance,
    }
