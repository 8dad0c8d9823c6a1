"""Every error is a problem with a stable type, which is the path of a page that explains it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.responses import Response
from starlette.testclient import TestClient

from api.app import create_app
from api.http.error_mapping import problem_for
from api.http.problems import PROBLEM_KINDS
from consumers.embedded.engine import EmbeddedEngine
from consumers.errors import IntakeFull, IntakeUnavailable
from domain.errors import AlreadyExists, CommandRefused, Fenced, InvalidInput, LogUnavailable, NotFound
from projections.errors import HistoryGone
from tests.engine_fixtures import Api


def test_a_problem_names_type_title_status_detail_and_the_path(api: Api) -> None:
    answer = api.send("GET", "/v1/nothing", 404)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "/problems/not_found",
        "title": "Not found",
        "status": 404,
        "detail": "no route has this path",
        "instance": "/v1/nothing",
    }


@pytest.mark.parametrize("code", sorted(PROBLEM_KINDS))
def test_every_type_is_the_path_of_a_page_that_explains_it(api: Api, code: str) -> None:
    page = api.send("GET", f"/problems/{code}", 200)
    assert page.headers["content-type"].startswith("text/html")
    assert PROBLEM_KINDS[code].title in page.text


def test_an_unknown_problem_has_no_page(api: Api) -> None:
    assert api.refused("GET", "/problems/nonsense", 404)["type"] == "/problems/not_found"


def test_a_wrong_method_is_answered_with_the_allowed_ones(api: Api) -> None:
    answer = api.send("PUT", "/v1/customers", 405)
    assert (answer.json()["type"], answer.headers["Allow"]) == ("/problems/method_not_allowed", "GET, HEAD, POST")


def test_head_is_get_without_a_body(api: Api) -> None:
    answer = api.send("HEAD", "/v1/customers", 200)
    assert answer.content == b""
    assert int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize("path", ["/chat/completions", "/v1/chat/completions"])
def test_completions_are_answered_that_this_is_no_gateway(api: Api, path: str) -> None:
    problem = api.refused("POST", path, 404)
    assert problem["type"] == "/problems/no_gateway"
    assert "no gateway" in problem["detail"]


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/customers", "/api/v1/customers/a%2Fb"])
def test_a_base_url_without_an_api_names_the_prefixes(api: Api, path: str) -> None:
    problem = api.refused("POST", path, 404)
    assert problem["type"] == "/problems/prefix_missing"
    assert problem["detail"] == (
        "clients of Lago use /lago/, of LiteLLM use the root, of PromptShuttle use /promptshuttle/api/v1, "
        "of Respan use /respan; the native API is below /v1"
    )


@pytest.mark.parametrize("body", [b"{", b"", b'{"id": NaN}', b'{"id": "\\ud800"}', b"\xff", b"[" * 100_000])
def test_a_body_that_is_not_json_is_answered_400(api: Api, body: bytes) -> None:
    answer = api.send("POST", "/v1/customers", 400, {"Content-Type": "application/json"}, content=body)
    assert answer.json()["type"] == "/problems/json_invalid"


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/merge-patch+json"])
def test_another_media_type_is_answered_415(api: Api, media_type: str | None) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    problem = api.send("POST", "/v1/customers", 415, headers, content=b"{}").json()
    assert (problem["type"], "application/json" in problem["detail"]) == ("/problems/media_type_unsupported", True)


def test_an_encoded_body_is_answered_415(api: Api) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert api.send("POST", "/v1/events", 415, headers, content=b"x").json()["status"] == 415


def test_a_body_that_is_too_large_is_answered_413(api: Api) -> None:
    headers = {"Content-Type": "application/json"}
    for content in (b"x" * 300_000, iter([b"x" * 1_000] * 300)):
        assert (
            api.send("POST", "/v1/customers", 413, headers, content=content).json()["type"]
            == "/problems/body_too_large"
        )


def test_every_broken_rule_is_named(api: Api) -> None:
    problem = api.refused("POST", "/v1/customers", 422, {"nmae": "x", "budget": {"limit": 1}, "email": 5})
    assert problem["type"] == "/problems/invalid"
    assert {(error["field"], error["rule"]) for error in problem["errors"]} == {
        ("id", "is required"),
        ("nmae", "is not known here"),
        ("budget.limit", "is not known here"),
        ("email", "input should be a valid string"),
    }


def test_a_broken_rule_of_the_domain_names_the_field_as_the_caller_wrote_it(api: Api) -> None:
    body = {"id": "x", "budget": {"duration": "soon", "period_limit_usd": "1"}}
    problem = api.refused("POST", "/v1/customers", 422, body)
    assert problem["field"] == "budget.duration"
    problem = api.refused("POST", "/v1/customers", 422, {"id": ".."})
    assert (problem["type"], problem["field"]) == ("/problems/id_invalid", "id")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("min_position=-1", "min_position"),
    ],
)
def test_a_parameter_that_breaks_a_rule_is_named(api: Api, query: str, field: str) -> None:
    assert api.refused("GET", f"/v1/customers?{query}", 422)["field"] == field


def test_a_misspelt_parameter_is_refused_instead_of_filtering_nothing(api: Api) -> None:
    problem = api.refused("GET", "/v1/events?custmer=ann", 422)
    assert (problem["field"], problem["rule"]) == ("custmer", "is not known here")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput("a", "is b"), "invalid"),
        (InvalidInput("a", "is b", "id_invalid"), "id_invalid"),
        (InvalidInput("a", "is b", "of_another_kind"), "invalid"),
        (AlreadyExists("x"), "already_exists"),
        (NotFound("x"), "not_found"),
        (CommandRefused("x"), "conflict"),
        (HistoryGone("x"), "gone"),
        (IntakeFull("x"), "intake_full"),
        (IntakeUnavailable("x"), "intake_unavailable"),
        (LogUnavailable("x"), "log_unavailable"),
        (Fenced("x"), "log_unavailable"),
        (ValueError("a secret"), "internal"),
    ],
)
def test_every_error_of_the_inner_layers_is_a_kind_of_problem(error: Exception, code: str) -> None:
    problem = problem_for(error)
    assert problem.kind.code == code
    assert "secret" not in problem.detail
    assert ("Retry-After" in problem.headers) == (problem.kind.status == 503)


@pytest.fixture
def broken(engine: EmbeddedEngine) -> Iterator[TestClient]:
    app = create_app(engine)

    async def fail() -> Response:
        raise ValueError("sk-secret")

    app.add_api_route("/fails", fail)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_an_unexpected_error_is_a_problem_without_details(broken: TestClient) -> None:
    answer = broken.get("/fails")
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal")
    assert "sk-secret" not in answer.text
