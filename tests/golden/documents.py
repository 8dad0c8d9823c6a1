"""The contract of the API: OpenAPI documents and the schema of events, without descriptions and summaries."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from tests.golden.asking import answers_of
from tests.golden.fixtures import Question

DOCUMENTS = ("/openapi.json", "/litellm/openapi.json", "/schemas/usage-event.json")
#: Members that are explanations for people and no part of the contract.
TEXTS = ("description", "summary")


def documents_of(app: FastAPI) -> dict[str, str]:
    """Every document that the application serves, by its path."""
    asked = [Question(path, path, None) for path in DOCUMENTS]
    return {path: answer.body for path, answer in zip(DOCUMENTS, answers_of(app, asked, {}), strict=True)}


def contract(value: Any) -> Any:
    """A document without its texts, and without the order of members, parameters and required properties.

    A property or parameter named "description" or "summary" stays.
    """
    if isinstance(value, list):
        return [contract(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {name: member for name, member in value.items() if not (name in TEXTS and isinstance(member, str))}
    if "openapi" in kept:
        kept.pop("info", None)
    return {
        name: contract(_by_name(kept[name]) if name in ("parameters", "required") else kept[name])
        for name in sorted(kept)
    }


def _by_name(value: Any) -> Any:
    """Parameters, or the names of required properties, by name; anything else as it is."""
    if not isinstance(value, list):
        return value
    return {one if isinstance(one, str) else f"{one['in']} {one['name']}": one for one in value}
