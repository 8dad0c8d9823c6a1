"""Queue of pending requests: bounded, split into items step by step, handed out in slices, fairly by key.

Every key has its turn, and every request of a key has its turn: one slice of at most `SLICE_EVENTS_MAX` items and
`SLICE_BYTES_MAX` bytes. Those that come new have their first turn before others have a further one, up to
`FIRST_TURNS_MAX` in a row. Requests without a key are taken in the order in which they came.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum
from typing import Final, Generic, TypeVar

import msgspec

from consumers.errors import IntakeUnavailable
from consumers.intake.options import SLICE_BYTES_MAX, SLICE_EVENTS_MAX, WHOLE_BYTES_MAX, IntakeOptions
from consumers.intake.pending_bounds import PendingBounds
from consumers.intake.requests import IntakeReceipt, IntakeRequest, Piece
from domain.errors import InvalidInput
from domain.usage.block_schema import BLOCK_EVENTS_MAX
from domain.usage.request_bodies import Splitting, format_of, items_in_steps

#: How often a request that has to wait for the fold is looked at again.
PACING_SECONDS: Final = 0.002

FIRST_TURNS_MAX: Final = 8
#: Steps of splitting a body in one turn; a body that is one step needs two.
SPLITTING_STEPS: Final = 2


class _NoTurn(Enum):
    NO_TURN = "no turn"


NO_TURN: Final = _NoTurn.NO_TURN

T = TypeVar("T")


class PendingRequest(msgspec.Struct, eq=False):
    """A request, the future of its receipt, and how far it is.

    The body is dropped when it is split, and `splitting` is None then. Items before `taken` have been handed out.
    `pieces` are in the log. `warnings` counts events by member and advice.
    """

    request: IntakeRequest
    future: Future[IntakeReceipt]
    size_bytes: int
    splitting: Splitting | None = None
    started: bool = False
    items: list[bytes] = []
    taken: int = 0
    pieces: list[Piece] = []
    rejected: int = 0
    warnings: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)

    @property
    def is_split(self) -> bool:
        """Whether the items are known."""
        return self.started and self.splitting is None

    @property
    def is_taken(self) -> bool:
        """Whether every item was handed out."""
        return self.taken == len(self.items)

    @property
    def is_large(self) -> bool:
        """Whether the request takes more than one slice."""
        return len(self.items) > SLICE_EVENTS_MAX or self.size_bytes > WHOLE_BYTES_MAX


class ItemSlice(msgspec.Struct, frozen=True, eq=False):
    """Consecutive items of one request, from the item with the number `first` on."""

    pending: PendingRequest
    items: list[bytes]
    size_bytes: int
    first: int = 0


class _Turns(Generic[T]):
    """What waits for its turn: first turns go before further ones, but not more than `FIRST_TURNS_MAX` in a row."""

    def __init__(self, in_order: bool = False) -> None:
        """`in_order`: whoever has begun goes on."""
        self.first: deque[T] = deque()
        self.further: deque[T] = deque()
        self._in_a_row_max = 0 if in_order else FIRST_TURNS_MAX
        self._in_a_row = 0

    def __bool__(self) -> bool:
        return bool(self.first or self.further)

    def any(self, may: Callable[[T], bool]) -> bool:
        """Whether one of them may have its turn."""
        return any(map(may, self.first)) or any(map(may, self.further))

    def take(self, may: Callable[[T], bool]) -> T | _NoTurn:
        """Remove the next one that may have its turn; `NO_TURN` if there is none."""
        is_due = self._in_a_row >= self._in_a_row_max
        for waiting in (self.further, self.first) if is_due else (self.first, self.further):
            for index, one in enumerate(waiting):
                if may(one):
                    del waiting[index]
                    self._in_a_row = self._in_a_row + 1 if waiting is self.first else 0
                    return one
        return NO_TURN


class IntakeQueue:
    """Any number of threads may call `put`, one thread calls `take` and `give_back`.

    `must_wait` says of a request whether it must wait for the fold.
    """

    def __init__(
        self, options: IntakeOptions, must_wait: Callable[[PendingRequest], bool] = lambda pending: False
    ) -> None:
        self._options = options
        self._must_wait = must_wait
        self._changed = threading.Condition()
        self._bounds = PendingBounds(options)
        self._keys: _Turns[str | None] = _Turns()
        self._requests: dict[str | None, _Turns[PendingRequest]] = {}
        self._closed = False

    def put(self, request: IntakeRequest) -> Future[IntakeReceipt]:
        """Queue a request. Raises `IntakeFull` when the bounds are reached, `IntakeUnavailable` after `close`."""
        future: Future[IntakeReceipt] = Future()
        with self._changed:
            if self._closed:
                raise IntakeUnavailable("the intake is closed")
            self._bounds.add(request)
            if request.key not in self._requests:
                self._requests[request.key] = _Turns(in_order=request.key is None)
                self._keys.first.append(request.key)
            self._requests[request.key].first.append(PendingRequest(request, future, request.size_bytes))
            self._changed.notify()
        return future

    def take(self, room_events: int, room_bytes: int, first: bool) -> ItemSlice | None:
        """Take the next slice of at most so many items and bytes; return None if nothing may be taken now.

        `first` of a group: wait for a slice, which has at least one item whatever its size, and return None only when
        the queue is closed and empty. Only large requests are cut; another request that has no room stays.
        """
        while (pending := self._next(wait=first)) is not None:
            if pending.future.done() or not self._advanced(pending):
                self._drop(pending)
            elif not pending.is_split:
                self._give_back(pending)
                if not first:
                    return None  # what is in the group need not wait until this body is split
            elif self._must_wait(pending):
                self._give_back(pending)
            elif (found := _slice(pending, room_events, room_bytes, first)) is None:
                self._give_back(pending, to_front=True)
                return None
            else:
                if pending.is_taken:
                    self._drop(pending)
                else:
                    self._give_back(pending)
                return found
        return None

    def close(self) -> None:
        """Accept no more requests; those in the queue are still handed out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _next(self, wait: bool) -> PendingRequest | None:
        with self._changed:
            while True:
                found = self._next_that_may()
                if found is not None or not wait or (self._closed and not self._requests):
                    return found
                self._changed.wait(PACING_SECONDS if self._requests else None)

    def _next_that_may(self) -> PendingRequest | None:
        key = self._keys.take(lambda key: self._requests[key].any(self._may))
        if key is NO_TURN:
            return None
        requests = self._requests[key]
        pending = requests.take(self._may)
        if requests:
            self._keys.further.append(key)
        else:
            del self._requests[key]
        return None if pending is NO_TURN else pending

    def _may(self, pending: PendingRequest) -> bool:
        return not pending.is_split or not self._must_wait(pending)

    def _give_back(self, pending: PendingRequest, to_front: bool = False) -> None:
        key = pending.request.key
        with self._changed:
            if key not in self._requests:
                self._requests[key] = _Turns(in_order=key is None)
                self._keys.further.append(key)
            further = self._requests[key].further
            if to_front:
                further.appendleft(pending)
            else:
                further.append(pending)

    def _drop(self, pending: PendingRequest) -> None:
        with self._changed:
            self._bounds.remove(pending.request.key, pending.size_bytes)

    def _advanced(self, pending: PendingRequest) -> bool:
        """Split some more of a body; return False when the request was cancelled, or is refused as a whole."""
        if not pending.started:
            pending.started = True
            if not pending.future.set_running_or_notify_cancel():
                return False
            if isinstance(pending.request.body, bytes):
                form = format_of(pending.request.content_type)
                pending.splitting = items_in_steps(form, pending.request.body, self._options.request_items_max)
            else:
                pending.items = list(pending.request.body)
            pending.request = msgspec.structs.replace(pending.request, body=b"")
        try:
            for _ in range(SPLITTING_STEPS):
                if pending.splitting is not None:
                    next(pending.splitting)
        except StopIteration as end:
            pending.items, pending.splitting = end.value, None
        except Exception as error:
            pending.future.set_exception(error)
            return False
        return self._is_acceptable(pending)

    def _is_acceptable(self, pending: PendingRequest) -> bool:
        bound = BLOCK_EVENTS_MAX if pending.request.atomic else self._options.request_items_max
        if len(pending.items) <= bound:
            return True
        rule = f"must have at most {bound} items"
        if pending.request.atomic:
            rule = f"must be at most {bound} events when the request is atomic"
        code = "batch_too_large" if pending.request.atomic else "too_many_items"
        pending.future.set_exception(InvalidInput("body", rule, code))
        return False


def _slice(pending: PendingRequest, room_events: int, room_bytes: int, first: bool) -> ItemSlice | None:
    """Take a slice off a request that is split; None if there is no room for it."""
    items = pending.items
    if not pending.is_large or pending.request.atomic:
        size = pending.size_bytes
        if not first and (len(items) > room_events or size > room_bytes):
            return None
        pending.taken = len(items)
        return ItemSlice(pending, items, size)
    start, end, size = pending.taken, pending.taken, 0
    last = min(len(items), start + min(SLICE_EVENTS_MAX, room_events))
    while end < last and (size + len(items[end]) <= min(SLICE_BYTES_MAX, room_bytes) or (first and end == start)):
        size += len(items[end])
        end += 1
    if end == start:
        return None
    pending.taken = end
    return ItemSlice(pending, items[start:end], size, start)
