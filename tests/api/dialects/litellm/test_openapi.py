"""The dialect's OpenAPI document agrees with what LiteLLM 1.109.1 publishes for the same operations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine_fixtures import Api, JsonObject

PUBLISHED = [
    json.loads(line) for line in Path(__file__).with_name("published_operations.jsonl").read_text().splitlines()
]


@pytest.fixture(scope="module")
def document(api: Api) -> Any:
    return api.get("/litellm/openapi.json")


def resolved(document: Any, schema: JsonObject) -> JsonObject:
    if "$ref" in schema:
        found: JsonObject = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found
    items: JsonObject = schema.get("items", schema)
    return resolved(document, items) if items is not schema else schema


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda one: one["path"])
def test_an_operation_is_published_as_by_litellm(document: Any, published: JsonObject) -> None:
    operation = document["paths"][published["path"]][published["method"]]
    assert operation["operationId"] == published["operation"]
    query = {one["name"] for one in operation.get("parameters", [])}
    assert set(published["query"]) <= query
    if published["body"]:
        body = resolved(document, operation["requestBody"]["content"]["application/json"]["schema"])
        assert set(published["body"]) <= set(body["properties"])
        assert body.get("required", []) == published["required"]
    answer = resolved(document, operation["responses"]["200"]["content"]["application/json"]["schema"])
    assert set(published["answer"]) <= set(answer.get("properties", {}))


def test_the_native_document_holds_nothing_of_it(api: Api) -> None:
    native = api.get("/openapi.json")["paths"]
    assert [path for path in native if not path.startswith(("/v1", "/healthz", "/readyz", "/metrics"))] == []


def test_every_reference_leads_somewhere(document: Any) -> None:
    text = json.dumps(document)
    names = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= document["components"]["schemas"].keys()
    assert "#/$defs/" not in text
