"""The read side that a replay is making: a folder of its own, which names the release and how far it is durable.

Whatever stops a replay leaves what it had made durable. The next one takes it up, unless another release was making it,
or it is no fold of this log: then it begins again, as the log has everything.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import structlog

from consumers.embedded.data_folder import DataFolder
from consumers.engine import TAKEN_UP, OperationStep
from consumers.errors import EngineClosing
from consumers.release import running_release
from domain.log.records import EventLog
from projections.identity.durable_files import write_durably
from projections.read_side.read_side import ReadSide, ReadSideOpener
from projections.read_side.store import Refolding

UNFINISHED_FILE: Final = "unfinished.json"
FOLDING: Final = "folding"
WRITING_ROWS: Final = "writing rows"

_logger = structlog.get_logger("meterfold.replay")


class Unfinished(msgspec.Struct, frozen=True):
    """How far a read side that is being made was durable, of the log up to `until`, and which release makes it."""

    release: str
    position: int
    until: int


def unfinished_in(folder: Path) -> Unfinished | None:
    """Return what the folder of a read side that is being made tells; None where there is none."""
    try:
        return msgspec.json.decode((folder / UNFINISHED_FILE).read_bytes(), type=Unfinished)
    except (OSError, msgspec.MsgspecError):
        return None


def open_fresh(folder: DataFolder, opener: ReadSideOpener, refolding: Refolding) -> ReadSide:
    """Open the read side that an earlier attempt was making, where this release made it; else a new one.

    One that was begun with the numbers first goes on like that, whatever `refolding` says.
    """
    found = folder.next_read_folder()
    unfinished = unfinished_in(found)
    if unfinished is not None and unfinished.release == running_release():
        try:
            fresh = opener.open(found, refolding=refolding)
        except Exception as error:  # whatever is wrong with it, the log has everything
            _logger.info("replay_begun_again", reason=str(error))
        else:
            _logger.info("replay_taken_up", position=fresh.projector.position)
            return fresh
    return opener.open(folder.new_read_folder(), refolding=refolding)


def taken_up(fresh: ReadSide, log: EventLog) -> Iterator[OperationStep]:
    """Yield a step that tells how far an earlier attempt was; none without one."""
    if fresh.projector.position > 0:
        yield OperationStep(TAKEN_UP, fresh.projector.position, log.head_position())


def fold_durably(log: EventLog, fresh: ReadSide, records_max: int) -> Iterator[OperationStep]:
    """Fold up to the present end of the log, durably every `records_max` events and other records.

    One whose numbers come first is folded up to the end of its missing rows.
    """
    missing = fresh.store.missing_rows()
    until = log.head_position() if missing is None else missing.until
    if fresh.projector.position == 0:
        _note(fresh, until)
    while fresh.projector.position < until and fresh.projector.step(until):
        if fresh.store.unflushed().records >= records_max or fresh.index.is_full():
            _make_durable(fresh, until)
        yield OperationStep(FOLDING, fresh.projector.position, until)


def write_rows_durably(fresh: ReadSide) -> Iterator[OperationStep]:
    """Write the rows that are missing because the numbers came first; each part is durable."""
    for missing in fresh.write_missing_rows():
        fresh.checkpoint()
        yield OperationStep(WRITING_ROWS, missing.written_to, missing.until)


def finish(fresh: ReadSide) -> None:
    """Note that a read side is finished, once it is named as the one in use."""
    (fresh.folder / UNFINISHED_FILE).unlink(missing_ok=True)


@contextmanager
def discarded_on_failure(fresh: ReadSide) -> Iterator[None]:
    """Close a read side when the context raises; remove it, unless the work on it was merely stopped."""
    try:
        yield
    except BaseException as error:
        fresh.discard()
        if isinstance(error, Exception) and not isinstance(error, EngineClosing):
            shutil.rmtree(fresh.folder, ignore_errors=True)  # the disk may be full because of it
        raise


def _make_durable(fresh: ReadSide, until: int) -> None:
    fresh.checkpoint()
    _note(fresh, until)


def _note(fresh: ReadSide, until: int) -> None:
    noted = Unfinished(running_release(), fresh.projector.position, until)
    write_durably(fresh.folder / UNFINISHED_FILE, lambda file: file.write(msgspec.json.encode(noted)))
