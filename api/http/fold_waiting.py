"""Waiting until a log position is folded, with one thread for all waiting requests."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count
from typing import Final

from anyio import CapacityLimiter, to_thread

from consumers.engine import Engine

#: The longest single wait on the engine. A request that waits for a far position may delay the others by so much.
LOOK_SECONDS_MAX: Final = 0.02


class FoldWaiter:
    """Lets any number of requests wait for positions; one thread watches the lowest position waited for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._tickets = count()
        self._watch: asyncio.Task[None] | None = None
        self._limiter: CapacityLimiter | None = None

    async def folded(self, position: int, timeout_seconds: float | None = None) -> bool:
        """Wait for `position`; return whether it was folded in time (default: setting `write_wait_seconds_max`)."""
        if timeout_seconds is None:
            timeout_seconds = self._engine.settings.http_write_wait_seconds_max
        done = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (position, next(self._tickets), done))
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._watching())
        try:
            await asyncio.wait_for(done, timeout_seconds)
        except TimeoutError:
            return False
        return True

    async def _watching(self) -> None:
        self._limiter = self._limiter or CapacityLimiter(1)
        while self._drop_done():
            lowest = self._waiting[0][0]
            try:
                folded = await to_thread.run_sync(
                    self._engine.wait_folded, lowest, LOOK_SECONDS_MAX, limiter=self._limiter
                )
            except Exception as error:
                self._fail(error)
                return
            if folded:
                self._release(max(lowest, self._engine.folded_position()))

    def _drop_done(self) -> bool:
        while self._waiting and self._waiting[0][2].done():
            heapq.heappop(self._waiting)
        return bool(self._waiting)

    def _release(self, position: int) -> None:
        while self._waiting and self._waiting[0][0] <= position:
            _, _, done = heapq.heappop(self._waiting)
            if not done.done():
                done.set_result(None)

    def _fail(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, []
        for _, _, done in waiting:
            if not done.done():
                done.set_exception(error)
