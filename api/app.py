"""The HTTP application over one engine: native API, dialects, middleware, error handlers, OpenAPI documents."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from api.dialects.litellm.dialect import install_litellm
from api.http import documentation_pages
from api.http.error_mapping import install_error_handlers, problem_response
from api.http.metrics import HttpMetrics
from api.http.middleware.access_log import AccessLogMiddleware
from api.http.middleware.head_requests import HeadMiddleware
from api.http.middleware.raw_paths import RawPathMiddleware
from api.http.openapi import install_openapi
from api.http.problems import Problem, ProblemRenderers
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
    documentation_pages.router,
)
_EVERY_METHOD: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
#: The base URLs for clients of other products, as the problem `prefix_missing` lists them.
PREFIXES: Final = (
    "clients of LiteLLM use the root, of Lago /lago/, of Respan /respan, of PromptShuttle /promptshuttle/api/v1; "
    "the native API is below /v1"
)
_COMPLETIONS: Final = ("/chat/completions", "/v1/chat/completions", "/v1/completions", "/completions", "/v1/responses")


def create_app(engine: Engine) -> FastAPI:
    """Create the application over an engine, which the caller opens and closes.

    A dialect registers its rendering of errors with `app.state.meterfold.problem_renderers`.
    """
    app = FastAPI(title="Meterfold API", docs_url=None, redoc_url=None, redirect_slashes=False)
    http_metrics, problem_renderers = HttpMetrics(engine), ProblemRenderers()
    state = app.state.meterfold = ApiState(engine, http_metrics, problem_renderers)
    # The middleware added last is the outermost.
    app.add_middleware(RawPathMiddleware, problem_renderers=problem_renderers)
    app.add_middleware(AccessLogMiddleware, metrics=http_metrics)
    app.add_middleware(HeadMiddleware)
    install_error_handlers(app)
    for router in ROUTERS:
        app.include_router(router)
    install_litellm(app, state)
    for path in _COMPLETIONS:
        app.add_api_route(path, _no_gateway, methods=_EVERY_METHOD, include_in_schema=False)
    app.add_api_route("/api/v1/{rest:path}", _prefix_missing, methods=_EVERY_METHOD, include_in_schema=False)
    app.add_api_route("/api/v1", _prefix_missing, methods=_EVERY_METHOD, include_in_schema=False)
    app.add_api_route("/", _welcome, methods=["GET"], include_in_schema=False)
    install_openapi(app)
    return app


async def _no_gateway(request: Request) -> Response:
    return problem_response(request, Problem("no_gateway", "this is no gateway: send usage to POST /v1/events"))


async def _prefix_missing(request: Request) -> Response:
    return problem_response(request, Problem("prefix_missing", PREFIXES))


async def _welcome() -> dict[str, str]:
    """Point to the documentation."""
    return {"name": "Meterfold", "docs": "/docs", "openapi": "/openapi.json", "ready": "/readyz"}
