"""Access log and request metrics: route, key id, status and duration of every request.

Request id, tenant, environment and client stand in the context of the request, as in all its other messages.
"""

from __future__ import annotations

from time import perf_counter
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.metrics.metrics import Metrics
from api.http.middleware.logged_paths import logged_path

NO_ROUTE: Final = "(none)"
#: Polled by machines all the time: logged at debug level.
QUIET_ROUTES: Final = frozenset({"/healthz", "/readyz", "/metrics"})

_logger = structlog.get_logger("meterfold.http")


class AccessLogMiddleware:
    """Logs and counts every request. Headers, query and body are never logged, as they may hold secrets.

    Nor is the part of a path that is one (`logged_paths.py`).
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            self._note(scope, status, perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path_format", None) or NO_ROUTE
        key_id = scope.get("state", {}).get("key_id")
        self._metrics.request_answered(scope["method"], route, status, seconds, identified=key_id is not None)
        note = _logger.debug if route in QUIET_ROUTES else _logger.info
        note(
            "request",
            method=scope["method"],
            route=route,
            path=logged_path(scope["path"]),
            status=status,
            milliseconds=round(seconds * 1000, 3),
            key_id=key_id,
        )
