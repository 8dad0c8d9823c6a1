"""Assign times to the records of a partition that name none: their timestamps, made to follow record order. Pure.

Kafka's timestamps are milliseconds, and many records share one. Taken as they are, a deletion would be effective
before usage that precedes it in the same millisecond. So a command is effective one microsecond after everything
before it in its partition and millisecond, and what follows it is no earlier:

    record      usage   delete   usage   create   usage      (all of one millisecond T)
    time        T       T+1 us   T+1 us  T+2 us   T+2 us

Polls may split a millisecond: the time of the last command is carried from poll to poll, in the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from consumers.kafka.appending.batches import CommandMessage, Part, UsageRun

MILLISECOND_US: Final = 1_000
#: Commands of one millisecond that get times of their own; later ones share the time of the last.
COMMANDS_PER_MILLISECOND_MAX: Final = MILLISECOND_US - 1


def assign_record_times(parts: Sequence[Part], last_command_us: int | None) -> tuple[list[Part], int | None]:
    """Return the parts of a poll with their times, and the `last_command_us` for the next poll.

    `last_command_us` is the time of the last command; None when no later record can share its millisecond.
    """
    if last_command_us is None and not any(isinstance(part, CommandMessage) for part in parts):
        return list(parts), None
    times = _RecordTimes(last_command_us)
    ordered = [times.of_command(part) if isinstance(part, CommandMessage) else times.of_run(part) for part in parts]
    latest_us = max((at for part in parts for at in _arrivals(part)), default=-1)
    last_us = times.last_command_us
    still_open = last_us is not None and latest_us < millisecond(last_us) + MILLISECOND_US
    return ordered, last_us if still_open else None


class _RecordTimes:
    def __init__(self, last_command_us: int | None) -> None:
        self.last_command_us = last_command_us
        #: The time of the next record, by the start of a millisecond that has commands; microseconds since 1970.
        self._now = {} if last_command_us is None else {millisecond(last_command_us): last_command_us}

    def of_command(self, command: CommandMessage) -> CommandMessage:
        if command.arrival_us < 0:
            return command
        begin_us = millisecond(command.arrival_us)
        now_us = self._now.get(begin_us, command.arrival_us)
        self._now[begin_us] = self.last_command_us = min(now_us + 1, begin_us + COMMANDS_PER_MILLISECOND_MAX)
        return msgspec.structs.replace(command, arrival_us=self._now[begin_us])

    def of_run(self, run: UsageRun) -> UsageRun:
        now = self._now
        if not now:
            return run
        arrivals_us = [now.get(millisecond(at), at) for at in run.arrivals_us]
        return msgspec.structs.replace(run, arrivals_us=arrivals_us)


def millisecond(at_us: int) -> int:
    """Return the start of the millisecond of an instant, both in microseconds."""
    return at_us // MILLISECOND_US * MILLISECOND_US


def _arrivals(part: Part) -> Iterable[int]:
    return (part.arrival_us,) if isinstance(part, CommandMessage) else part.arrivals_us
