"""A dialect is one object: that of tally_dialect.py has its own keys, errors, access answer and documents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from consumers.embedded.engine import EmbeddedEngine
from domain.scope import DEFAULT_SCOPE, Scope
from tests.api.http import tally_dialect
from tests.api.http.tally_dialect import TALLY
from tests.engine_fixtures import Api, key_for, llm_request

LINES_MAX = 60
USAGE = "/tally/v2/usage"


@pytest.fixture(scope="module")
def client(engine: EmbeddedEngine) -> Iterator[TestClient]:
    """An application that serves only the native API and the new dialect."""
    app = create_app(engine, [TALLY])

    async def fail() -> None:
        raise ValueError("sk-secret")

    app.add_api_route("/tally/v2/fails", fail)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def native(client: TestClient, engine: EmbeddedEngine) -> Api:
    return Api(client, key_for(engine))


@pytest.fixture(scope="module")
def tally(native: Api, engine: EmbeddedEngine) -> Api:
    """Usage of the account `ann`, and a key that may read it."""
    native.deliver([llm_request("1", "ann", None), llm_request("2", "ann", None)])
    return Api(native.client, key_for(engine, DEFAULT_SCOPE, "read"))


def asked(api: Api, body: Any = None, path: str = USAGE, key: str | None = None, **sent: Any) -> tuple[int, Any]:
    """Status and body that the new dialect answers to its own key header."""
    headers = {"X-Tally-Key": api.key if key is None else key}
    answer = api.client.post(path, headers=headers, **(sent or {"json": body}))
    return answer.status_code, answer.json()


def refused(code: str, **details: str) -> dict[str, Any]:
    return {"ok": False, "code": code, "details": details}


def test_it_is_written_in_less_than_sixty_lines() -> None:
    assert len(Path(tally_dialect.__file__).read_text().splitlines()) < LINES_MAX


def test_its_route_answers_to_its_own_key_header(tally: Api) -> None:
    assert asked(tally, {"account": "ann"}) == (200, {"ok": True, "account": "ann", "calls": 2})


def test_a_key_in_the_header_of_another_dialect_is_none(tally: Api) -> None:
    answer = tally.send("POST", USAGE, 401, json={"account": "ann"})
    assert answer.json() == refused("unauthenticated")


def test_the_native_api_does_not_read_its_key_header(tally: Api) -> None:
    answer = tally.client.get("/v1/customers", headers={"X-Tally-Key": tally.key})
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthenticated")


def test_an_unknown_key_is_refused_in_its_shape(tally: Api) -> None:
    assert asked(tally, {"account": "ann"}, key="sk-unknown") == (401, refused("unauthenticated"))


def test_a_key_without_the_scope_is_refused_in_its_shape(tally: Api, engine: EmbeddedEngine) -> None:
    ingester = key_for(engine, DEFAULT_SCOPE, "ingest")
    assert asked(tally, {"account": "ann"}, key=ingester) == (403, refused("forbidden"))


@pytest.mark.parametrize(
    ("sent", "status", "refusal"),
    [
        ({"content": b"{"}, 400, refused("json_invalid")),
        ({"content": b""}, 400, refused("json_invalid")),
        ({"json": []}, 422, refused("invalid", body="model_attributes_type")),
        ({"json": {}}, 422, refused("invalid", account="missing")),
        ({"json": {"account": 5}}, 422, refused("invalid", account="string_type")),
        ({"content": b" " * 300_000}, 413, refused("body_too_large")),
    ],
)
def test_a_bad_body_is_refused_in_its_shape(tally: Api, sent: Any, status: int, refusal: Any) -> None:
    assert asked(tally, **sent) == (status, refusal)


def test_the_key_is_checked_before_the_body(tally: Api) -> None:
    assert asked(tally, key="", content=b"{") == (401, refused("unauthenticated"))


def test_its_route_refuses_in_a_shape_of_its_own(tally: Api) -> None:
    assert asked(tally, {"account": "nobody"}) == (404, {"ok": False, "code": "account_not_found"})


def test_a_path_without_a_route_is_answered_in_its_shape(tally: Api) -> None:
    assert asked(tally, path="/tally/v3/usage") == (404, refused("not_found"))
    assert asked(tally, path="/tallyho")[1]["type"] == "/problems/not_found"


def test_a_path_that_cannot_be_read_is_answered_in_its_shape(tally: Api) -> None:
    assert asked(tally, path="/tally/%ff") == (400, refused("path_invalid"))


def test_a_wrong_method_is_answered_in_its_shape(tally: Api) -> None:
    answer = tally.client.get(USAGE)
    assert (answer.status_code, answer.json()) == (405, refused("method_not_allowed"))
    assert answer.headers["Allow"] == "POST"


def test_an_unexpected_error_is_answered_in_its_shape_without_details(tally: Api) -> None:
    answer = tally.client.get("/tally/v2/fails")
    assert (answer.status_code, answer.json()) == (500, refused("internal"))


def test_access_is_answered_in_its_shape(native: Api) -> None:
    path = "/v1/customers/barred"
    native.post("/v1/customers", {"id": "barred"})
    assert native.get(path + "/access", **{"as": "tally"}) == {"ok": True, "code": "ok", "model": None}
    native.post(path + "/block", {}, 200)
    decided = {"ok": False, "code": "blocked", "model": "swift"}
    assert native.get(path + "/access", **{"as": "tally", "model": "swift"}) == decided
    assert native.get(path + "/access", **{"as": "native"}) == native.get(path + "/access")


def test_access_as_a_dialect_that_is_not_served_names_those_that_are(native: Api) -> None:
    problem = native.refused("GET", "/v1/customers/ann/access?as=litellm", 400)
    assert (problem["type"], problem["detail"]) == ("/problems/dialect_unknown", "as must be one of native, tally")


def test_tenants_are_separated(tally: Api, engine: EmbeddedEngine) -> None:
    stranger = key_for(engine, Scope("stranger", "prod"), "read")
    assert asked(tally, {"account": "ann"}, key=stranger) == (404, {"ok": False, "code": "account_not_found"})


def test_its_openapi_document_has_its_route_its_body_and_its_keys(tally: Api) -> None:
    document = tally.client.get("/tally/openapi.json").json()
    operation = document["paths"][USAGE]["post"]
    body = {"$ref": "#/components/schemas/UsageAsked"}
    assert operation["requestBody"]["content"] == {"application/json": {"schema": body}}
    assert document["components"]["schemas"]["UsageAsked"]["required"] == ["account"]
    assert document["components"]["securitySchemes"] == {
        "tally": {"type": "apiKey", "in": "header", "name": "X-Tally-Key"}
    }
    assert (document["security"], operation.get("security")) == ([{"tally": []}], None)


def test_the_native_document_has_nothing_of_it(tally: Api) -> None:
    document = tally.client.get("/openapi.json").json()
    assert [path for path in document["paths"] if "tally" in path] == []
    assert "UsageAsked" not in document["components"]["schemas"]


def test_its_page_is_listed_and_shows_its_document(tally: Api) -> None:
    for page in (tally.client.get("/docs").text, tally.client.get("/", headers={"Accept": "text/html"}).text):
        assert "href='/docs/tally'>Tally</a>" in page
        assert "href='/tally/openapi.json'" in page
        assert "litellm" not in page
    assert "url: '/tally/openapi.json'" in tally.client.get("/docs/tally").text


def test_a_client_with_a_wrong_base_url_is_told_its_own(tally: Api) -> None:
    problem = tally.client.get("/api/v1/usage").json()
    assert problem["detail"] == "clients of Tally use /tally/v2; the native API is below /v1"
