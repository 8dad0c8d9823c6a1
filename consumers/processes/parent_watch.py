"""Parent watch: end a child process when its parent has ended, however that ended.

Two signs are watched, because neither is enough. The pipe that multiprocessing opens between the two closes at once,
unless another process that the parent forked holds it open. The parent's process id changes in any case, but nothing
wakes the child for that. Linux could send a signal (PR_SET_PDEATHSIG), but already when the thread that started the
child ends.
"""

from __future__ import annotations

import os
import threading
from multiprocessing import parent_process
from multiprocessing.connection import wait
from typing import Final

PARENT_POLL_SECONDS: Final = 1.0


def end_with_parent() -> None:
    """In a child process of multiprocessing, exit at once, with status 1, when the parent has ended."""
    parent = parent_process()
    if parent is None or parent.pid is None:
        raise RuntimeError("only a child process can end with its parent")
    # The id that the parent handed over, not `os.getppid()`: the parent may have ended before this call.
    watched = (parent.pid, parent.sentinel)
    threading.Thread(target=_exit_after, args=watched, name="parent-watch", daemon=True).start()


def _exit_after(pid: int, sentinel: int) -> None:
    while os.getppid() == pid and not wait([sentinel], PARENT_POLL_SECONDS):
        pass
    os._exit(1)
