"""Work that others go before when cores are scarce."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

#: Of 19 at most. Linux gives a thread of it about a tenth of what it gives one of 0 on a core that both want.
NICE: Final = 10

Answer = TypeVar("Answer")


def at_low_priority(work: Callable[[], Answer]) -> Answer:
    """What `work` answers or raises, after it ran in a thread that gives way to others; the caller waits for it.

    A thread of its own each time: who is not privileged may lower the priority of a thread, never raise it again.
    Elsewhere than on Linux, where niceness belongs to a whole process, the thread is one like any other.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="low-priority", initializer=_give_way) as thread:
        return thread.submit(work).result()


def _give_way() -> None:
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):  # a sandbox may forbid it: then the work is done all the same
            os.setpriority(os.PRIO_PROCESS, thread, max(NICE, os.getpriority(os.PRIO_PROCESS, thread)))
