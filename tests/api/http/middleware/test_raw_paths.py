"""Ids in a path may hold any character; a segment is decoded exactly once."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.middleware.raw_paths import SegmentConvertor, by_path, canonical_path
from api.http.problems import Problem
from tests.engine_fixtures import Api, customer_path

HOSTILE = (
    "a/b",
    "a%2Fb",
    "..%2f",
    "../x",
    "é",
    "a b",
    "a+b",
    "?x=1&y",
    "#",
    "%",
    "...",
    "日本",
    "a\\b",
    ";",
    "'--",
    "block",
)
TEXT = st.text(st.characters(codec="utf-8"), min_size=1)


def get(api: Api, raw_path: str) -> Any:
    return api.send("GET", raw_path, None)


@pytest.mark.parametrize("customer", HOSTILE)
def test_a_customer_is_found_under_the_very_id_it_was_created_with(api: Api, customer: str) -> None:
    assert api.post("/v1/customers", {"id": customer})["id"] == customer
    assert api.get(customer_path(customer))["id"] == customer
    assert api.get(customer_path(customer, "/current-usage"))["customer"] == customer


@pytest.mark.parametrize("customer", HOSTILE)
def test_every_customer_route_also_exists_by_query(api: Api, customer: str) -> None:
    api.send("POST", "/v1/customers", None, json={"id": customer})
    for rest in ("", "/history", "/usage", "/current-usage", "/past-usage", "/budget", "/access"):
        assert api.get(f"/v1/customer{rest}", customer=customer) == api.get(customer_path(customer, rest))


def test_commands_reach_a_customer_by_query(api: Api) -> None:
    api.post("/v1/customers", {"id": "by query/1"})
    assert api.post("/v1/customer/block?customer=by+query%2F1", status=200)["blocked"] is True
    assert api.patch("/v1/customer?customer=by%20query/1", {"name": "Q"})["name"] == "Q"


def test_an_escaped_escape_is_another_customer(api: Api) -> None:
    api.post("/v1/customers", {"id": "x/y", "name": "slash"})
    api.post("/v1/customers", {"id": "x%2Fy", "name": "literal"})
    assert (api.get("/v1/customers/x%2Fy")["name"], api.get("/v1/customers/x%252Fy")["name"]) == ("slash", "literal")


def test_an_unescaped_slash_is_no_part_of_an_id(api: Api) -> None:
    assert get(api, "/v1/customers/a/b").status_code == 404


@pytest.mark.parametrize("dots", ["%2E", "%2E%2E"])
def test_dots_alone_are_no_id(api: Api, dots: str) -> None:
    problem = api.refused("GET", f"/v1/customers/{dots}", 422)
    assert (problem["type"], problem["field"]) == ("/problems/id_invalid", "customer")


def test_a_path_that_is_not_utf8_is_refused(api: Api) -> None:
    assert api.refused("GET", "/v1/customers/%FF", 400)["type"] == "/problems/path_invalid"


@pytest.mark.parametrize("query", ["", "?customer=", "?customer=a&customer=b", "?custmer=a"])
def test_a_route_by_query_names_exactly_one_customer(api: Api, query: str) -> None:
    problem = api.refused("GET", f"/v1/customer/usage{query}", 422)
    assert problem["field"] == "customer"


def test_a_path_may_spell_its_fixed_parts_in_any_way(api: Api) -> None:
    assert get(api, "/%761/customers").json() == api.get("/v1/customers")


@given(TEXT)
def test_any_text_survives_the_path(text: str) -> None:
    segment = canonical_path(b"/v1/customers/" + quote(text, safe="").encode()).removeprefix("/v1/customers/")
    assert "/" not in segment
    assert SegmentConvertor().convert(segment) == text


@given(TEXT, st.lists(st.sampled_from([b"limit=3", b"from=a%2Fb", b"x"]), max_size=3))
def test_a_route_by_query_is_the_route_by_path(text: str, rest: list[bytes]) -> None:
    query = b"&".join([*rest, b"customer=" + quote(text, safe="").encode()])
    assert by_path("/v1/customer/usage", query) == (f"/v1/customers/{quote(text, safe='')}/usage", b"&".join(rest))


@given(st.binary(min_size=1))
def test_any_bytes_are_a_path_or_a_problem(raw: bytes) -> None:
    encoded = quote(raw, safe="").encode()
    try:
        expected = raw.decode()
    except UnicodeDecodeError:
        with pytest.raises(Problem, match="path_invalid"):
            canonical_path(encoded)
    else:
        assert SegmentConvertor().convert(canonical_path(encoded)) == expected
