"""The instant at which a record of the log was written."""

from __future__ import annotations

from datetime import datetime

from domain.log.blocks import read_header
from domain.log.event_codec import decode_lifecycle
from domain.log.records import BLOCK_TOPICS, LogRecord


def recorded_at_of(record: LogRecord) -> datetime:
    """The recorded time in a record."""
    if record.topic in BLOCK_TOPICS:
        return read_header(record.state).recorded_at
    return decode_lifecycle(record.topic, record.state).recorded_at
