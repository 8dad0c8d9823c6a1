"""How a command ends. The numbers are documented and stay."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the shell sees."""

    DONE = 0
    DIFFERENCES = 1
    WRONG_USE = 2
    REFUSED = 3
    UNREACHABLE = 4
    TAKEN = 5
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.DONE: "Done, and all is well.",
    ExitCode.DIFFERENCES: "Done, and something is not well: `verify` found a difference, "
    "or `ingest` met events that were rejected or in conflict.",
    ExitCode.WRONG_USE: "The command line, a setting, a file or its map is not as it should be. Nothing was done.",
    ExitCode.REFUSED: "The engine, or Kafka, refused; the message says why.",
    ExitCode.UNREACHABLE: "The engine, or Kafka, could not be reached or opened, or stopped answering. "
    "What was being ingested or published can be sent again.",
    ExitCode.TAKEN: "`serve` only: the port is taken, or an engine runs on this data folder already.",
    ExitCode.INTERRUPTED: "Interrupted from the keyboard.",
}


class CommandFailed(Exception):
    """The command ends here with a message and a code."""

    def __init__(self, code: ExitCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
