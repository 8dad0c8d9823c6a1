"""Queue of pending requests: bounded in number and bytes, taken in groups."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future

import msgspec

from consumers.errors import IntakeFull, IntakeUnavailable
from consumers.intake.options import IntakeOptions
from consumers.intake.requests import IntakeReceipt, IntakeRequest
from domain.errors import InvalidInput
from domain.usage.block_schema import BLOCK_EVENTS_MAX
from domain.usage.request_bodies import format_of, items_of


class PendingRequest(msgspec.Struct):
    """A request, the future of its receipt, and, once it was taken from the queue, the items of its body."""

    request: IntakeRequest
    future: Future[IntakeReceipt]
    items: list[bytes]


class IntakeQueue:
    """First in, first out. Any number of threads may call `put`, one thread calls `take_group`."""

    def __init__(self, options: IntakeOptions) -> None:
        self._options = options
        self._changed = threading.Condition()
        self._waiting: deque[PendingRequest] = deque()
        self._waiting_bytes = 0
        self._next: PendingRequest | None = None  # already split, and too large for the previous group
        self._closed = False

    def put(self, request: IntakeRequest) -> Future[IntakeReceipt]:
        """Queue a request. Raises `IntakeFull` when the bounds are reached, `IntakeUnavailable` after `close`."""
        size = request.size_bytes
        if size > self._options.pending_bytes_max:
            raise InvalidInput("body", f"must be at most {self._options.pending_bytes_max} bytes", "body_too_large")
        future: Future[IntakeReceipt] = Future()
        with self._changed:
            if self._closed:
                raise IntakeUnavailable("the intake is closed")
            if len(self._waiting) >= self._options.pending_requests_max:
                raise IntakeFull(f"{len(self._waiting)} requests are waiting")
            if self._waiting_bytes + size > self._options.pending_bytes_max:
                raise IntakeFull(f"{self._waiting_bytes} bytes are waiting")
            self._waiting.append(PendingRequest(request, future, []))
            self._waiting_bytes += size
            self._changed.notify()
        return future

    def take_group(self) -> list[PendingRequest] | None:
        """Wait for requests and take the group that shares the next append, split into items.

        A group has at most `group_events_max` events and `group_bytes_max` bytes, or it is one larger request.
        Return None when the queue is closed and empty.
        """
        group: list[PendingRequest] = []
        events = size = 0
        while True:
            waiting = self._next or self._pop(wait=not group)
            self._next = None
            if waiting is None:
                return group or None
            if not waiting.items and not _split(waiting):
                continue
            events += len(waiting.items)
            size += waiting.request.size_bytes
            if group and (events > self._options.group_events_max or size > self._options.group_bytes_max):
                self._next = waiting
                return group
            group.append(waiting)

    def close(self) -> None:
        """Accept no more requests; those in the queue are still handed out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _pop(self, wait: bool) -> PendingRequest | None:
        with self._changed:
            while wait and not self._waiting and not self._closed:
                self._changed.wait()
            if not self._waiting:
                return None
            waiting = self._waiting.popleft()
            self._waiting_bytes -= waiting.request.size_bytes
            return waiting


def _split(waiting: PendingRequest) -> bool:
    """Split a body into items; return False when the request was cancelled, or is refused as a whole."""
    if not waiting.future.set_running_or_notify_cancel():
        return False
    try:
        body = waiting.request.body
        waiting.items = (
            items_of(format_of(waiting.request.content_type), body) if isinstance(body, bytes) else list(body)
        )
    except Exception as error:
        waiting.future.set_exception(error)
        return False
    if waiting.request.atomic and len(waiting.items) > BLOCK_EVENTS_MAX:
        rule = f"must be at most {BLOCK_EVENTS_MAX} events when the request is atomic"
        waiting.future.set_exception(InvalidInput("body", rule, "batch_too_large"))
        return False
    return True
