"""Request bodies: size limits, exact JSON, validation by a pydantic model, and their schemas for OpenAPI.

A body is read only after the key was checked. A bad one is a problem, which the dialect of the path renders.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.routing import BaseRoute

from api.http.problems import Problem
from api.http.state import state_of
from domain.usage.request_bodies import without_byte_order_mark
from domain.values.json_numbers import exact_json, not_json_reason, usable_json

JSON: Final = ("application/json",)
MERGE_PATCH: Final = ("application/merge-patch+json", "application/json")
RESOURCE_BYTES_MAX: Final = 256 * 1024
#: How much of an oversized body is read and discarded, so that the client comes to read the answer.
DISCARDED_BYTES_MAX: Final = 256 * 1024 * 1024

M = TypeVar("M", bound=BaseModel)

_NOT_OBJECT: Final = "model_attributes_type"
_NOT_OBJECT_TEXT: Final = "Input should be a valid dictionary or object to extract fields from"
#: The engine's own words for rules that pydantic names otherwise.
_RULES: Final = {
    "extra_forbidden": "is not known here",
    "missing": "is required",
    _NOT_OBJECT: "must be a JSON object",
}
#: What pydantic puts before the text of a rule of ours.
_OWN_RULE: Final = "Value error, "
#: The model that each dependency made by `body_of` reads.
_MODELS: Final[dict[Any, type[BaseModel]]] = {}


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


class NotJson(Problem):
    """A body that is not JSON, with the body, in which a dialect may look for the place."""

    def __init__(self, body: bytes, reason: str) -> None:
        super().__init__("json_invalid", f"the body is not JSON: {reason[:200]}")
        self.body = body


class InvalidValues(Problem):
    """Values that break rules of a pydantic model.

    `found` has pydantic's `type`, `loc` and `msg` of each. `loc` begins with `body`, `query`, `path` or `header`, which
    is not part of the name that the native API shows.
    """

    def __init__(self, found: Sequence[Mapping[str, Any]]) -> None:
        self.found = found
        errors = tuple((_field_path(error["loc"][1:]), _rule(error)) for error in found)
        field, rule = errors[0]
        detail = "; ".join(f"{field} {rule}" for field, rule in errors[:20])
        super().__init__("invalid", detail, field=field, rule=rule, errors=errors[:100])


def _field_path(location: tuple[Any, ...]) -> str:
    return ".".join(str(part)[:200] for part in location) or "body"


def _rule(error: Mapping[str, Any]) -> str:
    message = str(error["msg"]).removeprefix(_OWN_RULE)
    return _RULES.get(error["type"]) or message[0].lower() + message[1:]


def decoded_json(body: bytes, any_number: bool = False) -> Any:
    """Decode JSON, with fractional numbers as exact Decimals; `NotJson` when the body is not JSON.

    A number of more than a thousand digits is an `UnusableNumber`, which no rule accepts. With `any_number`, for the
    data of events, it is a Decimal as well, which nothing may convert to `int`. A byte order mark is left out.
    """
    decode = exact_json if any_number else usable_json
    try:
        return decode(without_byte_order_mark(body))
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise NotJson(body, not_json_reason(error, body)) from None


def validated(model: type[M], value: Any, where: str = "body") -> M:
    """Validate `value`, read from the part `where` of a request, as the model.

    `InvalidValues` names every value that breaks a rule.
    """
    if not isinstance(value, dict):
        raise InvalidValues([{"type": _NOT_OBJECT, "loc": (where,), "msg": _NOT_OBJECT_TEXT}])
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidValues([{**one, "loc": (where, *one["loc"])} for one in found]) from None


def body_of(
    model: type[M],
    media_types: tuple[str, ...] | None = None,
    required: bool = True,
    any_number: bool = False,
) -> Callable[[Request], Awaitable[M]]:
    """Make the dependency that reads a body as `model`. `media_types` None: those of the dialect of the path.
    `any_number`: as in `decoded_json`.

    Declare it after the dependency of the key, and publish the body by `body_openapi` in the route.
    """

    async def read(request: Request) -> M:
        if not required and not (body := await bounded_body(request, RESOURCE_BYTES_MAX)):
            return model()
        accepted = state_of(request).dialects.of(request.scope["path"]).media_types
        if media_types is not None:
            accepted = media_types
        if accepted and media_type_of(request) not in accepted:
            raise Problem("media_type_unsupported", f"Content-Type must be one of {', '.join(accepted)}")
        if required:
            body = await bounded_body(request, RESOURCE_BYTES_MAX)
        return validated(model, decoded_json(body, any_number))

    _MODELS[read] = model
    return read


def body_models(routes: Sequence[BaseRoute]) -> list[type[BaseModel]]:
    """The models that these routes read their bodies as, for the components of an OpenAPI document."""
    found: dict[type[BaseModel], None] = {}
    for route in iter_route_contexts(routes):
        dependant = getattr(route, "dependant", None)
        for dependency in dependant.dependencies if dependant else ():
            if dependency.call in _MODELS:
                found[_MODELS[dependency.call]] = None
    return list(found)


def body_openapi(model: type[BaseModel], media_types: tuple[str, ...] = JSON, required: bool = True) -> dict[str, Any]:
    """Make the `openapi_extra` of a route that reads its body by `body_of`."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": required, "content": {media: {"schema": schema} for media in media_types}}}
