"""Running work in a thread of low scheduling priority."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

#: Of at most 19. On a contended core Linux gives such a thread a third of the time of one with niceness 0: with less,
#: a chunk of a merge would take so long there that the flush that waits for it comes too late.
NICE: Final = 5

Answer = TypeVar("Answer")


def at_low_priority(work: Callable[[], Answer]) -> Answer:
    """Run `work` in a thread of low priority, wait for it, and return its result or raise its error.

    Each call uses a new thread, because an unprivileged process may lower a thread's priority but never raise it again.
    Outside Linux niceness belongs to the whole process, so the thread keeps normal priority there.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="low-priority", initializer=_lower_priority) as thread:
        return thread.submit(work).result()


def _lower_priority() -> None:
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):  # a sandbox may forbid it; the work then runs at normal priority
            os.setpriority(os.PRIO_PROCESS, thread, max(NICE, os.getpriority(os.PRIO_PROCESS, thread)))
