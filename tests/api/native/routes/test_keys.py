"""API keys through the API."""

from __future__ import annotations

from consumers.embedded.engine import EmbeddedEngine
from domain.scope import Scope
from tests.engine_fixtures import Api, key_for, llm_request


def test_a_key_is_shown_once_listed_by_prefix_and_last_use_and_revoked(api: Api) -> None:
    answer = api.send("POST", "/v1/keys", 201, json={"scopes": ["read", "ingest"], "name": "gateway"})
    made = answer.json()
    assert answer.headers["Cache-Control"] == "no-store"
    assert made["secret"].startswith("sk-")
    assert made["secret"].removeprefix("sk-").startswith(made["prefix"])
    listed = {one["id"]: one for one in api.pages("/v1/keys", limit=1)}
    assert listed[made["id"]] == {
        "id": made["id"],
        "prefix": made["prefix"],
        "name": "gateway",
        "tenant": "default",
        "environment": "prod",
        "environments": ["prod"],
        "scopes": ["ingest", "read"],
        "created_at": "2026-03-10T12:00:00.000000Z",
        "last_used_at": None,
        "revoked_at": None,
    }
    assert made["secret"] not in api.send("GET", "/v1/keys", 200).text
    Api(api.client, made["secret"]).get("/v1/customers")
    assert {one["id"]: one["last_used_at"] for one in api.pages("/v1/keys")}[
        made["id"]
    ] == "2026-03-10T12:00:00.000000Z"
    api.delete(f"/v1/keys/{made['id']}")
    assert made["id"] not in {one["id"] for one in api.pages("/v1/keys")}
    assert made["id"] in {one["id"] for one in api.pages("/v1/keys", revoked="true")}


def test_a_key_that_does_not_exist_cannot_be_revoked(api: Api) -> None:
    assert api.refused("DELETE", "/v1/keys/key_nothing", 404)["type"] == "/problems/not_found"
    assert api.refused("POST", "/v1/keys", 422, {"scopes": ["root"]})["field"] == "scopes"


def test_a_key_of_both_environments_works_in_the_first_one(api: Api) -> None:
    made = api.post("/v1/keys", {"scopes": ["admin"], "environments": ["test", "prod"]})
    assert (made["environment"], made["environments"]) == ("test", ["test", "prod"])
    of_both = Api(api.client, made["secret"])
    of_both.deliver([llm_request("of-test", "seen in test")])
    assert of_both.get("/v1/customers/seen in test")["id"] == "seen in test"
    api.refused("GET", "/v1/customers/seen in test", 404)
    (listed,) = (one for one in of_both.pages("/v1/keys") if one["id"] == made["id"])
    assert (listed["environment"], listed["environments"]) == ("test", ["test", "prod"])
    of_both.delete(f"/v1/keys/{made['id']}")
    of_both.send("GET", "/v1/customers", 401)


def test_a_key_issues_keys_of_its_own_environments_alone(api: Api, engine: EmbeddedEngine) -> None:
    of_one = Api(api.client, key_for(engine, Scope("acme", "test")))
    wanted = {"scopes": ["read"], "tenant": "acme", "environments": ["test", "prod"]}
    assert of_one.refused("POST", "/v1/keys", 403, wanted)["type"] == "/problems/forbidden"
    of_both = Api(api.client, api.post("/v1/keys", {**wanted, "scopes": ["admin"]})["secret"])
    assert of_both.post("/v1/keys", wanted)["environments"] == ["test", "prod"]
    assert of_both.post("/v1/keys", {"scopes": ["read"], "environment": "prod"})["environments"] == ["prod"]


def test_environments_have_to_be_known_and_named_in_one_way(api: Api) -> None:
    for given, field in (
        ({"environments": ["staging"]}, "environment"),
        ({"environment": "prod", "environments": ["prod"]}, "body"),
    ):
        assert api.refused("POST", "/v1/keys", 422, {"scopes": ["read"], **given})["field"] == field
