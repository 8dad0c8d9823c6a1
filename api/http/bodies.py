"""Request bodies: size limits, exact JSON, validation by a pydantic model, and their schemas for OpenAPI.

A body is read only after the key was checked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import msgspec
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from api.http.problems import Problem
from domain.values.json_numbers import exact_json

JSON: Final = ("application/json",)
MERGE_PATCH: Final = ("application/merge-patch+json", "application/json")
RESOURCE_BYTES_MAX: Final = 256 * 1024
#: How much of an oversized body is read and discarded, so that the client comes to read the answer.
DISCARDED_BYTES_MAX: Final = 256 * 1024 * 1024

M = TypeVar("M", bound=BaseModel)

#: Models of request bodies by name, for the components of the OpenAPI document.
BODY_MODELS: dict[str, type[BaseModel]] = {}


async def bounded_body(request: Request, bytes_max: int) -> bytes:
    """Read the whole body; `Problem` 413 when it is longer than `bytes_max`, 415 when it is compressed."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise Problem(
            "media_type_unsupported", f"Content-Encoding {encoding[:50]!r} is not supported; send it unencoded"
        )
    too_large = Problem(
        "body_too_large", f"the body must have at most {bytes_max} bytes", headers={"Connection": "close"}
    )
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > bytes_max and "expect" in request.headers:
        raise too_large  # a client with Expect: 100-continue has not sent the body yet
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size <= bytes_max:
            parts.append(part)
            continue
        # Read on and discard: many clients read the answer only after they have sent everything.
        parts.clear()
        if size > bytes_max + DISCARDED_BYTES_MAX:
            break
    if size > bytes_max:
        raise too_large
    return b"".join(parts)


def media_type_of(request: Request) -> str:
    """The media type of the Content-Type header in lower case, without parameters; empty when there is none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def decoded_json(body: bytes) -> Any:
    """Decode JSON, with fractional numbers as exact Decimals; `Problem` 400 when the body is not JSON."""
    try:
        return exact_json(body)
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise Problem("json_invalid", f"the body is not JSON: {str(error)[:200]}") from None


def validated(model: type[M], value: Any) -> M:
    """Validate `value` as the model; `Problem` 422 names every field and the rule it breaks."""
    if not isinstance(value, dict):
        raise Problem.invalid("body", "must be a JSON object")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise validation_problem(error.errors(include_url=False, include_context=False, include_input=False)) from None


def validation_problem(errors: Any, skip: int = 0) -> Problem:
    """Make one `Problem` 422 of pydantic's errors. The first `skip` parts of each location are left out."""
    found = tuple((_field_path(error["loc"][skip:]), _rule(error)) for error in errors)
    field, rule = found[0]
    detail = "; ".join(f"{field} {rule}" for field, rule in found[:20])
    return Problem("invalid", detail, field=field, rule=rule, errors=found[:100])


def _field_path(location: tuple[Any, ...]) -> str:
    return ".".join(str(part)[:200] for part in location) or "body"


def _rule(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "is not known here"
    if error["type"] == "missing":
        return "is required"
    message = str(error["msg"])
    return message[0].lower() + message[1:]


def body_of(
    model: type[M], media_types: tuple[str, ...] = JSON, required: bool = True
) -> Callable[[Request], Awaitable[M]]:
    """Make the dependency that reads a body as `model`.

    Declare it after the dependency of the key, and publish the body by `body_openapi` in the route.
    """
    BODY_MODELS[model.__name__] = model

    async def read(request: Request) -> M:
        if not required and not (body := await bounded_body(request, RESOURCE_BYTES_MAX)):
            return model()
        media_type = media_type_of(request)
        if media_type not in media_types:
            raise Problem("media_type_unsupported", f"Content-Type must be one of {', '.join(media_types)}")
        if required:
            body = await bounded_body(request, RESOURCE_BYTES_MAX)
        return validated(model, decoded_json(body))

    return read


def body_openapi(model: type[BaseModel], media_types: tuple[str, ...] = JSON, required: bool = True) -> dict[str, Any]:
    """Make the `openapi_extra` of a route that reads its body by `body_of`."""
    BODY_MODELS[model.__name__] = model
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": required, "content": {media: {"schema": schema} for media in media_types}}}


def json_bytes(value: Any) -> bytes:
    """Encode a value as JSON."""
    return msgspec.json.encode(value)
