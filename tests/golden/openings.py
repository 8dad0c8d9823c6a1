"""Copies of a data folder, whole or cut after a position, opened with a fixed clock and no running jobs."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from fastapi import FastAPI

from api.app import create_app
from consumers.bootstrap import open_engine
from consumers.settings import Settings
from tests.golden.fixtures import Moment

LOG = "log.sqlite"
#: Files that a cut copy keeps. All others are derived from the log, or belong to one run of an engine.
KEPT_WHEN_CUT = (LOG, "keys.sqlite", "admin.key")


class FixedClock:
    """A clock that shows one instant until it is set to another, also an earlier one."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


class Opening(NamedTuple):
    """The moments that one opened engine answers: same position and profile, each with its own time."""

    moments: list[Moment]

    @property
    def name(self) -> str:
        first = self.moments[0]
        return f"{'whole' if first.position is None else first.position}-{first.profile}"


def openings_of(moments: Iterable[Moment]) -> list[Opening]:
    """Group moments into openings, in their order."""
    found = groupby(moments, lambda one: (one.position, one.profile))
    return [Opening(list(of_one)) for _, of_one in found]


@contextmanager
def opened(
    folder: Path, opening: Opening, copy: Path, may_append: bool = False
) -> Iterator[tuple[FastAPI, FixedClock]]:
    """The application over a copy of `folder`. Nothing is appended to its log meanwhile, unless `may_append`."""
    first = opening.moments[0]
    if first.position is None:
        shutil.copytree(folder, copy)
    else:
        _cut_copy(folder, copy, first.position)
    before, clock = head_of(copy), FixedClock(first.now)
    settings = Settings(
        data_dir=copy,
        intake_process=False,
        duckdb_threads=1,
        http_write_wait_seconds_max=60.0,
        event_log_poll_seconds=1,  # nobody appends
        litellm_profile=first.profile,
    )
    with open_engine(settings, clock=clock) as engine:
        assert engine.wait_folded(before, 60), "the log could not be folded"
        yield create_app(engine), clock
    assert may_append or head_of(copy) == before, "reading appended to the log"
    shutil.rmtree(copy)


def head_of(folder: Path) -> int:
    """The last position of the log."""
    with closing(sqlite3.connect(folder / LOG)) as log:
        found: int | None = log.execute("SELECT max(rowid) FROM stored_events").fetchone()[0]
    return found or 0


def _cut_copy(folder: Path, copy: Path, position: int) -> None:
    copy.mkdir()
    for name in KEPT_WHEN_CUT:
        shutil.copy(folder / name, copy / name)
    with closing(sqlite3.connect(copy / LOG)) as log, log:
        log.execute("DELETE FROM stored_events WHERE rowid > ?", (position,))
