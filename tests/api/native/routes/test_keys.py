"""API keys through the API."""

from __future__ import annotations

from tests.engine_fixtures import Api


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
