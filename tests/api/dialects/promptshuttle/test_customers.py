"""Customers through PromptShuttle's routes."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

import pytest

from api.dialects.promptshuttle.models.responses import CustomerResponse
from consumers.embedded.engine import EmbeddedEngine
from domain.scope import Scope
from tests.api.dialects.conftest import Spend
from tests.api.dialects.promptshuttle.conftest import BASE, FRIDAY, changed, created, listed
from tests.engine_fixtures import Api, JsonObject, SettableClock, http, key_for

CUSTOMERS: Final = f"{BASE}/customers"
HOSTILE: Final = ("two words", "a/b", "50%", "a%2Fb", "😀", "x" * 1_000, "a?b#c", "0123456789abcdef01234567")


def problem(api: Api, method: str, path: str, status: int, **rest: Any) -> JsonObject:
    answer = api.send(method, path, status, **rest)
    assert answer.headers["content-type"] == "application/problem+json"
    shown: JsonObject = answer.json()
    return shown


def test_everything_that_is_given_is_stored_and_shown(api: Api) -> None:
    metadata = {"plan": "enterprise", "region": "eu", "seats": 2.5}
    shown = created(api, "full", name="Acme Corp", email="contact@acme.com", metadata=metadata, unknown="ignored")
    assert CustomerResponse.model_validate(shown)
    assert shown == {
        "id": shown["id"],
        "externalId": "full",
        "name": "Acme Corp",
        "email": "contact@acme.com",
        "metadata": metadata,
        "isActive": True,
        "createdAt": "2026-11-20T10:24:37.500Z",
        "updatedAt": "2026-11-20T10:24:37.500Z",
    }
    assert re.fullmatch("[0-9a-f]{24}", shown["id"])
    assert api.get(f"{CUSTOMERS}/full") == api.get(f"{CUSTOMERS}/{shown['id']}") == shown


def test_the_internal_id_is_made_of_the_scope_and_the_external_id(api: Api, engine: EmbeddedEngine) -> None:
    internal = created(api, "stable")["id"]
    api.delete(f"{CUSTOMERS}/stable")
    assert created(api, "stable")["id"] == internal
    others = set()
    for scope in (Scope("other", "prod"), Scope("default", "test")):
        with http(engine, key_for(engine, scope)) as elsewhere:
            others.add(created(elsewhere, "stable")["id"])
            problem(elsewhere, "GET", f"{CUSTOMERS}/{internal}", 404)
    assert len(others - {internal}) == 2


@pytest.mark.parametrize("external_id", HOSTILE)
def test_a_customer_is_found_by_either_id_whatever_that_holds(api: Api, external_id: str) -> None:
    shown = created(api, external_id)
    assert shown["externalId"] == external_id
    by_external = f"{CUSTOMERS}/{quote(external_id, safe='')}"
    assert api.get(by_external) == api.get(f"{CUSTOMERS}/{shown['id']}") == shown
    assert api.send("PUT", by_external, 200, json={"name": "N"}).json()["name"] == "N"
    api.delete(f"{CUSTOMERS}/{shown['id']}")
    problem(api, "GET", by_external, 404)


def test_an_internal_id_comes_before_the_same_external_id(api: Api) -> None:
    first = created(api, "first")
    problem(api, "GET", f"{CUSTOMERS}/{'0' * 24}", 404)  # looked for, and not there yet
    created(api, first["id"])
    assert api.get(f"{CUSTOMERS}/{first['id']}")["externalId"] == "first"


def test_an_internal_id_that_was_asked_for_in_vain_is_found_once_its_customer_exists(api: Api) -> None:
    internal = created(api, "late")["id"]
    api.delete(f"{CUSTOMERS}/late")
    problem(api, "GET", f"{CUSTOMERS}/{internal}", 404)
    created(api, "late")
    assert api.get(f"{CUSTOMERS}/{internal}")["externalId"] == "late"


def test_an_external_id_is_unique(api: Api) -> None:
    created(api, "taken")
    shown = problem(api, "POST", CUSTOMERS, 409, json={"externalId": "taken", "name": "Other"})
    assert shown == {
        "type": "/problems/already_exists",
        "title": "It exists already",
        "status": 409,
        "detail": "a customer with the externalId 'taken' exists already",
    }
    assert api.get(f"{CUSTOMERS}/taken")["name"] is None


def test_a_customer_known_by_its_usage_is_shown_and_may_still_be_created(api: Api, spend: Spend) -> None:
    first = FRIDAY - timedelta(days=3)
    spend("seen", "0.5", first)
    shown = api.get(f"{CUSTOMERS}/seen")
    assert (shown["name"], shown["isActive"], shown["metadata"]) == (None, True, {})
    assert shown["createdAt"] == shown["updatedAt"] == "2026-11-17T10:24:37.500Z"
    assert created(api, "seen", name="Seen")["name"] == "Seen"


def test_a_change_leaves_alone_what_is_null_or_absent(api: Api, clock: SettableClock) -> None:
    before = created(api, "part", name="Acme", email="a@b.c", metadata={"plan": "pro"})
    clock.advance(seconds=5)
    after = changed(api, "part", name=None, email="new@b.c", metadata=None, isActive=None)
    assert after == {**before, "email": "new@b.c", "updatedAt": "2026-11-20T10:24:42.500Z"}
    clock.advance(seconds=5)
    assert changed(api, "part") == after


def test_a_change_replaces_metadata_as_a_whole(api: Api) -> None:
    created(api, "whole", metadata={"plan": "pro", "region": "eu"})
    assert changed(api, "whole", metadata={"region": "us"})["metadata"] == {"region": "us"}
    assert changed(api, "whole", metadata={})["metadata"] == {}


def test_empty_text_clears_a_name_and_an_address(api: Api) -> None:
    created(api, "clear", name="N", email="a@b.c")
    after = changed(api, "clear", name="", email="")
    assert (after["name"], after["email"]) == (None, None)


def test_a_customer_is_deactivated_and_brought_back_with_other_members(api: Api) -> None:
    created(api, "sleeper")
    after = changed(api, "sleeper", isActive=False, name="Asleep")
    assert (after["isActive"], after["name"]) == (False, "Asleep")
    assert [one["isActive"] for one in listed(api) if one["externalId"] == "sleeper"] == [False]
    assert changed(api, "sleeper", isActive=True)["isActive"] is True
    assert created(api, "born asleep", isActive=False)["isActive"] is False


def test_a_customer_known_by_its_usage_can_be_changed_and_deleted(api: Api, spend: Spend, clock: SettableClock) -> None:
    spend("used", "1")
    assert changed(api, "used", name="Used")["name"] == "Used"
    spend("used once", "1")
    clock.advance(seconds=1)
    api.delete(f"{CUSTOMERS}/used%20once")
    problem(api, "GET", f"{CUSTOMERS}/used%20once", 404)


def test_a_deleted_customer_is_gone_until_its_id_is_used_again(api: Api, spend: Spend, clock: SettableClock) -> None:
    created(api, "gone", name="Before")
    api.delete(f"{CUSTOMERS}/gone")
    assert "gone" not in [one["externalId"] for one in listed(api)]
    for method, body in (("GET", None), ("PUT", {"name": "N"}), ("DELETE", None)):
        shown = problem(api, method, f"{CUSTOMERS}/gone", 404, **({} if body is None else {"json": body}))
        assert shown["detail"] == "customer 'gone' does not exist"
    clock.advance(seconds=1)
    spend("gone", "1")
    assert api.get(f"{CUSTOMERS}/gone")["name"] is None


def test_the_list_is_a_bare_array_in_the_order_of_external_ids(api: Api) -> None:
    for name in ("l-2", "l-1", "l-3"):
        created(api, name)
    found = [one["externalId"] for one in listed(api)]
    assert found == sorted(found)
    assert {"l-1", "l-2", "l-3"} <= set(found)


def test_the_external_id_cannot_change(api: Api) -> None:
    created(api, "fixed")
    assert changed(api, "fixed", externalId="fixed")["externalId"] == "fixed"
    shown = problem(api, "PUT", f"{CUSTOMERS}/fixed", 400, json={"externalId": "other"})
    assert shown["errors"] == {"externalId": ["must be 'fixed', as it cannot change"]}


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"name": "N"}, {"externalId": ["is required"]}),
        ({"externalId": None}, {"externalId": ["input should be a valid string"]}),
        ({"externalId": ""}, {"externalId": ["must not be empty"]}),
        ({"externalId": "e", "email": "nobody"}, {"email": ["must be an email address, such as ada@example.com"]}),
        ({"externalId": "e", "isActive": "false"}, {"isActive": ["input should be a valid boolean"]}),
        ({"externalId": "e", "metadata": []}, {"metadata": ["input should be a valid dictionary"]}),
        ([], {"body": ["must be a JSON object"]}),
    ],
)
def test_a_value_that_breaks_a_rule_is_named_in_problem_details(api: Api, body: Any, errors: JsonObject) -> None:
    shown = problem(api, "POST", CUSTOMERS, 400, json=body)
    assert (shown["type"], shown["title"], shown["status"]) == ("/problems/" + shown["type"][10:], shown["title"], 400)
    assert shown["errors"] == errors


def test_errors_of_every_kind_have_the_shape_of_problem_details(api: Api, engine: EmbeddedEngine) -> None:
    reader = key_for(engine, Scope("default", "prod"), "read")
    asked: list[tuple[str, str, int, JsonObject]] = [
        ("GET", CUSTOMERS, 401, {"headers": {"Authorization": "Bearer sk-nobody"}}),
        ("POST", CUSTOMERS, 403, {"headers": {"Authorization": f"Bearer {reader}"}, "json": {"externalId": "e"}}),
        ("GET", f"{BASE}/nothing", 404, {}),
        ("PATCH", CUSTOMERS, 405, {}),
        ("POST", CUSTOMERS, 400, {"content": b"{"}),
        ("POST", CUSTOMERS, 413, {"content": b" " * 300_000}),
    ]
    for method, path, status, rest in asked:
        shown = problem(api, method, path, status, **rest)
        assert (shown["status"], set(shown)) == (status, {"type", "title", "detail", "status"})
    assert api.send("GET", CUSTOMERS, 200, {"Authorization": f"Bearer {reader}"}).json()


def test_a_body_is_read_as_json_whatever_its_media_type(api: Api) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert api.send("POST", CUSTOMERS, 201, headers, content=b'{"externalId": "curl"}').json()["externalId"] == "curl"
