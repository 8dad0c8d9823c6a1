"""Graceful shutdown: running requests are finished, new ones are answered 503."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.dialect import Dialects
from api.http.problems import Problem

#: How much of a refused body is read, and for how long, so that the client comes to read the answer.
REFUSED_BODY_BYTES_MAX: Final = 8 * 1024 * 1024
REFUSED_BODY_SECONDS_MAX: Final = 1.0
#: About the time that a replacing process needs to start.
RETRY_AFTER_SECONDS: Final = 5
_LOOK_SECONDS: Final = 0.02


class ShutdownGate:
    """Wraps the application. `close` may be called from a signal handler, everything else from the event loop only."""

    def __init__(self, app: ASGIApp, dialects: Dialects) -> None:
        self._app = app
        self._dialects = dialects
        self._closed = False
        self._inside = 0

    def close(self) -> None:
        """Refuse every request from now on."""
        self._closed = True

    async def emptied(self, seconds_max: float) -> bool:
        """Wait until the running requests have ended; return False when that takes longer than `seconds_max`."""
        deadline = asyncio.get_running_loop().time() + seconds_max
        while self._inside and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
        return self._inside == 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._closed:
            await self._refuse(scope, receive, send)
            return
        self._inside += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside -= 1

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(TimeoutError):  # answer all the same
            await asyncio.wait_for(_read_through(receive), REFUSED_BODY_SECONDS_MAX)
        problem = Problem(
            "stopping",
            "the engine is shutting down; nothing of this request was received",
            headers={"Retry-After": str(RETRY_AFTER_SECONDS), "Connection": "close"},
        )
        await self._dialects.render(problem, scope["path"])(scope, receive, send)


async def _read_through(receive: Receive) -> None:
    read = 0
    while read <= REFUSED_BODY_BYTES_MAX:
        message = await receive()
        read += len(message.get("body", b""))
        if not message.get("more_body", False):
            return
