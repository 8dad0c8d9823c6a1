"""When the records of one partition count that name no time: at their timestamps, in record order. Pure.

A timestamp has milliseconds, and many records fit into one. Taken literally, a deletion would count before the usage
that stands before it in the same millisecond. So a command counts one microsecond after everything before it in its
partition and millisecond, and what comes after it no earlier than it:

    record      usage   delete   usage   create   usage      (all of one millisecond T)
    counts at   T       T+1 us   T+1 us  T+2 us   T+2 us

Only the last command's instant is carried from poll to poll, in the log: there a millisecond may be divided.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from consumers.kafka.appending.batches import SentCommand, UsageRun

MILLISECOND_US: Final = 1_000
#: So many commands of one millisecond are told apart; what comes after them counts with the last.
COMMANDS_TOLD_APART_MAX: Final = MILLISECOND_US - 1

Part = UsageRun | SentCommand


def in_record_order(parts: Sequence[Part], last_command_us: int | None) -> tuple[list[Part], int | None]:
    """The parts of a poll with their instants, and the instant of the last command so far, where the next poll may
    still fall into its millisecond. `last_command_us` is what the poll before answered."""
    if last_command_us is None and not any(isinstance(part, SentCommand) for part in parts):
        return list(parts), None
    instants = _Instants(last_command_us)
    ordered = [instants.of_command(part) if isinstance(part, SentCommand) else instants.of_run(part) for part in parts]
    latest_us = max((at for part in parts for at in _arrivals(part)), default=-1)
    last_us = instants.last_command_us
    still_open = last_us is not None and latest_us < millisecond(last_us) + MILLISECOND_US
    return ordered, last_us if still_open else None


class _Instants:
    def __init__(self, last_command_us: int | None) -> None:
        self.last_command_us = last_command_us
        #: By the millisecond of commands, in microseconds since 1970: what counts now in it.
        self._now = {} if last_command_us is None else {millisecond(last_command_us): last_command_us}

    def of_command(self, command: SentCommand) -> SentCommand:
        if command.arrival_us < 0:
            return command
        begin_us = millisecond(command.arrival_us)
        now_us = self._now.get(begin_us, command.arrival_us)
        self._now[begin_us] = self.last_command_us = min(now_us + 1, begin_us + COMMANDS_TOLD_APART_MAX)
        return msgspec.structs.replace(command, arrival_us=self._now[begin_us])

    def of_run(self, run: UsageRun) -> UsageRun:
        now = self._now
        if not now:
            return run
        arrivals_us = [now.get(millisecond(at), at) for at in run.arrivals_us]
        return msgspec.structs.replace(run, arrivals_us=arrivals_us)


def millisecond(at_us: int) -> int:
    """The beginning of the millisecond that holds an instant, in microseconds."""
    return at_us // MILLISECOND_US * MILLISECOND_US


def _arrivals(part: Part) -> Iterable[int]:
    return (part.arrival_us,) if isinstance(part, SentCommand) else part.arrivals_us
