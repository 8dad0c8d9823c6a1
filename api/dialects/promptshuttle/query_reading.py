"""Queries as ASP.NET reads them: names in any case, lists repeated as `tags=a&tags=b`, `tags[]=a` or `tags[0]=a`.

Empty text in a list is no value of it, so that a filter whose field was left empty filters nothing.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from pydantic import BaseModel
from starlette.requests import Request

from api.http.bodies import validated
from api.http.reading import AS_OF_HEADERS

M = TypeVar("M", bound=BaseModel)
_OF_LIST: Final = re.compile(r"\[[0-9]*\]$")


def query_of(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """Make the dependency that reads the query as `model`; of a repeated parameter that is no list the last counts."""
    properties = model.model_json_schema()["properties"]
    names = {name.lower(): name for name in properties}
    lists = {name for name, schema in properties.items() if schema.get("type") == "array"}

    async def read(request: Request) -> M:
        given: dict[str, Any] = {}
        for written, value in request.query_params.multi_items():
            name = names.get(_OF_LIST.sub("", written).lower())
            if name is None:
                continue
            if name in lists:
                given.setdefault(name, []).extend(filter(None, [value]))
            else:
                given[name] = value
        return validated(model, given, "query")

    return read


def query_openapi(model: type[BaseModel]) -> dict[str, Any]:
    """Make the `openapi_extra` of a route that reads its query by `query_of`, and can be asked as of earlier."""
    found = model.model_json_schema()["properties"].items()
    parameters = [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in found]
    return {"parameters": [*parameters, *AS_OF_HEADERS]}
