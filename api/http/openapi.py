"""The OpenAPI 3.1 document: what FastAPI finds in the routes, and what it cannot know."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.http.bodies import BODY_MODELS
from api.http.middleware.raw_paths import BY_PATH, BY_QUERY
from api.http.problem_document import ProblemDocument
from api.http.problems import PROBLEM_MEDIA_TYPE
from domain.usage.event_model import usage_event_json_schema

VERSION: Final = "1"
DESCRIPTION: Final = """\
Meterfold meters usage: report every request as an event, and ask what a customer has used in this period and in past
ones, and whether it may go on.

- Keys: `Authorization: Bearer sk-...` or `X-API-Key: sk-...`; scopes admin, ingest, read.
- Money is decimal text in US dollars, instants are RFC 3339 in UTC, intervals are half-open [from, to).
- Every answer that shows usage names the log `position` it is true for. `min_position` waits until a position is
  counted; `as_of` asks for what was known at a position or an instant.
- Ids may hold anything: percent-encode them once (`%2F` inside an id is data). Every address below
  `/v1/customers/{customer_id}` also exists below `/v1/customer` with `?customer=<id>`.
- Errors are `application/problem+json` with a stable `type`, which is also the address of a page about it.
"""
TAGS: Final = (
    ("events", "Usage events: report them, look at them, void them."),
    ("customers", "Who uses it: profile, budget, lifecycle."),
    ("usage", "What was used, in this period, in past ones, and whether one may go on."),
    ("meters", "What is measured beside the built-in meters."),
    ("budgets", "Shared budgets (tiers) that customers name by id."),
    ("prices", "What models cost."),
    ("keys", "API keys."),
    ("operations", "Of one engine: for those who run it."),
    ("health", "Is it alive, and does it keep up?"),
)
_COMPONENTS: Final = "#/components/schemas/"
_PATH_PARAMETER: Final = "/{customer_id}"


def install_openapi(app: FastAPI) -> None:
    """Let `app` publish the document, made once."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = openapi_document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """The whole document, of plain JSON values."""
    document = get_openapi(
        title="Meterfold API",
        version=VERSION,
        openapi_version="3.1.0",
        description=DESCRIPTION,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in TAGS],
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(_schemas())
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for operations in document["paths"].values():
        for operation in operations.values():
            _complete(operation)
    document["paths"] |= _addresses_by_query(document["paths"])
    return document


def _schemas() -> dict[str, Any]:
    models: list[type[BaseModel]] = [*BODY_MODELS.values(), ProblemDocument]
    _, found = models_json_schema([(model, "validation") for model in models], ref_template=_COMPONENTS + "{model}")
    return {**found["$defs"], **_usage_event_schemas()}


def _usage_event_schemas() -> dict[str, Any]:
    """The published schema of events, its definitions as components."""
    whole = json.loads(json.dumps(usage_event_json_schema()).replace("#/$defs/", _COMPONENTS))
    definitions: dict[str, Any] = whole.pop("$defs", {})
    whole.pop("$schema", None)
    whole.pop("$id", None)
    return {**definitions, "UsageEvent": whole}


def _complete(operation: dict[str, Any]) -> None:
    """Errors of every operation are problems."""
    responses = operation.setdefault("responses", {})
    responses.pop("422", None)
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    responses["default"] = {"description": "A problem.", "content": {PROBLEM_MEDIA_TYPE: {"schema": schema}}}


def _addresses_by_query(paths: dict[str, Any]) -> dict[str, Any]:
    """Every customer address once more, with the customer in the query."""
    prefix = BY_PATH + _PATH_PARAMETER
    return {
        BY_QUERY + path.removeprefix(prefix): {method: _by_query(operation) for method, operation in operations.items()}
        for path, operations in paths.items()
        if path == prefix or path.startswith(prefix + "/")
    }


def _by_query(operation: dict[str, Any]) -> dict[str, Any]:
    copied = deepcopy(operation)
    copied["operationId"] += "_by_query"
    for parameter in copied["parameters"]:
        if parameter["name"] == "customer_id":
            parameter |= {"name": "customer", "in": "query"}
    return copied
