"""Errors in Lago's shapes, whatever goes wrong."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import BaseModel, field_validator
from pydantic_core import PydanticCustomError

from api.dialects.lago.error_shapes import invalid_fields, rendered_problem
from api.dialects.lago.paths import resource_of
from api.http.authentication import ScopeMissing
from api.http.bodies import InvalidValues, validated
from api.http.problems import PROBLEM_KINDS, Problem
from consumers.embedded.engine import EmbeddedEngine
from domain.scope import DEFAULT_SCOPE
from tests.api.dialects.lago.conftest import BASE, refusal_of
from tests.engine_fixtures import Api, key_for, llm_request

UNAUTHORIZED = {"status": 401, "error": "Unauthorized"}


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Bearer sk-unknown", "sk-unknown"])
def test_without_a_known_key_nothing_is_told(api: Api, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = api.client.get(f"{BASE}/customers/ada", headers=headers)
    assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED)


@pytest.mark.parametrize("words", ["Bearer {}", "Token {}", "bearer   {} and more"])
def test_the_key_is_the_second_word_of_the_header(api: Api, words: str) -> None:
    answer = api.client.get(f"{BASE}/customers/nobody", headers={"Authorization": words.format(api.key)})
    assert answer.status_code == 404


def test_a_key_that_may_not_read_is_told_what_it_may_not(api: Api, engine: EmbeddedEngine) -> None:
    sender = Api(api.client, key_for(engine, DEFAULT_SCOPE, "ingest"))
    assert refusal_of(sender, "GET", "/customers/ada") == (
        403,
        {"status": 403, "error": "Forbidden", "code": "read_action_not_allowed_for_customer"},
    )


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/customers", "customer"),
        ("/customers/a/b.c", "customer"),
        ("/customers/ada/current_usage", "customer_usage"),
        ("/customers/ada/past_usage", "customer_usage"),
        ("/customers/ada/applied_coupons", "applied_coupon"),
        ("/customers/ada/applied_coupons/1a90", "applied_coupon"),
        ("/applied_coupons", "applied_coupon"),
        ("/billable_metrics/calls", "billable_metric"),
        ("/taxes", "tax"),
        ("/events/batch", "event"),
        ("", "resource"),
    ],
)
def test_the_path_names_the_resource(path: str, resource: str) -> None:
    assert resource_of(BASE + path) == resource
    answer = rendered_problem(ScopeMissing("ingest", ("read",)), BASE + path)
    assert f'"write_action_not_allowed_for_{resource}"'.encode() in answer.body


def test_an_unknown_customer_is_named_as_such_and_an_unknown_path_is_a_resource(api: Api) -> None:
    missing = {"status": 404, "error": "Not Found"}
    assert refusal_of(api, "GET", "/customers/nobody") == (404, {**missing, "code": "customer_not_found"})
    assert refusal_of(api, "GET", "/wallets") == (404, {**missing, "code": "resource_not_found"})


def test_a_method_that_a_path_does_not_have_is_refused(api: Api) -> None:
    answer = api.send("PATCH", f"{BASE}/customers/ada", 405)
    assert "GET" in answer.headers["allow"].split(", ")
    assert answer.json() == {
        "status": 405,
        "error": "Method Not Allowed",
        "code": "method_not_allowed",
        "detail": answer.json()["detail"],
    }


class Ordered(BaseModel):
    code: str
    count: int = 1
    items: list[int] = []

    @field_validator("items")
    @classmethod
    def _few(cls, items: list[int]) -> list[int]:
        if len(items) > 1:
            raise PydanticCustomError("invalid_count", "too many")
        return items


def test_all_invalid_fields_are_told_at_once_with_lagos_codes() -> None:
    with pytest.raises(InvalidValues) as caught:
        validated(Ordered, {"count": "x", "items": [1, 2]})
    assert invalid_fields(caught.value) == {
        "code": ["value_is_mandatory"],
        "count": ["value_is_invalid"],
        "items": ["invalid_count"],
    }


def test_a_rule_of_the_engine_is_told_by_lagos_name_of_the_field() -> None:
    answer = rendered_problem(Problem.invalid("time_zone", "must be a time zone"), BASE)
    assert (answer.status_code, answer.body) == (
        422,
        b'{"status":422,"error":"Unprocessable Entity","code":"validation_errors",'
        b'"error_details":{"timezone":["value_is_invalid"]}}',
    )


@pytest.mark.parametrize("code", sorted(PROBLEM_KINDS))
def test_every_problem_of_the_engine_has_a_shape(code: str) -> None:
    kind = PROBLEM_KINDS[code]
    answer = rendered_problem(Problem(code, "what happened"), BASE)
    assert answer.status_code == kind.status
    assert f'"status":{kind.status}'.encode() in answer.body
    assert (answer.headers.get("retry-after") == "1") is (kind.status == 503)


def test_an_empty_body_announced_as_json_is_no_error_of_a_question(api: Api) -> None:
    api.deliver([llm_request("one", "asked", datetime(2026, 4, 1, tzinfo=UTC))])
    answer = api.send("GET", f"{BASE}/customers/asked", 200, {"Content-Type": "application/json"})
    assert answer.json()["customer"]["external_id"] == "asked"
