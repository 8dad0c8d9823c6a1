"""OpenAPI documents of dialects: what FastAPI derives from their routes, with bodies and keys added."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute

from api.http.bodies import body_models

VERSION: Final = "1"
COMPONENTS: Final = "#/components/schemas/"
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


def model_schemas(models: Sequence[type[BaseModel]]) -> dict[str, Any]:
    """The schemas of these models, and of all that they consist of, by name."""
    _, found = models_json_schema([(model, "validation") for model in models], ref_template=COMPONENTS + "{model}")
    schemas: dict[str, Any] = found.get("$defs", {})
    return schemas
