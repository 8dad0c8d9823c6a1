"""OpenAPI documents of dialects: what FastAPI derives from their routes, with bodies and keys added."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute

from api.http.bodies import body_models

VERSION: Final = "1"
COMPONENTS: Final = "#/components/schemas/"
#: The status of invalid requests that FastAPI adds to operations by itself.
_DERIVED_STATUS: Final = "422"
#: The security scheme of a dialect whose keys are read by `bearer_key`.
BEARER: Final[Mapping[str, Any]] = {"bearer": {"type": "http", "scheme": "bearer"}}


def dialect_document(
    title: str, description: str, routes: Sequence[BaseRoute], keys: Mapping[str, Any] = BEARER
) -> dict[str, Any]:
    """Build the document of a dialect, of plain JSON values. `keys`: its security schemes; each of them is enough."""
    document = get_openapi(
        title=title, version=VERSION, openapi_version="3.1.0", description=description, routes=routes
    )
    for operations in document["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)  # that of the native API
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(model_schemas(body_models(routes)))
    components["securitySchemes"] = keys
    document["security"] = [{name: []} for name in keys]
    plain: dict[str, Any] = json.loads(json.dumps(document))
    return plain


def with_errors(
    document: dict[str, Any], statuses: Iterable[int], models: Sequence[type[BaseModel]], error: Callable[[int], Any]
) -> dict[str, Any]:
    """Describe the errors of every operation of a document in place, and return it.

    `error` returns the response with a status; `models` are the bodies that these refer to.
    """
    document["components"]["schemas"] |= model_schemas(models)
    described = {str(status): error(status) for status in statuses}
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].pop(_DERIVED_STATUS, None)
            operation["responses"] |= described
    return document


def model_schemas(models: Sequence[type[BaseModel]]) -> dict[str, Any]:
    """The schemas of these models, and of all that they consist of, by name."""
    _, found = models_json_schema([(model, "validation") for model in models], ref_template=COMPONENTS + "{model}")
    schemas: dict[str, Any] = found.get("$defs", {})
    return schemas
