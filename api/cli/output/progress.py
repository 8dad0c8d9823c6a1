"""Progress of long-running work, on the error stream: a bar or spinner on a terminal, else lines of text or nothing."""

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

from api.cli.output.text import print_message

REFRESHES_PER_SECOND_MAX: Final = 10
LINE_SECONDS_MIN: Final = 2.0

#: Report progress: done, total, and the name of the stage.
Advance = Callable[[float, float, str], None]


@contextmanager
def waiting(description: str) -> Iterator[Callable[[str], None]]:
    """Show a spinner during work of unknown length; it is removed at the end.

    The yielded function replaces the description. Without a terminal there is no spinner, and the function prints a
    line, at most one every `LINE_SECONDS_MIN`.
    """
    if not sys.stderr.isatty():
        yield _line_reporter()
        return
    with Console(file=sys.stderr).status(escape(description)) as status:
        yield lambda message: status.update(escape(message))


def _line_reporter() -> Callable[[str], None]:
    printed_at: float | None = None

    def report(line: str) -> None:
        nonlocal printed_at
        now = time.monotonic()
        if printed_at is None or now - printed_at >= LINE_SECONDS_MIN:
            printed_at = now
            print_message(line)

    return report


@contextmanager
def progress_bar(description: str, *, of_bytes: bool = False) -> Iterator[Advance]:
    """Show a progress bar, which the yielded function advances; it is removed at the end."""
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
