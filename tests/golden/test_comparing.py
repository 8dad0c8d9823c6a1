"""Comparison of answers, and declarations of deliberate differences."""

from __future__ import annotations

import json

import pytest

from tests.golden.comparing import ABSENT, Difference, differences
from tests.golden.declared import Found, declarations_in, missing_in_changelog
from tests.golden.documents import contract
from tests.golden.fixtures import Answer

JSON = {"content-type": "application/json"}
OLD = '{"position":7,"data":[{"id":"a","cost":"1.50","n":1},{"id":"b","cost":null,"n":2}]}'
ROUTE = "/v1/things"


def answer(body: str, status: int = 200, position: str | None = None) -> Answer:
    return Answer(status, JSON if position is None else {**JSON, "meterfold-position": position}, body)


def between(old: str, new: str) -> list[tuple[str, str, str]]:
    return [tuple(one) for one in differences(answer(old), answer(new))]  # type: ignore[misc]


def test_equal_bytes_do_not_differ() -> None:
    assert between(OLD, OLD) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"1.50"', '"1.5"', ("/data/0/cost", '"1.50"', '"1.5"')),
        ('"n":1', '"n":1.0', ("/data/0/n", "1", "1.0")),
        ('"n":1', '"n":"1"', ("/data/0/n", "1", '"1"')),
        (',"n":1', "", ("/data/0/n", "1", ABSENT)),
        ('"n":2', '"n":2,"more":{"a":[0]}', ("/data/1/more", ABSENT, '{"a": [0]}')),
        ("null", "0", ("/data/1/cost", "null", "0")),
        ("null", "false", ("/data/1/cost", "null", "false")),
        (',{"id":"b","cost":null,"n":2}', "", ("/data/b", '{"id": "b", "cost": null, "n": 2}', ABSENT)),
        (
            '"id":"a","cost":"1.50"',
            '"cost":"1.50","id":"a"',
            ("/data/0 (order of members)", "id, cost, n", "cost, id, n"),
        ),
    ],
)
def test_a_difference_names_its_place_and_both_values(old: str, new: str, expected: tuple[str, str, str]) -> None:
    assert between(OLD, OLD.replace(old, new)) == [expected]


def test_members_in_another_order_differ() -> None:
    expected = ("/0 (order of members)", "id, n", "n, id")
    assert between('[{"id":1,"n":2}]', '[{"n":2,"id":1}]') == [expected]


def test_items_in_another_order_differ() -> None:
    document = json.loads(OLD)
    document["data"].reverse()
    places = [place for place, _, _ in between(OLD, json.dumps(document, separators=(",", ":")))]
    assert places == ["/data/0/id", "/data/0/cost", "/data/0/n", "/data/1/id", "/data/1/cost", "/data/1/n"]


def test_the_same_values_written_in_another_form_differ() -> None:
    (only,) = between('{"a": "ü"}', '{"a": "\\u00fc"}')
    assert only[1].startswith("written as")


def test_names_are_escaped_as_json_pointers_are() -> None:
    assert between('{"a/b~c": 1}', '{"a/b~c": 2}') == [("/a~1b~0c", "1", "2")]


def test_status_and_headers_are_compared() -> None:
    old = answer("{}", position="1")
    assert differences(old, answer("{}", 404))[0].pointer == "status"
    assert differences(old, answer("{}")) == [Difference("header meterfold-position", "1", ABSENT)]


def problem(code: str, detail: str, **more: str) -> str:
    return json.dumps({"type": f"/problems/{code}", "title": "x", "status": 422, "detail": detail, **more})


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        (problem("invalid", "x", field="a"), problem("id_invalid", "x", field="a"), "code"),
        (problem("invalid", "x", field="a"), problem("invalid", "x", field="b"), "field"),
        (problem("invalid", "x", field="a"), problem("invalid", "another text", field="a", rule="new"), None),
        ('{"error":{"message":"m","type":"t","param":"p","code":"422"}}',
         '{"error":{"message":"n","type":"u","param":"p","code":"422"}}', "code"),
        ('{"error":{"message":"m","type":"t","param":"p","code":"422"}}',
         '{"error":{"message":"n","type":"t","param":null,"code":"422"}}', "field"),
        ('{"detail":[{"type":"a","loc":["body","x"],"msg":"m"}]}',
         '{"detail":[{"type":"a","loc":["body","y"],"msg":"n"}]}', "field"),
        ('{"detail":{"error":"text"}}', '{"detail":{"error":"other text"}}', None),
        ('{"detail":{"error":"text"}}', '{"detail":"Not Found"}', "code"),
        ("not JSON", '{"detail":"Not Found"}', "code"),
    ],
)  # fmt: skip
def test_of_errors_status_code_and_field_are_compared(old: str, new: str, field: str | None) -> None:
    found = differences(answer(old, 422), answer(new, 422))
    assert [one.pointer for one in found] == ([] if field is None else [field])
    assert differences(answer(old, 422), answer(old, 400))[0].pointer == "status"


DECLARED = """
[[change]]
route = "/v1/things"
pointer = "/data/*/cost"
old = '"1.50"'
new = '"1.5"'
reason = "Costs are told without trailing zeros."
target = ".*limit=1"
moments = ["then"]

[[change]]
route = "/v1/things"
pointer = "/position"
old = "any"
new = "absent"
reason = "Positions are told in a header only."

[[added]]
route = "/v1/things"
members = ["/now", "/data/*/more"]
reason = "Things tell more."
"""


@pytest.mark.parametrize(
    ("found", "declared"),
    [
        (Found("then", ROUTE, "/v1/things?limit=1", Difference("/data/9/cost", '"1.50"', '"1.5"')), True),
        (Found("then", ROUTE, "/v1/things?limit=1", Difference("/data/9/cost", '"1.50"', '"1.51"')), False),
        (Found("then", ROUTE, "/v1/things?limit=1", Difference("/data/9/cost", '"1.5"', '"1.50"')), False),
        (Found("then", ROUTE, "/v1/things?limit=2", Difference("/data/9/cost", '"1.50"', '"1.5"')), False),
        (Found("now", ROUTE, "/v1/things?limit=1", Difference("/data/9/cost", '"1.50"', '"1.5"')), False),
        (Found("then", "/v1/other", "/v1/things?limit=1", Difference("/data/9/cost", '"1.50"', '"1.5"')), False),
        (Found("now", ROUTE, "/v1/things", Difference("/position", "7", ABSENT)), True),
        (Found("now", ROUTE, "/v1/things", Difference("/position", "7", "8")), False),
        (Found("now", ROUTE, "/v1/things", Difference("/data/3/more", ABSENT, '{"a": 1}')), True),
        (Found("now", ROUTE, "/v1/things", Difference("/data/3/more", "1", "2")), False),
        (Found("now", ROUTE, "/v1/things", Difference("/data/3", ABSENT, "{}")), False),
        (Found("now", ROUTE, "/v1/things", Difference("/data/3/more/deep", ABSENT, "1")), False),
    ],
)
def test_only_declared_differences_are_accepted(found: Found, declared: bool) -> None:
    outcome = declarations_in(DECLARED).judge([found])
    assert (outcome.undeclared == []) is declared
    assert len(outcome.used) == declared


def test_reasons_of_changes_stand_in_the_changelog_where_numbers_are() -> None:
    declarations = declarations_in(DECLARED)
    first, second = (one.reason for one in declarations.change)
    section = (
        f"## [Unreleased]\n\n### Changes to numbers\n\n- {first.replace('trailing', 'trailing' + chr(10) + '  ')}\n"
    )
    assert missing_in_changelog(declarations, f"{section}\n### Added\n\n- {second}\n") == [second]
    assert missing_in_changelog(declarations, f"{section}- {second}\n\n### Added\n") == []


def test_an_unknown_member_of_a_declaration_is_refused() -> None:
    with pytest.raises(ValueError, match="colour"):
        declarations_in('[[added]]\nroute = "/"\nmembers = []\nreason = "x"\ncolour = "red"')


def test_texts_of_a_document_are_no_part_of_its_contract() -> None:
    document = {
        "openapi": "3.1.0",
        "info": {"title": "x"},
        "paths": {"/a": {"get": {"summary": "A", "description": "B", "operationId": "a"}}},
        "properties": {"description": {"type": "string", "description": "C"}, "summary": {"type": "null"}},
    }
    assert contract(document) == {
        "openapi": "3.1.0",
        "paths": {"/a": {"get": {"operationId": "a"}}},
        "properties": {"description": {"type": "string"}, "summary": {"type": "null"}},
    }
