"""Intake in a child process, so that decoding large bodies does not slow down reads.

A child that dies is started again; requests in flight fail with `IntakeUnavailable` and may be retried.
"""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Final

import msgspec
import structlog

from consumers.errors import IntakeFull, IntakeUnavailable
from consumers.intake.child import Call, IntakeFactory, Reply, run_child
from consumers.intake.intake import CLOSE_SECONDS_MAX
from consumers.intake.options import IntakeOptions
from consumers.intake.requests import IntakeReceipt, IntakeRequest, check_request
from domain.errors import InvalidInput

__all__ = ["IntakeFactory", "IntakeHealth", "IntakeProcess"]

#: A child that keeps dying is started again after pauses that double, from the first to the second of these.
RESTART_PAUSE_SECONDS_MIN: Final = 0.1
RESTART_PAUSE_SECONDS_MAX: Final = 5.0
FIRST_START_ATTEMPTS_MAX: Final = 5
#: After a child ran this long, the next pause is the shortest again.
HEALTHY_SECONDS_MIN: Final = 30.0

_DIED: Final = "the intake process died; send the request again"
_logger = structlog.get_logger("meterfold.intake")


class IntakeHealth(msgspec.Struct, frozen=True):
    """State of the child: its process id (None while it is not running), restarts so far, requests in flight."""

    pid: int | None
    restarts: int
    in_flight: int


class _Child(msgspec.Struct, frozen=True):
    process: BaseProcess
    connection: Connection
    started: float


class IntakeProcess:
    """Parent side of the intake process: an `Intake` whose work is done by a child process."""

    def __init__(self, factory: IntakeFactory, options: IntakeOptions) -> None:
        """Start the child, which calls `factory` (picklable) for its intake and the function that closes its log.

        Of `options` only the bounds on pending requests are used here, for the requests in flight.
        """
        self._factory = factory
        self._options = options
        self._lock = threading.Lock()
        self._in_flight: dict[int, tuple[Future[IntakeReceipt], int]] = {}
        self._in_flight_bytes = 0
        self._number = 0
        self._restarts = 0
        self._closing = threading.Event()
        self._outgoing: queue.SimpleQueue[Call] = queue.SimpleQueue()  # bounded, as requests in flight are
        self._child = self._start_first_child()
        self._writer = threading.Thread(target=self._write, name="intake-writer", daemon=True)
        self._reader = threading.Thread(target=self._read, name="intake-reader", daemon=True)
        self._writer.start()
        self._reader.start()

    @property
    def pid(self) -> int | None:
        """The child's process id; None while it is not running."""
        process = self._child.process
        return process.pid if process.is_alive() else None

    def health(self) -> IntakeHealth:
        """Return the state of the child."""
        return IntakeHealth(self.pid, self._restarts, len(self._in_flight))

    def submit(self, request: IntakeRequest) -> Future[IntakeReceipt]:
        """Send a request to the child. See `Intake.submit`."""
        check_request(request)
        size = len(request.body)
        if size > self._options.pending_bytes_max:
            raise InvalidInput("body", f"must be at most {self._options.pending_bytes_max} bytes", "body_too_large")
        future: Future[IntakeReceipt] = Future()
        future.set_running_or_notify_cancel()
        with self._lock:
            if self._closing.is_set():
                raise IntakeUnavailable("the intake is closed")
            if len(self._in_flight) >= self._options.pending_requests_max:
                raise IntakeFull(f"{len(self._in_flight)} requests are waiting")
            if self._in_flight_bytes + size > self._options.pending_bytes_max:
                raise IntakeFull(f"{self._in_flight_bytes} bytes are waiting")
            self._number += 1
            self._in_flight[self._number] = future, size
            self._in_flight_bytes += size
            self._outgoing.put(Call(self._number, request))
        return future

    def close(self) -> None:
        """Take no more requests, let the child finish those in flight, and end it."""
        with self._lock:
            if self._closing.is_set():
                return
            self._closing.set()
            waiting = [future for future, _ in self._in_flight.values()]
            self._outgoing.put(Call(0))
        wait_for(waiting, CLOSE_SECONDS_MAX)
        self._child.process.join(CLOSE_SECONDS_MAX)
        if self._child.process.is_alive():
            self._child.process.kill()
        self._reader.join(CLOSE_SECONDS_MAX)
        self._writer.join(CLOSE_SECONDS_MAX)
        self._fail_in_flight()
        self._child.connection.close()

    def _start_first_child(self) -> _Child:
        """Start a child; retry when it is killed while it starts."""
        for _ in range(FIRST_START_ATTEMPTS_MAX - 1):
            try:
                return self._start_child()
            except OSError as error:
                _logger.warning("intake_not_started", error=str(error))
        return self._start_child()

    def _start_child(self) -> _Child:
        context = get_context("spawn")
        parent_end, child_end = context.Pipe()
        process = context.Process(
            target=run_child, args=(child_end, self._factory), name="meterfold-intake", daemon=True
        )
        process.start()
        child_end.close()
        return _Child(process, parent_end, time.monotonic())

    def _write(self) -> None:
        """Send the requests that are still in flight to the child. When it is dead, the reader replaces it."""
        while True:
            call = self._outgoing.get()
            if call.request is not None and call.number not in self._in_flight:
                continue
            try:
                self._child.connection.send_bytes(msgspec.msgpack.encode(call))
            except (OSError, TypeError):  # TypeError: the reader closed the dead child's connection meanwhile
                self._complete(call.number, IntakeUnavailable(_DIED))
            if call.request is None:
                return

    def _read(self) -> None:
        pause = RESTART_PAUSE_SECONDS_MIN
        while True:
            child = self._child
            try:
                reply = msgspec.msgpack.decode(child.connection.recv_bytes(), type=Reply)
            except (EOFError, OSError):
                if time.monotonic() - child.started > HEALTHY_SECONDS_MIN:
                    pause = RESTART_PAUSE_SECONDS_MIN
                if not self._restart_child(child, pause):
                    return
                pause = min(2 * pause, RESTART_PAUSE_SECONDS_MAX)
            else:
                self._complete(reply.number, reply.outcome)

    def _restart_child(self, child: _Child, pause: float) -> bool:
        """Replace a dead child; return False when the intake is closing."""
        lost = self._fail_in_flight()
        child.process.join(RESTART_PAUSE_SECONDS_MAX)
        if self._closing.is_set():
            return False
        _logger.warning("intake_died", pid=child.process.pid, exit_code=child.process.exitcode, requests_lost=lost)
        while not self._closing.wait(pause):
            try:
                self._child = self._start_child()
            except OSError as error:
                _logger.warning("intake_not_started", error=str(error))
            else:
                self._restarts += 1
                child.connection.close()
                if self._closing.is_set():
                    self._child.connection.close()  # the order to stop went to the dead child: end this one
                return not self._closing.is_set()
        return False

    def _fail_in_flight(self) -> int:
        with self._lock:
            lost = list(self._in_flight)
        for number in lost:
            self._complete(number, IntakeUnavailable(_DIED))
        return len(lost)

    def _complete(self, number: int, outcome: IntakeReceipt | Exception) -> None:
        with self._lock:
            future, size = self._in_flight.pop(number, (None, 0))
            self._in_flight_bytes -= size
        if future is None:
            return
        if isinstance(outcome, IntakeReceipt):
            future.set_result(outcome)
        else:
            future.set_exception(outcome)
