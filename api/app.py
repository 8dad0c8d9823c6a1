"""The HTTP application over one engine."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from api.dialects.litellm.dialect import install_litellm
from api.http import pages
from api.http.error_mapping import install_failures, rendered
from api.http.metrics import HttpMetrics
from api.http.middleware.access_log import AccessLogMiddleware
from api.http.middleware.head_requests import HeadMiddleware
from api.http.middleware.raw_paths import RawPathMiddleware
from api.http.openapi import install_openapi
from api.http.problems import Problem, ProblemShapes
from api.http.state import ApiState
from api.native.routes import (
    budgets,
    customers,
    events,
    health,
    intake,
    keys,
    meters,
    metrics,
    operations,
    prices,
    sources,
    usage,
)
from consumers.engine import Engine

ROUTERS: Final = (
    intake.router,
    events.router,
    customers.router,
    usage.router,
    meters.router,
    budgets.router,
    prices.router,
    keys.router,
    sources.router,
    operations.router,
    health.router,
    metrics.router,
    pages.router,
)
_EVERY_METHOD: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
#: Where clients of other products find their base URL.
PREFIXES: Final = (
    "clients of LiteLLM use the root, of Lago /lago/, of Respan /respan, of PromptShuttle /promptshuttle/api/v1; "
    "the native API is below /v1"
)
_COMPLETIONS: Final = ("/chat/completions", "/v1/chat/completions", "/v1/completions", "/completions", "/v1/responses")


def create_app(engine: Engine) -> FastAPI:
    """The application; it neither starts nor closes the engine. Dialects register their shape of errors with
    `app.state.meterfold.shapes`."""
    app = FastAPI(title="Meterfold API", docs_url=None, redoc_url=None, redirect_slashes=False)
    metrics_kept, shapes = HttpMetrics(engine), ProblemShapes()
    app.state.meterfold = ApiState(engine, metrics_kept, shapes)
    # Added last is outermost.
    app.add_middleware(RawPathMiddleware, shapes=shapes)
    app.add_middleware(AccessLogMiddleware, metrics=metrics_kept)
    app.add_middleware(HeadMiddleware)
    install_failures(app)
    for router in ROUTERS:
        app.include_router(router)
    install_litellm(app, shapes)
    for path in _COMPLETIONS:
        app.add_api_route(path, _no_gateway, methods=_EVERY_METHOD, include_in_schema=False)
    app.add_api_route("/api/v1/{rest:path}", _prefix_missing, methods=_EVERY_METHOD, include_in_schema=False)
    app.add_api_route("/api/v1", _prefix_missing, methods=_EVERY_METHOD, include_in_schema=False)
    app.add_api_route("/", _welcome, methods=["GET"], include_in_schema=False)
    install_openapi(app)
    return app


async def _no_gateway(request: Request) -> Response:
    return rendered(request, Problem("no_gateway", "this is no gateway: report usage to POST /v1/events"))


async def _prefix_missing(request: Request) -> Response:
    return rendered(request, Problem("prefix_missing", PREFIXES))


async def _welcome() -> dict[str, str]:
    """Where to go from here."""
    return {"name": "Meterfold", "docs": "/docs", "openapi": "/openapi.json", "ready": "/readyz"}
