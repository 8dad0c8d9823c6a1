"""Answers of a store that was made of a range of a log: each names the range, and nothing can be changed."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.dialect import Dialects
from api.http.problems import Problem
from consumers.engine import LogRange

RANGE_HEADER: Final = b"meterfold-log-range"
_READING: Final = ("GET", "HEAD", "OPTIONS")


class LogRangeMiddleware:
    """Adds `Meterfold-Log-Range: FIRST-LAST` to every answer, and refuses every request that is no read."""

    def __init__(self, app: ASGIApp, dialects: Dialects, log_range: LogRange) -> None:
        self._app = app
        self._dialects = dialects
        self._refusal = Problem("read_only", f"it holds {log_range.text}. Send this to the engine itself")
        self._header = (RANGE_HEADER, f"{log_range.first}-{log_range.end - 1}".encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], self._header]}
            await send(message)

        if scope["method"] in _READING:
            await self._app(scope, receive, sending)
        else:
            await self._dialects.render(self._refusal, scope["path"])(scope, receive, sending)
