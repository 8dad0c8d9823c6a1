"""Intake in a child process, so that decoding large bodies does not slow down reads.

A child that dies is started again. Requests that were in flight fail with `IntakeUnavailable` and may be retried;
requests that arrive while no child runs wait for the next one.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Final, NamedTuple

import msgspec
import structlog

from consumers.errors import IntakeUnavailable
from consumers.intake.child import Call, IntakeFactory, Reply, run_child
from consumers.intake.intake import CLOSE_SECONDS_MAX
from consumers.intake.options import IntakeOptions
from consumers.intake.pending_bounds import PendingBounds
from consumers.intake.requests import IntakeReceipt, IntakeRequest, check_request
from consumers.processes.supervisor import Supervisor, spawn

__all__ = ["IntakeFactory", "IntakeHealth", "IntakeProcess"]

#: Larger requests are sent to the child after those that are waiting and not larger, and in parts of this size, so that
#: a small one waits for one part at most.
PART_BYTES: Final = 256 * 1024
#: The number of the order to end, which is the last message.
_LAST: Final = 2**62
_DIED: Final = "the intake process died; send the request again"
_logger = structlog.get_logger("meterfold.intake")


class IntakeHealth(msgspec.Struct, frozen=True):
    """State of the child: its process id (None while it is not running), restarts so far, requests in flight."""

    pid: int | None
    restarts: int
    in_flight: int


class _Outgoing(NamedTuple):
    """A message to the child, in the order of sending; without a request the order to end."""

    is_large: bool
    number: int
    request: IntakeRequest | None
    sent_bytes: int = 0

    def next_call(self) -> tuple[Call, _Outgoing | None]:
        """The next call to send, and what is left to send after it."""
        request = self.request
        if request is None or not isinstance(request.body, bytes):
            return Call(self.number, request), None
        end = self.sent_bytes + PART_BYTES
        part = request.body[self.sent_bytes : end]
        if end < len(request.body):
            return Call(self.number, part=part), self._replace(sent_bytes=end)
        return Call(self.number, msgspec.structs.replace(request, body=part)), None


class IntakeProcess:
    """Parent side of the intake process: an `Intake` whose work is done by a child process."""

    def __init__(self, factory: IntakeFactory, options: IntakeOptions) -> None:
        """Start the child, which calls `factory` (picklable) for its intake and the function that closes its log.

        Of `options` only the bounds on pending requests are used here, for the requests in flight.
        """
        self._factory = factory
        self._changed = threading.Condition()  # guards what follows
        self._bounds = PendingBounds(options)
        self._in_flight: dict[int, tuple[Future[IntakeReceipt], IntakeRequest]] = {}
        self._number = 0
        self._closing = False
        self._connection: Connection | None = None
        self._outgoing: queue.PriorityQueue[_Outgoing] = queue.PriorityQueue()  # bounded, as requests in flight are
        self._child = Supervisor("intake", self._start_child, self._read_replies, lambda process: self._order_end())
        self._writer = threading.Thread(target=self._write, name="intake-writer", daemon=True)
        self._writer.start()

    def health(self) -> IntakeHealth:
        """Return the state of the child."""
        state = self._child.state()
        return IntakeHealth(state.pid, state.restarts, len(self._in_flight))

    def submit(self, request: IntakeRequest) -> Future[IntakeReceipt]:
        """Send a request to the child. See `Intake.submit`."""
        check_request(request)
        future: Future[IntakeReceipt] = Future()
        future.set_running_or_notify_cancel()
        with self._changed:
            if self._closing:
                raise IntakeUnavailable("the intake is closed")
            self._bounds.add(request)
            self._number += 1
            self._in_flight[self._number] = future, request
            self._outgoing.put(_Outgoing(request.size_bytes > PART_BYTES, self._number, request))
        return future

    def close(self) -> None:
        """Take no more requests, let the child finish those in flight, and end it. A second call does nothing."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._child.stop(CLOSE_SECONDS_MAX)
        self._order_end()  # ends the writer where there was no child to be told
        self._writer.join(CLOSE_SECONDS_MAX)
        self._fail_in_flight()

    def _order_end(self) -> None:
        self._outgoing.put(_Outgoing(True, _LAST, None))

    def _start_child(self) -> BaseProcess:
        try:
            parent_end, child_end = Pipe()
            process = spawn("intake", run_child, child_end, self._factory)
        except OSError:
            self._fail_in_flight()  # nobody would answer what came since the last child
            raise
        child_end.close()
        with self._changed:
            self._connection = parent_end
            self._changed.notify_all()
        return process

    def _write(self) -> None:
        """Send requests to the child, except those that a dead child has lost before they were sent."""
        while True:
            outgoing = self._outgoing.get()
            connection = self._connection_to_child()
            if connection is not None and (outgoing.request is None or outgoing.number in self._in_flight):
                call, rest = outgoing.next_call()
                with suppress(OSError):  # the child is dead: its end fails everything in flight
                    connection.send_bytes(msgspec.msgpack.encode(call))
                if rest is not None:
                    self._outgoing.put(rest)
            if outgoing.request is None:
                return

    def _connection_to_child(self) -> Connection | None:
        """Wait for a running child; return None when there is none and the intake is closing."""
        with self._changed:
            self._changed.wait_for(lambda: self._connection is not None or self._closing)
            return self._connection

    def _read_replies(self, process: BaseProcess) -> None:
        """Complete requests with the replies of a child until it ends, and then fail those that it has left."""
        connection = self._connection
        with suppress(EOFError, OSError):
            while connection is not None:
                reply = msgspec.msgpack.decode(connection.recv_bytes(), type=Reply)
                self._complete(reply.number, reply.outcome)
        lost = self._fail_in_flight()
        if lost:
            _logger.warning("requests_lost", pid=process.pid, requests=lost)

    def _fail_in_flight(self) -> int:
        with self._changed:
            # Dropped, not closed: the writer may be about to send, and the number of a closed file is soon another's.
            self._connection = None
            lost = list(self._in_flight)
        for number in lost:
            self._complete(number, IntakeUnavailable(_DIED))
        return len(lost)

    def _complete(self, number: int, outcome: IntakeReceipt | Exception) -> None:
        with self._changed:
            future, request = self._in_flight.pop(number, (None, None))
            if future is None or request is None:
                return
            self._bounds.remove(request.key, request.size_bytes)
        if isinstance(outcome, IntakeReceipt):
            future.set_result(outcome)
        else:
            future.set_exception(outcome)
