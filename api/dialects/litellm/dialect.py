"""The LiteLLM dialect: its routes below the root, its error shapes and its own OpenAPI document."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from api.dialects.litellm.access_refusal import refuse_as_litellm
from api.dialects.litellm.error_shapes import Refusal, answer_refusal, rendered_problem
from api.dialects.litellm.request_reading import BODY_MODELS
from api.dialects.litellm.routes import budgets, customers, health, logs, spend_logs
from api.dialects.litellm.routes import customer_list as listing
from api.dialects.litellm.routes import daily_activity as activity
from api.http.state import ApiState
from projections.views.budget_state import Access

#: Path prefixes below which errors have LiteLLM's shapes.
PREFIXES: Final = ("/customer", "/end_user", "/user", "/budget", "/spend", "/litellm")
OPENAPI_PATH: Final = "/litellm/openapi.json"
_COMPONENTS: Final = "#/components/schemas/{model}"
_KEY: Final = {
    "APIKeyHeader": {"type": "apiKey", "in": "header", "name": "x-litellm-api-key", "description": "Bearer sk-..."}
}
_DESCRIPTION: Final = """\
The customer management of LiteLLM, served at the engine's root. A key may also be sent as `Authorization: Bearer`,
`x-api-key`, `API-Key`, `x-goog-api-key` or `Ocp-Apim-Subscription-Key`."""


_OF_CUSTOMERS: Final = (
    customers.customer_routes,
    customers.blocking_routes,
    listing.listing_routes,
    activity.activity_routes,
)


def _router() -> APIRouter:
    router = APIRouter()
    for prefix in ("/customer", "/end_user"):
        for routes in _OF_CUSTOMERS:
            router.include_router(routes(prefix))
    router.include_router(customers.blocking_routes("/user"))
    router.include_router(budgets.router)
    for part in (spend_logs.router, logs.router, health.router):
        router.include_router(part)
    return router


ROUTER: Final = _router()


def install_litellm(app: FastAPI, state: ApiState) -> None:
    """Add the dialect to the application. Its routes are not part of the native OpenAPI document."""
    for prefix in PREFIXES:
        state.problem_renderers.register(prefix, rendered_problem)

    def refuse_access(access: Access, model: str | None) -> None:
        refuse_as_litellm(access, model, state.engine.settings.litellm_over_budget_status)

    state.dialects.register("litellm", refuse_access)
    app.add_exception_handler(Refusal, answer_refusal)
    app.include_router(ROUTER, include_in_schema=False)
    app.add_api_route(OPENAPI_PATH, _openapi, methods=["GET"], include_in_schema=False)


async def _openapi() -> dict[str, Any]:
    return openapi_document()


@cache
def openapi_document() -> dict[str, Any]:
    """Build the OpenAPI document of the dialect, of plain JSON values."""
    document = get_openapi(
        title="Meterfold for clients of LiteLLM",
        version="1",
        openapi_version="3.1.0",
        description=_DESCRIPTION,
        routes=ROUTER.routes,
    )
    models = [(model, "validation") for model in BODY_MODELS.values()]
    _, found = models_json_schema(models, ref_template=_COMPONENTS)  # type: ignore[arg-type]
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(found["$defs"])
    components["securitySchemes"] = _KEY
    document["security"] = [{"APIKeyHeader": []}]
    plain: dict[str, Any] = json.loads(json.dumps(document))
    return plain
