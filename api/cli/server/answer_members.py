"""The members of the rows of a list, as the engine's OpenAPI document describes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def row_members(openapi: Mapping[str, Any], path: str) -> list[str]:
    """Return the members of one row of the list at `path`, dotted into nested objects.

    An object whose names are not in the document, such as metadata, is one member.
    """
    answer = openapi["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    page = _resolved(openapi, answer)
    return list(_members(openapi, _resolved(openapi, page["properties"]["data"])["items"]))


def _members(openapi: Mapping[str, Any], schema: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, inner in _resolved(openapi, schema)["properties"].items():
        resolved = _resolved(openapi, inner)
        if resolved.get("properties"):
            yield from _members(openapi, resolved, f"{prefix}{name}.")
        else:
            yield prefix + name


def _resolved(openapi: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema with references followed, and without the alternative null."""
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) == 1:
        return _resolved(openapi, options[0])
    if "$ref" in schema:
        return _resolved(openapi, openapi["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]])
    return schema
