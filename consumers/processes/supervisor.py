"""Supervisor of one child process: keeps it running until it is told to stop.

1. Start the child, in the constructor. A start that fails counts as a child that ended at once.
2. Attend to the child until it ends, in the supervisor's thread.
3. Unless stopping: report the end, and wait. The pauses double while the child keeps ending soon.
4. Start it again, and go on with 2.

To stop, the child is asked to end; after a bound it is killed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any, Final

import msgspec
import structlog

#: How long a killed child may take to be gone, and one that is no longer attended to, to end.
END_SECONDS_MAX: Final = 5.0

_logger = structlog.get_logger("meterfold.processes")


class RestartPauses(msgspec.Struct, frozen=True):
    """Pauses before restarts. They double from the first bound to the second, until a child has run long enough."""

    seconds_min: float = 0.1
    seconds_max: float = 5.0
    healthy_seconds_min: float = 30.0


DEFAULT_PAUSES: Final = RestartPauses()


class ChildState(msgspec.Struct, frozen=True):
    """State of a supervised child: its process id (None while it is not running), and the restarts so far.

    `exit_code` is that of the last child that ended, negative for a signal; None when none has ended.
    """

    name: str
    pid: int | None
    restarts: int
    exit_code: int | None


def spawn(name: str, target: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Start `target(*arguments)`, all picklable, in a fresh process that ends with this one's regular exit.

    Raises `OSError` when it cannot be started.
    """
    process = get_context("spawn").Process(target=target, args=arguments, name=f"meterfold-{name}", daemon=True)
    process.start()
    return process


def wait_for_end(process: BaseProcess) -> None:
    """Wait until a child has ended."""
    wait([process.sentinel])


class Supervisor:
    """Keeps one child process running. `state`, `begin_stop` and `stop` may be called from any thread."""

    def __init__(
        self,
        name: str,
        start: Callable[[], BaseProcess],
        attend: Callable[[BaseProcess], None] = wait_for_end,
        ask_to_end: Callable[[BaseProcess], None] = BaseProcess.terminate,
        pauses: RestartPauses = DEFAULT_PAUSES,
    ) -> None:
        """Start the child.

        `start` returns a process that it has started (see `spawn`), or raises `OSError`: then it is tried again.
        `attend` is called in the supervisor's thread for each child, and returns when that has ended; a child that is
        still running then is killed. `ask_to_end` must not block.
        """
        self._name = name
        self._start = start
        self._attend = attend
        self._ask_to_end = ask_to_end
        self._pauses = pauses
        self._restarts = 0
        self._exit_code: int | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # no child is started after `begin_stop`, and each is asked once
        self._process = self._started()
        self._thread = threading.Thread(target=self._keep_running, name=f"{name}-supervisor", daemon=True)
        self._thread.start()

    def state(self) -> ChildState:
        """Return the state of the child."""
        process = self._process
        return ChildState(self._name, None if process is None else process.pid, self._restarts, self._exit_code)

    def begin_stop(self) -> None:
        """Ask the child to end, and start none again; return at once."""
        with self._lock:
            if self._stopping.is_set():
                return
            self._stopping.set()
            if self._process is not None:
                self._ask_to_end(self._process)

    def stop(self, seconds_max: float) -> None:
        """Ask the child to end; kill it when it has not ended after `seconds_max`. May be called again."""
        self.begin_stop()
        self._thread.join(seconds_max)
        process = self._process
        if self._thread.is_alive() and process is not None:
            _logger.warning("child_killed", name=self._name, pid=process.pid, after_seconds=round(seconds_max, 1))
            process.kill()
            self._thread.join(END_SECONDS_MAX)

    def _keep_running(self) -> None:
        pause, begun = self._pauses.seconds_min, time.monotonic()
        while True:
            ended = self._attended()
            if self._stopping.is_set():
                return
            if time.monotonic() - begun > self._pauses.healthy_seconds_min:
                pause = self._pauses.seconds_min
            if ended is not None:
                _logger.warning(
                    "child_ended", name=self._name, pid=ended, exit_code=self._exit_code, restart_in_seconds=pause
                )
            if self._stopping.wait(pause):
                return
            pause = min(2 * pause, self._pauses.seconds_max)
            with self._lock:
                if self._stopping.is_set():
                    return
                begun = time.monotonic()
                self._restarts += 1
                self._process = self._started()

    def _started(self) -> BaseProcess | None:
        try:
            return self._start()
        except OSError as error:
            _logger.warning("child_not_started", name=self._name, reason=str(error))
            return None

    def _attended(self) -> int | None:
        """Attend to the child until it has ended; return its process id, None when it was not started."""
        process = self._process
        if process is None:
            return None
        self._attend(process)
        process.join(END_SECONDS_MAX)
        if process.exitcode is None:
            process.kill()
            process.join(END_SECONDS_MAX)
        self._exit_code, self._process = process.exitcode, None
        return process.pid


def stop_all(supervisors: Sequence[Supervisor], seconds_max: float) -> None:
    """Stop all these children at the same time; kill those that have not ended after `seconds_max`."""
    for supervisor in supervisors:
        supervisor.begin_stop()
    deadline = time.monotonic() + seconds_max
    for supervisor in supervisors:
        supervisor.stop(max(0.0, deadline - time.monotonic()))
