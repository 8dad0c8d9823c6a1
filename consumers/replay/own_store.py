"""A replay into a data folder of its own, to be looked at: of a whole log, or of a range of it.

1. Note the range in the folder, which must be empty or absent.
2. Copy the records below the end of the range, without the usage before it; then also without seals.
   They keep their positions.
3. Fold the copy, as a replay does without an engine. Note that the store is finished.

The same replay into the same folder goes on where it was stopped. The log that is read may be that of a running engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from consumers.bootstrap import replay_closed
from consumers.embedded.data_folder import DataFolder, explained_refusals
from consumers.embedded.replaying.log_range import position_of, refuse_range, store_range, stored_range
from consumers.engine import LogRange, OperationResult, OperationStep
from consumers.errors import RangeInvalid
from consumers.settings import Settings
from domain.log.events import LOG_SEALED
from domain.log.records import BLOCK_TOPICS
from domain.log.sqlite.event_log import SQLiteEventLog
from domain.log.sqlite.range_copy import copy_range
from projections.folding.recovery import log_creation

COPYING: Final = "copying the log"
#: Seals are of the whole log: where usage before them is left out, none of them fits.
SEALS: Final = (LOG_SEALED,)


def replay_into(
    settings: Settings, into: Path, first: str | None = None, end: str | None = None
) -> Iterator[OperationStep | OperationResult]:
    """Make a store in the folder `into` of the log of `settings`, from `first` to `end`, exclusive.

    Each is a position, an instant or a day in UTC. Raises `RangeInvalid` for a range or a folder that cannot be used.
    """
    source = DataFolder(settings.data_dir)
    refuse_range(source.root)
    wanted = _wanted(source, first, end)
    target = DataFolder(into)
    begun = _begun(target, wanted, end)
    with explained_refusals(into):
        into.mkdir(parents=True, exist_ok=True)
        store_range(into, begun)
    for position in copy_range(
        source.log, target.log, begun.first, begun.end, BLOCK_TOPICS, SEALS if begun.first > 1 else ()
    ):
        yield OperationStep(COPYING, position, begun.end - 1)
    if source.admin_key.exists() and not target.admin_key.exists():
        target.save_first_key(source.admin_key.read_text().strip())
    of_target = settings.model_copy(update={"data_dir": into})
    for step in replay_closed(of_target):
        if isinstance(step, OperationResult):
            store_range(into, msgspec.structs.replace(begun, finished=True))
        yield step


def _wanted(source: DataFolder, first: str | None, end: str | None) -> LogRange:
    with closing(SQLiteEventLog(source.log)) as log:
        head = log.head_position()
        begins = 1 if first is None else _position(log, "from", first)
        ends = head + 1 if end is None else _position(log, "to", end)
        log_id = log_creation(log).log_id
    if ends > head + 1:
        raise RangeInvalid("to", f"must be at most {head + 1}: the log ends at position {head}")
    if begins >= ends:
        raise RangeInvalid("from", f"must be before the end of the range, which is at position {ends}")
    return LogRange(str(source.root.resolve()), log_id, max(1, begins), ends)


def _position(log: SQLiteEventLog, name: str, text: str) -> int:
    found = position_of(log, text)
    if found is None:
        raise RangeInvalid(
            name, "must be a log position, an RFC 3339 instant with an offset, or a day such as 2026-03-01"
        )
    return found


def _begun(target: DataFolder, wanted: LogRange, end: str | None) -> LogRange:
    """What is made: what was begun in the folder, if it is the same range, else what is wanted."""
    if not target.root.exists():
        return wanted
    if not target.root.is_dir():
        raise RangeInvalid("into", f"must name a folder: {target.root} is none")
    if not any(target.root.iterdir()):
        return wanted
    begun = stored_range(target.root)
    if begun is None or begun.finished:
        raise RangeInvalid("into", f"must name an empty folder, or none: {target.root} has files")
    same_end = end is None or begun.end == wanted.end
    if (begun.log_id, begun.first, same_end) != (wanted.log_id, wanted.first, True):
        raise RangeInvalid("into", f"must name an empty folder, or none: in {target.root} another range was begun")
    return begun
