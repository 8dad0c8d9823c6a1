"""Answers of an engine become rows, progress, or a message and an exit code."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.server.http_client import Connection, path_to, problem_text


def engine(answer: Callable[[httpx.Request], httpx.Response]) -> Connection:
    return Connection(httpx.Client(transport=httpx.MockTransport(answer), base_url="http://engine"), "there")


def numbers(request: httpx.Request) -> httpx.Response:
    """A list of the numbers below 7, three to a page at most."""
    begin = int(request.url.params.get("cursor", "0"))
    end = min(begin + min(int(request.url.params["limit"]), 3), 7)
    return httpx.Response(200, json={"data": list(range(begin, end)), "next_cursor": str(end) if end < 7 else None})


@pytest.mark.parametrize(("limit", "expected"), [(None, 7), (1, 1), (3, 3), (4, 4), (7, 7), (100, 7)])
def test_pages_are_followed_up_to_the_limit(limit: int | None, expected: int) -> None:
    assert list(engine(numbers).pages("/list", limit)) == list(range(expected))


def test_progress_of_an_operation_is_yielded_line_by_line() -> None:
    lines = [{"step": {"done": 1}}, {"result": {}}]
    body = "\n".join(json.dumps(line) for line in lines)
    assert list(engine(lambda request: httpx.Response(200, text=body)).steps("/operation")) == lines


def test_a_problem_becomes_the_message_of_the_command() -> None:
    problem = {
        "title": "Invalid",
        "detail": "a is odd",
        "field": "a",
        "errors": [{"field": "a", "rule": "is odd"}, {"field": "b", "rule": "is even"}],
    }
    with pytest.raises(CommandFailed) as refused:
        engine(lambda request: httpx.Response(422, json=problem)).get("/")
    assert (refused.value.code, refused.value.message) == (ExitCode.REFUSED, "a is odd\nb is even")


def test_a_problem_without_a_field_has_its_title() -> None:
    problem = {"title": "Not found", "detail": "customer 'a' does not exist"}
    assert problem_text(httpx.Response(404, json=problem)) == "Not found: customer 'a' does not exist"


@pytest.mark.parametrize(("length", "between"), [(58, " "), (59, "\n")])
def test_a_detail_that_is_too_long_for_a_line_has_one_of_its_own(length: int, between: str) -> None:
    detail = "x" * length
    text = problem_text(httpx.Response(404, json={"title": "Not found", "detail": detail}))
    assert text == f"Not found:{between}{detail}"
    assert max(map(len, f"meterfold: {text}".splitlines())) <= 80


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"null", b'{"errors": 5}'])
def test_an_answer_without_a_problem_document_is_reported_by_its_status(body: bytes) -> None:
    assert problem_text(httpx.Response(502, content=body)) == "the engine answered 502 Bad Gateway"


def test_no_answer_is_unreachable() -> None:
    def gone(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(CommandFailed) as lost:
        engine(gone).get("/")
    assert lost.value.code == ExitCode.UNREACHABLE


def test_ids_are_encoded_once() -> None:
    assert path_to("v1", "a/b%2F?#é") == "/v1/a%2Fb%252F%3F%23%C3%A9"
