"""LiteLLM's own OpenAPI document (release 1.109.1), limited to what a customer's life needs, made from its facts.

A line of `litellm_document.jsonl` is the scheme of its keys, an operation, or a schema. Types are written so:

| written | type |
|---|---|
| string, number, integer, boolean, object, any, null | what JSON Schema means by it; an object may have any members |
| date, date-time | a string of that format |
| 'a' 'b' | one of these strings |
| [T] | a list of T |
| {T} | an object whose members are T |
| T \\| U | one of both |
| Name | the schema of that name |
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

JsonObject = dict[str, Any]

FACTS: Final = Path(__file__).with_suffix(".jsonl")
_FORMATS: Final = ("date", "date-time")
_PLAIN: Final = ("string", "number", "integer", "boolean", "null")
_TEXTS: Final = re.compile(r"'([^']+)'")


def published_document() -> JsonObject:
    """The document, ready for a generator of clients."""
    facts = [json.loads(line) for line in FACTS.read_text().splitlines()]
    paths: dict[str, JsonObject] = {}
    for one in facts:
        if "operation" in one:
            paths.setdefault(one["path"], {})[one["method"]] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {"title": "LiteLLM", "version": "1.109.1"},
        "paths": paths,
        "components": {
            "securitySchemes": {
                one["key"]: {"type": "apiKey", "in": "header", "name": one["header"]} for one in facts if "key" in one
            },
            "schemas": {one["schema"]: _object(one) for one in facts if "schema" in one},
        },
    }


def key_header() -> str:
    """The header in which the document's clients send their key."""
    (scheme,) = published_document()["components"]["securitySchemes"].values()
    header: str = scheme["name"]
    return header


def _operation(facts: JsonObject) -> JsonObject:
    operation: JsonObject = {
        "tags": [facts["tag"]],
        "operationId": facts["operation"],
        "security": [{facts["secured_by"]: []}],
        "responses": {
            status: {"description": "", "content": _json(written)} for status, written in facts["answers"].items()
        },
    }
    if "query" in facts:
        operation["parameters"] = [
            {"name": name, "in": "query", "required": name in facts.get("required", ()), "schema": schema}
            for name, schema in _members(facts["query"], facts)
        ]
    if "body" in facts:
        operation["requestBody"] = {"required": True, "content": _json(facts["body"])}
    return operation


def _object(facts: JsonObject) -> JsonObject:
    return {
        "type": "object",
        "title": facts["schema"],
        "properties": dict(_members(facts["properties"], facts)),
        "required": facts.get("required", []),
    }


def _members(written: dict[str, str], facts: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """Members with their titles, which generators name things by; what is a schema of its own has its own title."""
    defaults, titles = facts.get("defaults", {}), facts.get("titles", {})
    for name, text in written.items():
        schema = type_of(text)
        if not any("$ref" in one for one in (schema, *schema.get("anyOf", ()))):
            schema["title"] = titles.get(name, name.replace("_", " ").title())
        if name in defaults:
            schema["default"] = defaults[name]
        yield name, schema


def type_of(text: str) -> JsonObject:
    """The schema of a type as it is written in the facts."""
    if text.startswith("[") and text.endswith("]"):
        return {"type": "array", "items": type_of(text[1:-1])}
    if text.startswith("{") and text.endswith("}"):
        return {"type": "object", "additionalProperties": type_of(text[1:-1])}
    if " | " in text:
        return {"anyOf": [type_of(one) for one in text.split(" | ")]}
    if text in _FORMATS:
        return {"type": "string", "format": text}
    if text in _PLAIN:
        return {"type": text}
    if text == "object":
        return {"type": "object", "additionalProperties": True}
    if text == "any":
        return {}
    if text.startswith("'"):
        return {"type": "string", "enum": _TEXTS.findall(text)}
    return {"$ref": f"#/components/schemas/{text}"}


def _json(text: str) -> JsonObject:
    return {"application/json": {"schema": type_of(text)}}
