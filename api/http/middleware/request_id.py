"""An id for every request: in all its log messages, and in its answer.

1. Take the id of `X-Request-Id` if a client or proxy sent a plain one, otherwise make one.
2. Bind it to the context of the request, and the trace id of `traceparent` if there is one; authentication adds tenant,
   environment and client.
3. Answer with it in `X-Request-Id`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER: Final = "X-Request-Id"
MADE_BYTES: Final = 16
_PLAIN: Final = re.compile(r"[A-Za-z0-9._~:/+=@-]{1,128}")
#: Version 00 of the W3C recommendation "Trace Context"; later versions begin with the same fields.
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")


class RequestIdMiddleware:
    """Names every request. `randomness` returns so many random bytes, for the ids that it makes."""

    def __init__(self, app: ASGIApp, randomness: Callable[[int], bytes]) -> None:
        self._app = app
        self._randomness = randomness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(HEADER, "")
        request_id = given if _PLAIN.fullmatch(given) else self._randomness(MADE_BYTES).hex()
        traced = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
        # Never unbound: a server handles each request in a task, whose context ends with it, and an unexpected error
        # is logged outside of this middleware.
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id, **({"trace_id": traced[1]} if traced else {}))

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        await self._app(scope, receive, sending)


def add_request_id(response: Response) -> None:
    """Set the header on a response that does not pass through the middleware: that to an unexpected error."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    if request_id is not None:
        response.headers[HEADER] = request_id
