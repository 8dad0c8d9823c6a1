"""Requests as Lago reads them: bodies wrapped in an object of one member, and lenient numbers in queries.

Everything is read only after the key was checked: a route declares its key before its body.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request

from api.dialects.lago.error_shapes import param_missing
from api.http.bodies import RESOURCE_BYTES_MAX, bounded_body, decoded_json, validated
from api.http.openapi import COMPONENTS

M = TypeVar("M", bound=BaseModel)

#: The models of all wrapped bodies, for the OpenAPI document.
BODY_MODELS: Final[list[type[BaseModel]]] = []


class Input(BaseModel):
    """The base of what a request says of one resource: unknown members are ignored.

    `sent` tells an absent member, which stays as it is, from null, which clears it.
    """

    model_config = ConfigDict(extra="ignore")

    @property
    def sent(self) -> dict[str, Any]:
        """The members that were sent, null ones too."""
        return self.model_dump(exclude_unset=True)


def wrapped_body(name: str, model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """Make the dependency that reads a body `{name: {...}}` as the model.

    400 without that object, or with an empty one; 422 with every value in it that breaks a rule.
    """

    async def read(request: Request) -> M:
        body = await bounded_body(request, RESOURCE_BYTES_MAX)
        given = decoded_json(body) if body.strip() else None
        inner = given.get(name) if isinstance(given, dict) else None
        if not isinstance(inner, dict) or not inner:
            raise param_missing(name)
        return validated(model, inner)

    return read


def wrapped_openapi(name: str, model: type[BaseModel]) -> dict[str, Any]:
    """Make the `openapi_extra` of a route that reads its body by `wrapped_body`."""
    if model not in BODY_MODELS:
        BODY_MODELS.append(model)
    inner = {"$ref": COMPONENTS + model.__name__}
    schema = {"type": "object", "required": [name], "properties": {name: inner}}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
