"""Numbers that no field can mean: every route with a body answers them at once, and none fails."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
import pytest

from api.http.dialect import Dialect
from tests.engine_fixtures import Api
from tests.published_documents import DIALECTS, document_of

SECONDS_MAX: Final = 2.0
DEPTH_MAX: Final = 6
#: What each member of a body is, in turn. As integers, the first have a billion digits.
NUMBERS: Final = ("1e999999999", "-1e999999999", "1e-999999999", "1e99999999999999999999", "1e999", str(2**64))
#: Stands for each of them in a body.
NUMBER: Final = msgspec.Raw(b"0")
#: Texts that are not just any.
TEXTS: Final = {"interval": "monthly", "amount_currency": "USD", "currency": "USD", "charge_model": "standard"}


def members_of(schema: Mapping[str, Any], document: Mapping[str, Any], depth: int = 0) -> Any:
    """A body with every member of a schema; all numbers in it, and all of no type, are `NUMBER`."""
    if depth > DEPTH_MAX:
        return {}
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return members_of(document["components"]["schemas"][name], document, depth + 1)
    for one in ("anyOf", "oneOf", "allOf"):
        if one in schema:
            return members_of(schema[one][0], document, depth + 1)
    kinds = schema.get("type", "any")
    kind = kinds if isinstance(kinds, str) else next((one for one in ("number", "integer") if one in kinds), kinds[0])
    match kind:
        case "object" if "properties" in schema:
            return {
                name: TEXTS[name] if name in TEXTS else members_of(one, document, depth + 1)
                for name, one in schema["properties"].items()
            }
        case "object":
            of_members = schema.get("additionalProperties")
            return {"k": members_of(of_members if isinstance(of_members, dict) else {}, document, depth + 1)}
        case "array":
            return [members_of(schema.get("items", {}), document, depth + 1)]
        case "string":
            return schema.get("enum", ["2026-01-01T00:00:00Z" if schema.get("format") == "date-time" else "text"])[0]
        case "boolean":
            return False
        case _:
            return NUMBER


def with_number(body: Any, number: str) -> Any:
    match body:
        case dict():
            return {name: with_number(one, number) for name, one in body.items()}
        case list():
            return [with_number(one, number) for one in body]
        case _:
            return msgspec.Raw(number.encode()) if body is NUMBER else body


def has_number(body: Any) -> bool:
    return body is NUMBER or (
        isinstance(body, dict | list) and any(map(has_number, body.values() if isinstance(body, dict) else body))
    )


def bodies_of(dialect: Dialect) -> Iterator[Any]:
    document = document_of(dialect)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {})
            for media, described in list(content.items())[:1]:
                body = members_of(described["schema"], document)
                if has_number(body):
                    yield pytest.param(method, path, media, body, id=f"{method} {path}")


@pytest.mark.parametrize(
    ("method", "path", "media", "body"),
    [one for dialect in DIALECTS for one in bodies_of(dialect)],
)
def test_a_number_beyond_all_bounds_is_answered_at_once(
    api: Api, method: str, path: str, media: str, body: Any
) -> None:
    answers = {}
    for number in NUMBERS:
        began = time.perf_counter()
        answer = api.client.request(
            method,
            path,
            headers={"Authorization": f"Bearer {api.key}", "Content-Type": media},
            content=msgspec.json.encode(with_number(body, number)),
        )
        answers[number] = (answer.status_code, time.perf_counter() - began)
    assert [(number, one) for number, one in answers.items() if one[0] >= 500 or one[1] > SECONDS_MAX] == []
