"""Reading of bodies and queries as LiteLLM's framework does, with errors in its words."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from api.dialects.litellm.error_shapes import Refusal, validation_refusal
from api.http.bodies import RESOURCE_BYTES_MAX, bounded_body, decoded_json
from api.http.problems import Problem

M = TypeVar("M", bound=BaseModel)

#: Models of request bodies by name, for the components of the dialect's OpenAPI document.
BODY_MODELS: dict[str, type[BaseModel]] = {}
#: pydantic's errors for decimals, which money is read as here, to those for floats, which LiteLLM answers.
_AS_FLOATS: Final = {
    "decimal_parsing": ("float_parsing", "Input should be a valid number, unable to parse string as a number"),
    "decimal_type": ("float_type", "Input should be a valid number"),
}
_NO_OBJECT: Final = "Input should be a valid dictionary or object to extract fields from"


def body_of(model: type[M], bytes_max: int = RESOURCE_BYTES_MAX) -> Callable[[Request], Awaitable[M]]:
    """Make the dependency that reads a body as `model`, whatever its Content-Type.

    Declare it after the dependency of the key.
    """
    BODY_MODELS[model.__name__] = model

    async def read(request: Request) -> M:
        value = json_body(await bounded_body(request, bytes_max))
        if not isinstance(value, dict):
            raise validation_refusal([("model_attributes_type", ["body"], _NO_OBJECT)])
        try:
            return model.model_validate(value)
        except ValidationError as failed:
            raise _refusal(failed, "body") from None

    return read


def json_body(body: bytes) -> Any:
    """Decode a JSON body, with fractional numbers as Decimals; `Refusal` 422 when it is empty or not JSON."""
    if not body.strip():
        raise validation_refusal([("missing", ["body"], "Field required")])
    try:
        return decoded_json(body)
    except Problem:
        raise validation_refusal([("json_invalid", ["body", _broken_at(body)], "JSON decode error")]) from None


def _broken_at(body: bytes) -> int:
    """The index of the first character that is not JSON; 0 for invalid UTF-8 and for too deep nesting."""
    try:
        json.loads(body)
    except json.JSONDecodeError as failed:
        return failed.pos
    except (ValueError, RecursionError):
        pass
    return 0


def query_of(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """Make the dependency that reads the query as `model`; of a repeated parameter the last value counts."""

    async def read(request: Request) -> M:
        return checked_query(model, dict(request.query_params))

    return read


def checked_query(model: type[M], given: dict[str, str]) -> M:
    """Validate the parameters of a query; `Refusal` 422 when they break a rule."""
    try:
        return model.model_validate(given)
    except ValidationError as failed:
        raise _refusal(failed, "query") from None


def body_openapi(model: type[BaseModel]) -> dict[str, Any]:
    """Make the `openapi_extra` of a route that reads its body by `body_of`."""
    BODY_MODELS[model.__name__] = model
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def query_openapi(model: type[BaseModel]) -> dict[str, Any]:
    """Make the `openapi_extra` of a route that reads its query by `query_of`."""
    schema = model.model_json_schema()
    required = schema.get("required", [])
    return {
        "parameters": [
            {"name": name, "in": "query", "required": name in required, "schema": member}
            for name, member in schema["properties"].items()
        ]
    }


def _refusal(failed: ValidationError, where: str) -> Refusal:
    errors = failed.errors(include_url=False, include_context=False, include_input=False)
    return validation_refusal(list(_breaches(errors, where)))


def _breaches(errors: Sequence[Any], where: str) -> Iterator[tuple[str, Sequence[str | int], str]]:
    for one in errors:
        kind, message = _AS_FLOATS.get(one["type"], (one["type"], one["msg"]))
        yield kind, [where, *one["loc"]], message
