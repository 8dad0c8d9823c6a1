"""API keys, scopes and tenants, and the routes that need no key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from consumers.embedded.engine import EmbeddedEngine
from domain.scope import DEFAULT_SCOPE, Scope
from tests.engine_fixtures import Api, customer_path, key_for, llm_request

READS = (
    "/v1/customers",
    "/v1/events",
    "/v1/rejected",
    "/v1/usage",
    "/v1/meters",
    "/v1/budgets",
    "/v1/prices",
    "/v1/discounts",
)
ADMINISTRATION = (
    ("POST", "/v1/customers"),
    ("PATCH", "/v1/customers/ann"),
    ("DELETE", "/v1/customers/ann"),
    ("POST", "/v1/customers/ann/block"),
    ("POST", "/v1/meters"),
    ("POST", "/v1/budgets"),
    ("POST", "/v1/prices"),
    ("POST", "/v1/discounts"),
    ("GET", "/v1/keys"),
    ("POST", "/v1/keys"),
    ("POST", "/v1/events/void"),
    ("GET", "/v1/operations/status"),
    ("POST", "/v1/operations/verify"),
)


@pytest.fixture
def client(engine: EmbeddedEngine) -> Iterator[TestClient]:
    with TestClient(create_app(engine)) as client:
        yield client


def status_with(client: TestClient, key: str | None, method: str, path: str, **rest: Any) -> int:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return client.request(method, path, headers=headers, **rest).status_code


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/docs", "/openapi.json", "/problems", "/problems/forbidden"])
def test_public_routes_need_no_key(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic c2s6eA=="}, {"Authorization": "Bearer "}])
def test_a_request_without_a_key_is_answered_401(client: TestClient, headers: dict[str, str]) -> None:
    answer = client.get("/v1/customers", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthenticated")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="meterfold"'


def test_an_unknown_key_is_answered_401_and_never_repeated(client: TestClient) -> None:
    answer = client.get("/v1/customers", headers={"Authorization": "Bearer sk-secret-of-somebody"})
    assert answer.status_code == 401
    assert "secret-of-somebody" not in answer.text


def test_a_key_may_come_in_a_header_of_its_own(client: TestClient, engine: EmbeddedEngine) -> None:
    assert client.get("/v1/customers", headers={"X-API-Key": key_for(engine)}).status_code == 200


def test_a_revoked_key_is_answered_401(api: Api, client: TestClient) -> None:
    issued = api.post("/v1/keys", {"scopes": ["read"]})
    assert status_with(client, issued["secret"], "GET", "/v1/customers") == 200
    api.delete(f"/v1/keys/{issued['id']}")
    assert status_with(client, issued["secret"], "GET", "/v1/customers") == 401


@pytest.mark.parametrize("path", READS)
def test_reading_needs_the_scope_read(client: TestClient, engine: EmbeddedEngine, path: str) -> None:
    found = [
        status_with(client, key_for(engine, DEFAULT_SCOPE, scope), "GET", path) for scope in ("read", "ingest", "admin")
    ]
    assert found == [200, 403, 200]


def test_ingesting_usage_needs_the_scope_ingest(client: TestClient, engine: EmbeddedEngine) -> None:
    keys = [key_for(engine, DEFAULT_SCOPE, scope) for scope in ("ingest", "read", "admin")]
    assert [status_with(client, key, "POST", "/v1/events", json=[]) for key in keys] == [200, 403, 200]


@pytest.mark.parametrize(("method", "path"), ADMINISTRATION)
def test_changing_anything_needs_the_scope_admin(
    client: TestClient, engine: EmbeddedEngine, method: str, path: str
) -> None:
    key = key_for(engine, DEFAULT_SCOPE, "read", "ingest")
    # No body at all: the key is looked at first.
    assert status_with(client, key, method, path) == 403


@pytest.mark.parametrize(
    ("scope", "path", "wanted"),
    [("ingest", "/v1/customers", "read or admin"), ("read", "/v1/keys", "admin")],
)
def test_a_missing_scope_is_named(
    client: TestClient, engine: EmbeddedEngine, scope: str, path: str, wanted: str
) -> None:
    refused = Api(client, key_for(engine, DEFAULT_SCOPE, scope)).refused("GET", path, 403)
    assert refused["detail"] == f"the key must have the scope {wanted}"


def test_the_key_is_checked_before_the_body(client: TestClient) -> None:
    assert status_with(client, None, "POST", "/v1/customers", content=b"{") == 401


def test_a_tenant_sees_nothing_of_another(api: Api, client: TestClient, engine: EmbeddedEngine) -> None:
    api.deliver([llm_request("of default", customer="shared id")])
    other = Api(client, key_for(engine, Scope("other", "prod")))
    staging = Api(client, key_for(engine, Scope("default", "test")))
    for stranger in (other, staging):
        assert stranger.refused("GET", customer_path("shared id"), 404)["type"] == "/problems/not_found"
        assert stranger.get("/v1/usage")["data"] == []
        assert stranger.deliver([llm_request("of default", customer="shared id")])["counts"]["counted"] == 1


def test_only_an_operator_creates_tenants_and_runs_operations(
    api: Api, client: TestClient, engine: EmbeddedEngine
) -> None:
    made = api.post("/v1/keys", {"scopes": ["admin"], "tenant": "acme", "environment": "test"})
    assert (made["tenant"], made["environment"]) == ("acme", "test")
    tenant = Api(client, made["secret"])
    assert tenant.refused("POST", "/v1/keys", 403, {"scopes": ["read"], "tenant": "default"})["status"] == 403
    assert tenant.refused("GET", "/v1/operations/status", 403)["type"] == "/problems/forbidden"
    assert tenant.post("/v1/keys", {"scopes": ["read"]})["tenant"] == "acme"


def test_metrics_answer_this_machine_or_a_key_of_the_operator(engine: EmbeddedEngine) -> None:
    app = create_app(engine)
    local, remote = TestClient(app, client=("127.0.0.1", 5)), TestClient(app, client=("192.0.2.7", 5))
    assert local.get("/metrics").status_code == 200
    assert local.get("/metrics", headers={"X-Forwarded-For": "192.0.2.7"}).status_code == 401
    assert remote.get("/metrics").status_code == 401
    keys = [
        (DEFAULT_SCOPE, "read"),
        (DEFAULT_SCOPE, "admin"),
        (DEFAULT_SCOPE, "ingest"),
        (Scope("acme", "prod"), "admin"),
    ]
    keys.append((Scope("default", "test"), "read"))
    found = [status_with(remote, key_for(engine, *key), "GET", "/metrics") for key in keys]
    assert found == [200, 200, 403, 403, 403]
