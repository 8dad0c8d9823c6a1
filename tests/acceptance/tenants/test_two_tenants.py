"""By every route of every API a tenant reads what it would read if no other tenant had ever used the engine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.routing import iter_route_contexts

from tests.acceptance.tenants.questions import POSTED, QUESTIONS, TOLD_POSITION, Asked
from tests.acceptance.tenants.worlds import ASKED_AT, KEYS, MARK, MINE, OTHERS, TUNED, World, secret_of, world
from tests.golden.asking import get_routes

#: Members that may differ, wherever they stand, and why.
POSITION_LIKE = {
    "position": "a position in the log, which counts the records of all tenants",
    "counted_at": "a position: that from which a version of an event is in effect",
    "closed_at": "a position: that from which it is not",
    "next_cursor": "holds a position, or the place of an event, which begins with one",
    "previewed_at": "a position in the log",
    "nextCursor": "the same, as PromptShuttle's clients read it",
    "head": "the last position of the log",
    "sequential_id": "the position that first told of a customer, which Lago's clients read as a number of customers",
    "slug": "holds that number",
}
PAGES_MAX = 100
_PATH_PARAMETER = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True)
class Answer:
    status: int
    content_type: str | None
    headers: frozenset[str]
    body: str

    def comparable(self) -> tuple[Any, ...]:
        try:
            body = _without_positions(json.loads(self.body))
        except ValueError:
            body = self.body
        return self.status, self.content_type, self.headers, body


def _without_positions(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: member is not None if name in POSITION_LIKE else _without_positions(member)
            for name, member in value.items()
        }
    return [_without_positions(one) for one in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("alone"), with_others=False) as made:
        yield made


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("together"), with_others=True) as made:
        yield made


def pages(asked_in: World, route: str, asked: Asked, key: str | None) -> Iterator[Answer]:
    """The answer to a question, with all pages after it."""
    parameter, query = asked
    path = route if parameter is None else _PATH_PARAMETER.sub(quote(parameter, safe=""), route)
    told = {name: str(asked_in.positions[1]) if value == TOLD_POSITION else value for name, value in query.items()}
    headers = {} if key is None else {"Authorization": f"Bearer {secret_of(MINE, key)}"}
    if not route.startswith("/v1/") and "as_of" in told:
        headers["Meterfold-As-Of"] = told.pop("as_of")
    for _ in range(PAGES_MAX):
        answer = asked_in.client.get(path, params=told, headers=headers)
        shown = frozenset(
            f"{name}: {'' if name == 'meterfold-position' else value}"
            for name, value in answer.headers.items()
            if name.startswith("meterfold-")
        )
        yield Answer(answer.status_code, answer.headers.get("content-type"), shown, answer.text)
        body = json.loads(answer.text) if answer.text.startswith("{") else {}
        cursor = body.get("next_cursor") or body.get("nextCursor")
        if cursor is None:
            return
        told["cursor"] = cursor
    raise AssertionError(f"{path} has more than {PAGES_MAX} pages")


def test_every_route_says_how_it_is_asked(alone: World) -> None:
    dialects = alone.app.state.meterfold.dialects
    of_dialects = {
        context.path
        for dialect in dialects
        for context in iter_route_contexts(dialect.router.routes)
        if "GET" in (context.methods or ())
    }
    documents = {dialect.openapi_path for dialect in dialects}
    routes = get_routes(alone.app)
    assert of_dialects | documents <= set(routes)
    assert set(routes) == set(QUESTIONS), "add how a new route is asked to tests/acceptance/tenants/questions.py"


@pytest.mark.parametrize("route", QUESTIONS)
def test_answers_are_as_if_no_other_tenant_had_ever_been_there(alone: World, together: World, route: str) -> None:
    for key in (*KEYS, None):
        for asked in QUESTIONS[route]:
            expected = [one.comparable() for one in pages(alone, route, asked, key)]
            found = list(pages(together, route, asked, key))
            assert [one.comparable() for one in found] == expected, (route, asked, key)
            for answer in found:
                assert MARK not in _without_question(answer.body, asked), (route, asked, key)


@pytest.mark.parametrize("route", POSTED)
def test_reads_by_post_are_as_if_no_other_tenant_had_ever_been_there(alone: World, together: World, route: str) -> None:
    for body in POSTED[route]:
        expected, found = (one.api(MINE).send("POST", route, None, json=body) for one in (alone, together))
        assert (found.status_code, found.json()) == (expected.status_code, expected.json()), body


def _without_question(body: str, asked: Asked) -> str:
    """The body without what the question itself said: a tenant may be told that a name that it guessed is unknown."""
    parameter, query = asked
    for said in (parameter, *query.values()):
        for text in (said, quote(said, safe="")) if said else ():
            body = body.replace(text, "")
    return body


def test_each_question_is_answered_for_one_key_at_least(alone: World) -> None:
    """Except by routes that no tenant but the operator's may ask, and those that serve nobody."""
    unanswered = {
        route
        for route, questions in QUESTIONS.items()
        if not any(one.status == 200 for key in (*KEYS, None) for one in pages(alone, route, questions[0], key))
    }
    nowhere = {route for route in QUESTIONS if route.endswith(("completions", "responses")) or "/api/v1" in route}
    assert unanswered - nowhere == {"/v1/sources", "/v1/operations/status", "/metrics"}


@pytest.mark.parametrize("scope", OTHERS, ids=str)
def test_the_others_did_leave_what_could_leak(together: World, scope: Any) -> None:
    api = together.api(scope)
    assert {price["model"] for price in api.pages("/v1/prices")} >= {"gpt-4o", "o1", TUNED}
    for path in ("/v1/events", "/v1/customers", "/v1/budgets", "/v1/rejected", "/v1/meters"):
        assert MARK in json.dumps(api.pages(path)), path
    assert MARK in together.client.get("/customer/list", headers={"Authorization": f"Bearer {api.key}"}).text
    assert together.clock() == ASKED_AT


def test_a_list_price_tells_nothing_of_its_first_usage_by_others(together: World) -> None:
    """The others used both models days before; the tenant that asks met them at noon on the 11th."""
    listed = [price for price in together.api(MINE, "read").pages("/v1/prices") if price["origin"] == "list"]
    assert [(price["model"], price["recorded_at"]) for price in listed] == [
        ("gpt-4o", "2026-03-11T12:00:00.000000Z"),
        ("o1", "2026-03-11T12:00:00.000000Z"),
    ]
    assert {price["position"] for price in listed} == {together.positions[1]}
    explained = together.api(MINE).get("/v1/events/one", source="gateway", id="12-o1")
    assert explained["cost"]["price"] == next(price for price in listed if price["model"] == "o1")
