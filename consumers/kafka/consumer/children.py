"""Supervise consumers as child processes of the engine: start them, restart each that dies, end them before it ends."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from typing import Any, Final

import msgspec
import structlog

#: The function that a child process runs. Must be picklable.
ChildTarget = Callable[..., None]

#: A child that keeps dying is restarted after pauses that double between these bounds.
RESTART_PAUSE_SECONDS_MIN: Final = 0.1
RESTART_PAUSE_SECONDS_MAX: Final = 5.0
#: A child that lived this long is restarted with the shortest pause again.
HEALTHY_SECONDS_MIN: Final = 30.0
CHILDREN_MAX: Final = 64
#: Children that have not ended by then are killed. What they have not appended is read again by the next consumer.
STOP_SECONDS_MAX: Final = 3.0
_LOOK_SECONDS: Final = 0.1
PARENT_POLL_SECONDS: Final = 1.0

_logger = structlog.get_logger("meterfold.kafka")


class _Child(msgspec.Struct):
    name: str
    process: BaseProcess | None = None
    started: float = 0.0
    start_at: float = 0.0
    pause_seconds: float = RESTART_PAUSE_SECONDS_MIN
    restarts: int = 0


class ConsumerChildren:
    """Keeps one process alive for each name. `stop` may be called from any thread."""

    def __init__(self, names: Sequence[str], target: ChildTarget, *arguments: Any) -> None:
        """Start `target(name, *arguments)` in a process of its own for each name."""
        if len(names) > CHILDREN_MAX:
            raise ValueError(f"at most {CHILDREN_MAX} consumers")
        self._target = target
        self._arguments = arguments
        self._children = [_Child(name) for name in names]
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="consumer-children", daemon=True)
        self._keeper.start()

    @property
    def pids(self) -> dict[str, int | None]:
        """The process id of each child by name; None while it is not running."""
        running = {child.name: child.process for child in self._children}
        return {
            name: process.pid if process is not None and process.is_alive() else None
            for name, process in running.items()
        }

    @property
    def restarts(self) -> int:
        """The number of restarts of all children."""
        return sum(child.restarts for child in self._children)

    def begin_stop(self) -> None:
        """Ask every child to end; return at once."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        for child in self._children:
            if child.process is not None:
                child.process.terminate()

    def stop(self) -> None:
        """End every child; return when none is left."""
        self.begin_stop()
        self._keeper.join()
        deadline = time.monotonic() + STOP_SECONDS_MAX
        for child in self._children:
            if child.process is None:
                continue
            child.process.terminate()  # again: it may have been started after `begin_stop` looked
            child.process.join(max(0.0, deadline - time.monotonic()))
            if child.process.is_alive():
                _logger.warning("consumer_killed", name=child.name, after_seconds=STOP_SECONDS_MAX)
                child.process.kill()
                child.process.join()

    def _keep(self) -> None:
        while not self._stopping.is_set():
            for child in self._children:
                self._restart_if_dead(child)
            self._stopping.wait(_LOOK_SECONDS)

    def _restart_if_dead(self, child: _Child) -> None:
        now = time.monotonic()
        if child.process is not None:
            if child.process.is_alive():
                return
            if now - child.started > HEALTHY_SECONDS_MIN:
                child.pause_seconds = RESTART_PAUSE_SECONDS_MIN
            _logger.warning("consumer_died", name=child.name, exit_code=child.process.exitcode)
            child.process.join()
            child.process = None
            child.restarts += 1
            child.start_at = now + child.pause_seconds
            child.pause_seconds = min(2 * child.pause_seconds, RESTART_PAUSE_SECONDS_MAX)
        if now >= child.start_at and not self._stopping.is_set():
            child.started = now
            child.process = self._started(child.name)

    def _started(self, name: str) -> BaseProcess | None:
        process = get_context("spawn").Process(
            target=self._target, args=(name, *self._arguments), name=f"meterfold-{name}", daemon=True
        )
        try:
            process.start()
        except OSError as error:
            _logger.warning("consumer_not_started", name=name, error=str(error))
            return None
        return process


def end_with_parent() -> None:
    """In a child process, exit at once when the parent has ended. Nothing is lost: the log has what was appended."""

    def watch(parent: int) -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, args=(os.getppid(),), name="parent-watch", daemon=True).start()
