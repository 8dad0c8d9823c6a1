"""Queries as LiteLLM's framework reads them, and as it publishes them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import BaseModel
from starlette.requests import Request

from api.http.bodies import validated
from api.http.reading import AS_OF_HEADERS

M = TypeVar("M", bound=BaseModel)


def query_of(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """Make the dependency that reads the query as `model`; of a repeated parameter the last value counts."""

    async def read(request: Request) -> M:
        return checked_query(model, dict(request.query_params))

    return read


def checked_query(model: type[M], given: dict[str, str]) -> M:
    """Validate the parameters of a query; `InvalidValues` when they break a rule."""
    return validated(model, given, "query")


def query_openapi(model: type[BaseModel]) -> dict[str, Any]:
    """Make the `openapi_extra` of a route that reads its query by `query_of`, and can be asked as of earlier."""
    schema = model.model_json_schema()
    required = schema.get("required", [])
    return {
        "parameters": [
            *(
                {"name": name, "in": "query", "required": name in required, "schema": member}
                for name, member in schema["properties"].items()
            ),
            *AS_OF_HEADERS,
        ]
    }
