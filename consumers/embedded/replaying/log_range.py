"""The range of a log that a store of its own was made of: `range.json` in its data folder.

Such a folder is there to be looked at. It has the usage that was appended in the range, and the facts that were known
at its end, such as customers, prices and plans. Its answers name the range, and nothing can be appended to its log.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

import msgspec

from consumers.engine import LogRange
from consumers.errors import FolderUnusable
from domain.log.recorded_at import recorded_at_of
from domain.log.records import EventLog
from domain.values.instants import parsed_instant
from projections.identity.durable_files import write_durably

RANGE_FILE: Final = "range.json"
POSITION_DIGITS_MAX: Final = 18
_DAY_LENGTH: Final = len("2026-01-01")


def stored_range(folder: Path) -> LogRange | None:
    """Return the range that a data folder was made of; None for the folder of an engine.

    Raises `FolderUnusable` when its note cannot be read.
    """
    path = folder / RANGE_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=LogRange)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise FolderUnusable(f"{path} cannot be read ({error}): make the store again in another folder") from error


def store_range(folder: Path, log_range: LogRange) -> None:
    """Note of which range a data folder is made, durably."""
    write_durably(folder / RANGE_FILE, lambda file: file.write(msgspec.json.encode(log_range)))


def finished_range(folder: Path) -> LogRange | None:
    """Return the range that a data folder was made of; `FolderUnusable` if making it was not finished."""
    found = stored_range(folder)
    if found is not None and not found.finished:
        raise FolderUnusable(
            f"the store in {folder} is not finished: run the same\n`meterfold replay --into {_quoted(folder)}` again"
        )
    return found


def refuse_range(folder: Path) -> None:
    """Raise `FolderUnusable` when a data folder was made of a range, and so is only to be looked at."""
    if (folder / RANGE_FILE).exists():
        raise FolderUnusable(
            f"{folder} was made by `meterfold replay --into`, to be looked at:\nnothing is appended to it, and no "
            f"engine serves it. Ask it with commands,\nsuch as `meterfold usage --data {_quoted(folder)}`"
        )


def refuse_folding(folder: Path) -> None:
    """Raise `FolderUnusable` when a data folder was made of a range: it is neither verified nor folded again."""
    found = stored_range(folder)
    if found is not None:
        raise FolderUnusable(
            f"{folder} was made by `meterfold replay --into`, to be looked at:\nit is neither verified nor replayed. "
            f"Do that with the data folder that it\nwas made of, --data {_quoted(found.source)}, or make another one"
        )


def _quoted(folder: Path | str) -> str:
    """A folder as one word of a command that a shell reads."""
    return shlex.quote(str(folder))


def position_of(log: EventLog, text: str) -> int | None:
    """Return the first position at or after a position, an instant or a day in UTC; None for any other text.

    That of an instant is the first one whose record was written at it or later; behind the last one if none was.
    """
    if text.isascii() and text.isdigit() and len(text) <= POSITION_DIGITS_MAX:
        return int(text)
    instant = parsed_instant(f"{text}T00:00:00Z" if len(text) == _DAY_LENGTH else text)
    if instant is None:
        return None
    low, high = 1, log.head_position() + 1
    while low < high:
        middle = (low + high) // 2
        [record] = log.read(middle - 1, 1)
        if recorded_at_of(record) < instant:
            low = middle + 1
        else:
            high = middle
    return low
