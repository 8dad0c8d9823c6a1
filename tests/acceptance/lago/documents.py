"""Lago's OpenAPI documents of two eras, limited to what is served here, and made from their facts.

A line of a file is an operation or a schema, without any text for people. The older document (0.53.0-beta, OpenAPI
3.0.3) is for a generator of clients. Against the newer one (1.51.0, OpenAPI 3.1.0), whose schemas are JSON Schema,
answers are validated.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema_rs

JsonObject = dict[str, Any]

OLDER: Final = Path(__file__).with_name("document_2024.jsonl")
NEWER: Final = Path(__file__).with_name("document_2026.jsonl")
_VERSIONS: Final = {OLDER: "3.0.3", NEWER: "3.1.0"}
_PARAMETER: Final = re.compile(r"\\\{[^}]*\\\}")


@cache
def published_document(facts: Path) -> JsonObject:
    """The document of a file."""
    lines = [json.loads(line) for line in facts.read_text().splitlines()]
    paths: dict[str, JsonObject] = {}
    for one in lines:
        if "path" in one:
            paths.setdefault(one["path"], {})[one["method"]] = {
                name: value for name, value in one.items() if name not in ("path", "method")
            }
    return {
        "openapi": _VERSIONS[facts],
        "info": {"title": "Lago", "version": "1"},
        "security": [{"bearerAuth": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearerAuth": {"type": "http", "scheme": "bearer"}},
            "schemas": {one["schema"]: one["is"] for one in lines if "schema" in one},
        },
    }


def breaches(method: str, path: str, status: int, body: Any) -> list[str]:
    """What an answer breaks of the newer document; the path is one below the base URL."""
    operation = next(
        (
            operations[method.lower()]
            for template, operations in published_document(NEWER)["paths"].items()
            if re.fullmatch(_PARAMETER.sub("[^/]+", re.escape(template)), path) and method.lower() in operations
        ),
        None,
    )
    if operation is None:
        return [f"there is no {method} {path}"]
    answer = operation["responses"].get(str(status))
    if answer is None:
        return [f"{method} {path} has no answer {status}"]
    schema = answer["content"]["application/json"]["schema"]
    return [
        f"{error.instance_path}: {error.message[:200]}" for error in _validator(json.dumps(schema)).iter_errors(body)
    ]


@cache
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    whole = {**json.loads(schema), "components": published_document(NEWER)["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
