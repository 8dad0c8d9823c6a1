"""The OpenAPI 3.1 document of the native API: what FastAPI derives from the routes, completed.

1. Add the schemas of request bodies, of problems and of usage events, which routes do not declare.
2. Give every operation the problem document as its error response.
3. List every customer route a second time, with the customer in the query.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Final

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from api.http.bodies import body_models
from api.http.middleware.raw_paths import BY_PATH, BY_QUERY
from api.http.openapi import COMPONENTS, VERSION, model_schemas
from api.http.problem_document import ProblemDocument
from api.http.problems import PROBLEM_MEDIA_TYPE
from domain.usage.event_model import usage_event_json_schema

DESCRIPTION: Final = """\
Meterfold meters usage: report every request as an event, then ask what a customer has used in the current period and
in past ones, and whether the customer may make further requests.

- Keys: `Authorization: Bearer sk-...` or `X-API-Key: sk-...`; scopes admin, ingest, read.
- Money is decimal text in US dollars, instants are RFC 3339 in UTC, intervals are half-open [from, to).
- Every answer that shows usage names the log `position` that it is true for. `min_position` waits until a position is
  counted; `as_of` answers as of an earlier position or instant.
- Ids may contain any character: percent-encode them once (`%2F` inside an id is data). Every path below
  `/v1/customers/{customer_id}` also exists below `/v1/customer` with `?customer=<id>`.
- Errors are `application/problem+json` with a stable `type`, which is also the path of a page that explains it.
"""
TAGS: Final = (
    ("events", "Usage events: ingest, list, explain, void."),
    ("customers", "Customers: profile, own budget, lifecycle, history."),
    ("usage", "Usage in the current period, in past periods and over any time; budget state and access."),
    ("meters", "Built-in and custom meters."),
    ("budgets", "Shared budgets (tiers), which customers refer to by id."),
    ("prices", "List prices and own prices of models."),
    ("keys", "API keys."),
    ("operations", "Operation of the engine, for an operator."),
    ("health", "Liveness, readiness and metrics."),
)
_PATH_PARAMETER: Final = "/{customer_id}"


def openapi_document(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """Build the whole document of the native routes, of plain JSON values."""
    document = get_openapi(
        title="Meterfold API",
        version=VERSION,
        openapi_version="3.1.0",
        description=DESCRIPTION,
        routes=routes,
        tags=[{"name": name, "description": text} for name, text in TAGS],
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update({**model_schemas([*body_models(routes), ProblemDocument]), **_usage_event_schemas()})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for operations in document["paths"].values():
        for operation in operations.values():
            _complete(operation)
    document["paths"] |= _addresses_by_query(document["paths"])
    return document


def _usage_event_schemas() -> dict[str, Any]:
    """The published schema of usage events, with its definitions as components."""
    whole = json.loads(json.dumps(usage_event_json_schema()).replace("#/$defs/", COMPONENTS))
    definitions: dict[str, Any] = whole.pop("$defs", {})
    whole.pop("$schema", None)
    whole.pop("$id", None)
    return {**definitions, "UsageEvent": whole}


def _complete(operation: dict[str, Any]) -> None:
    """Give an operation the problem document as its error response, in place of FastAPI's 422."""
    responses = operation.setdefault("responses", {})
    if PROBLEM_MEDIA_TYPE not in responses.get("422", {}).get("content", {}):
        responses.pop("422", None)
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    responses["default"] = {"description": "A problem.", "content": {PROBLEM_MEDIA_TYPE: {"schema": schema}}}


def _addresses_by_query(paths: dict[str, Any]) -> dict[str, Any]:
    """Every customer path once more, with the customer in the query."""
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
