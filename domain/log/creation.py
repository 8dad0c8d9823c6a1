"""The creation of a log: its first record."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from domain.errors import Fenced, LogCorrupted
from domain.event import Provenance
from domain.log.event_codec import decode_lifecycle, new_record
from domain.log.events import LOG_FORMAT, LogCreated
from domain.log.records import EventLog
from domain.streams import LOG_STREAM


def ensure_log_created(log: EventLog, log_id: str, hash_seed: int, now: datetime) -> LogCreated:
    """Return the creation event of this log; write it with these values when the log is empty.

    Raises `LogCorrupted` when position 1 holds something else.
    """
    if log.head_position() == 0:
        event = LogCreated(
            stream=LOG_STREAM,
            version=1,
            recorded_at=now,
            effective_at=now,
            provenance=Provenance("engine"),
            log_id=log_id,
            log_format=LOG_FORMAT,
            hash_seed=hash_seed,
        )
        with suppress(Fenced):  # another process created it at the same moment: its values stand
            log.append([new_record(event)])
    first = log.read(0, 1)[0]
    found = decode_lifecycle(first.topic, first.state) if first.stream == LOG_STREAM else None
    if not isinstance(found, LogCreated):
        raise LogCorrupted(f"position 1 holds a record of stream {first.stream!r}, not the creation of the log")
    return found
