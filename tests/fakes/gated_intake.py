"""Factories of an intake on a real log whose appends a test can block or fail. Imports little, for child processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from consumers.intake.intake import Intake, IntakeOptions, LocalIntake
from domain.errors import LogUnavailable
from domain.log.records import NewRecord
from domain.log.sqlite.event_log import SQLiteEventLog
from tests.fakes.sealer import sealer

HELD_SECONDS_MAX: Final = 20.0


class GatedLog(SQLiteEventLog):
    """Appends wait while the file `closed` is there, and fail while `full` is."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "log.db")
        self._folder = folder

    def append(self, records: Sequence[NewRecord]) -> list[int]:
        until = time.monotonic() + HELD_SECONDS_MAX
        while (self._folder / "closed").exists() and time.monotonic() < until:
            time.sleep(0.005)
        if (self._folder / "full").exists():
            raise LogUnavailable("the disk is full")
        return super().append(records)


def always_the_same_time() -> datetime:
    return datetime(2026, 9, 2, tzinfo=UTC)


def no_price(provider: str | None, model: str) -> None:
    return None


def gated_intake(folder: Path) -> tuple[Intake, Callable[[], None]]:
    """An intake on the log in `folder`, and what closes it."""
    log = GatedLog(folder)
    return LocalIntake(log, 7, always_the_same_time, no_price, IntakeOptions(), sealer(log)), log.close


def no_intake(folder: Path) -> tuple[Intake, Callable[[], None]]:
    """A factory that always fails, and records each attempt in a file."""
    with (folder / "tries").open("a") as tries:
        tries.write("x")
    raise LogUnavailable("there is no log")
