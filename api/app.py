"""The HTTP application over one engine: dialects, the native API first, with middleware, error handlers and pages."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.dialects.lago.dialect import LAGO
from api.dialects.litellm.dialect import LITELLM
from api.dialects.promptshuttle.dialect import PROMPTSHUTTLE
from api.dialects.respan.dialect import RESPAN
from api.http import documentation_pages
from api.http.dialect import Dialect, Dialects
from api.http.error_mapping import install_error_handlers, problem_response
from api.http.metrics.metrics import Metrics
from api.http.middleware.access_log import AccessLogMiddleware
from api.http.middleware.head_requests import HeadMiddleware
from api.http.middleware.log_range import LogRangeMiddleware
from api.http.middleware.raw_paths import RawPathMiddleware
from api.http.middleware.request_id import RequestIdMiddleware
from api.http.problems import Problem
from api.http.state import ApiState, state_of
from api.native.dialect import NATIVE
from api.portal import routes as portal
from api.portal.messages import PORTAL
from consumers.engine import Engine

_EVERY_METHOD: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_COMPLETIONS: Final = ("/chat/completions", "/v1/chat/completions", "/v1/completions", "/completions", "/v1/responses")


def create_app(
    engine: Engine,
    dialects: Sequence[Dialect] = (LAGO, LITELLM, PROMPTSHUTTLE, RESPAN),
    randomness: Callable[[int], bytes] = os.urandom,
    monotonic: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """Create the application over an engine, which the caller opens and closes.

    It serves the native API and these dialects. `randomness` returns so many random bytes, for ids of requests;
    `monotonic` the seconds of a clock that never runs backwards, for limits of requests.
    `ValueError` when two dialects have the same name or path.
    """
    app = FastAPI(title="Meterfold API", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    state = app.state.meterfold = ApiState(engine, Metrics(engine), Dialects(NATIVE, dialects, (PORTAL,)), monotonic)
    # The middleware added last is the outermost.
    app.add_middleware(RawPathMiddleware, dialects=state.dialects)
    app.add_middleware(AccessLogMiddleware, metrics=state.metrics)
    app.add_middleware(RequestIdMiddleware, randomness=randomness)
    app.add_middleware(HeadMiddleware)
    if engine.log_range is not None:
        app.add_middleware(LogRangeMiddleware, dialects=state.dialects, log_range=engine.log_range)
    install_error_handlers(app)
    for dialect in state.dialects:
        _install(app, dialect)
    app.router.routes.extend(documentation_pages.router.routes)
    app.router.routes.extend(portal.router.routes)
    for path in _COMPLETIONS:
        app.add_api_route(path, _no_gateway, methods=_EVERY_METHOD, include_in_schema=False)
    app.add_api_route("/api/v1/{rest:path}", _prefix_missing, methods=_EVERY_METHOD, include_in_schema=False)
    app.add_api_route("/api/v1", _prefix_missing, methods=_EVERY_METHOD, include_in_schema=False)
    return app


def _install(app: FastAPI, dialect: Dialect) -> None:
    """Add the routes of a dialect, and its OpenAPI document, which is built at the first request."""
    built = cache(dialect.openapi)

    def document() -> Response:
        return JSONResponse(built())

    app.router.routes.extend(dialect.router.routes)  # as they are: see `joined_router`
    app.add_api_route(dialect.openapi_path, document, methods=["GET"], include_in_schema=False)


async def _no_gateway(request: Request) -> Response:
    return problem_response(request, Problem("no_gateway", "this is no gateway: send usage to POST /v1/events"))


async def _prefix_missing(request: Request) -> Response:
    """Answer a client whose base URL lacks the prefix of its dialect."""
    native, *others = state_of(request).dialects
    bases = [f"of {one.title} use {one.base_path or 'the root'}" for one in others]
    clients = f"clients {', '.join(bases)}; " if bases else ""
    return problem_response(request, Problem("prefix_missing", f"{clients}the native API is below {native.base_path}"))
