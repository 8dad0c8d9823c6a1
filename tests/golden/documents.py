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
    """A document without its texts. A property or parameter named "description" or "summary" stays."""
    if isinstance(value, list):
        return [contract(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {name: member for name, member in value.items() if not (name in TEXTS and isinstance(member, str))}
    if "openapi" in kept:
        kept.pop("info", None)
    return {name: contract(member) for name, member in kept.items()}
