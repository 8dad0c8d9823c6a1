"""Exit codes of commands, which are documented and never change, and the error that carries one."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit code of a command."""

    DONE = 0
    DIFFERENCES = 1
    WRONG_USE = 2
    REFUSED = 3
    UNREACHABLE = 4
    TAKEN = 5
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.DONE: "The command succeeded.",
    ExitCode.DIFFERENCES: "The command finished with findings: `verify` found a difference, "
    "or `ingest` had events that were rejected or in conflict.",
    ExitCode.WRONG_USE: "The command line, a setting, a file or its map is invalid. Nothing was done.",
    ExitCode.REFUSED: "The engine or Kafka refused the request; the message says why.",
    ExitCode.UNREACHABLE: "The engine or Kafka could not be reached or opened, or stopped answering. "
    "The same file can be ingested or published again.",
    ExitCode.TAKEN: "`serve` only: the port is in use, or an engine already runs on this data folder.",
    ExitCode.INTERRUPTED: "Interrupted from the keyboard.",
}


class CommandFailed(Exception):
    """The command fails with a message and an exit code."""

    def __init__(self, code: ExitCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
