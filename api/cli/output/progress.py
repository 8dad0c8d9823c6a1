"""Progress of what lasts: a bar on the error stream, on a terminal only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from api.cli.output.tables import print_message

REFRESHES_PER_SECOND_MAX: Final = 10
LINE_SECONDS_MIN: Final = 2.0

#: Tell how far it is: done, total, and what is being done.
Advance = Callable[[float, float, str], None]


@contextmanager
def waiting(description: str) -> Iterator[Callable[[str], None]]:
    """A sign of life while something lasts whose length nobody knows; gone at the end.

    What is told meanwhile takes its place; where there is no terminal it is a line, at most every
    `LINE_SECONDS_MIN`.
    """
    if not sys.stderr.isatty():
        yield _told_in_lines()
        return
    with Console(file=sys.stderr).status(escape(description)) as status:
        yield lambda told: status.update(escape(told))


def _told_in_lines() -> Callable[[str], None]:
    told_at: float | None = None

    def tell(line: str) -> None:
        nonlocal told_at
        now = time.monotonic()
        if told_at is None or now - told_at >= LINE_SECONDS_MIN:
            told_at = now
            print_message(line)

    return tell


@contextmanager
def progress_bar(description: str, *, of_bytes: bool = False) -> Iterator[Advance]:
    """A bar that moves when the function it gives is called; gone at the end."""
    count: ProgressColumn = DownloadColumn() if of_bytes else MofNCompleteColumn()
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        count,
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
        transient=True,
        refresh_per_second=REFRESHES_PER_SECOND_MAX,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total, stage: bar.update(task, completed=done, total=total, description=stage or description)
