"""Bodies of logs, split and converted to usage events in short steps, in turns with other bodies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from api.http.problems import Problem
from consumers.intake.options import SLICE_BYTES_MAX, SLICE_EVENTS_MAX
from domain.errors import InvalidInput
from domain.usage.request_bodies import BodyFormat, items_in_steps

T = TypeVar("T")


class LogBody(Generic[T]):
    """One body: `convert` takes the steps one by one, in a thread. `events` are complete when it has ended."""

    def __init__(self, body: bytes, items_max: int, event_of: Callable[[bytes], T]) -> None:
        """`body` has no byte order mark. `event_of` converts one payload and raises nothing."""
        self.events: list[T] = []
        self._event_of = event_of
        self.is_one_payload = False
        self._body = body
        self._items_max = items_max

    async def convert(self, turns: asyncio.Lock) -> None:
        """Split and convert, each step while holding `turns`. `Problem` 413 for a body of too many payloads."""
        steps = self._steps()
        try:
            while True:
                async with turns:
                    if await asyncio.to_thread(next, steps, self) is self:
                        return
        except InvalidInput as error:
            raise Problem("body_too_large", f"{error.field} {error.rule}") from None

    def _steps(self) -> Iterator[None]:
        payloads = yield from items_in_steps(BodyFormat.ONE_OR_BATCH, self._body, self._items_max)
        self.is_one_payload = payloads == [self._body]
        if self.is_one_payload and _has_lines(self._body):
            payloads = yield from items_in_steps(BodyFormat.LINES, self._body, self._items_max)
            self.is_one_payload = False
        size = 0
        for number, payload in enumerate(payloads, 1):
            self.events.append(self._event_of(payload))
            size += len(payload)
            if number % SLICE_EVENTS_MAX == 0 or size >= SLICE_BYTES_MAX:
                yield
                size = 0


def _has_lines(body: bytes) -> bool:
    """Whether a body that is no array has an object on each line, and is not one object that spans lines."""
    if body.lstrip().startswith(b"["):
        return False
    first, has_more, rest = body.lstrip().partition(b"\n")
    if not has_more or not rest.strip():
        return False
    return first.rstrip().endswith(b"}") or (first.startswith(b"{") and b"\n{" in b"\n" + rest)
