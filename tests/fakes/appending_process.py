"""A second process that appends Kafka records beside an engine, and measures when each becomes readable."""

from __future__ import annotations

import time
from pathlib import Path

from consumers.bootstrap import open_partition_appender
from consumers.embedded.folded_position import FoldedPositionReader
from consumers.settings import Settings
from tests.consumers.kafka.appending.partition_polls import SOURCE, event, poll

_LOOK_SECONDS = 0.001


def append_and_measure(folder: Path, first: int, count: int, seconds_max: float) -> list[float]:
    """Append so many polls of one event, one after the other; return after how many seconds each was folded."""
    folded, seconds = FoldedPositionReader(folder), []
    with open_partition_appender(Settings(data_dir=folder)) as appender:
        appender.read_checkpoint(SOURCE)
        for number in range(first, first + count):
            position = appender.append(poll([event(f"event-{number}")], first_offset=number)).position
            appended = time.monotonic()
            while (folded.read() or 0) < position and time.monotonic() < appended + seconds_max:
                time.sleep(_LOOK_SECONDS)
            seconds.append(time.monotonic() - appended)
    folded.close()
    return seconds
