"""A cursor that no page gave is refused, whatever it holds."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any

import pytest

from api.http.paging import CURSOR_NUMBER_MAX, cursor_number, cursor_text
from api.http.problems import Problem
from tests.engine_fixtures import Api, llm_request

FORGED = [
    ("/v1/events", "events", ["0001-01-01T00:00:00+14:00", 1]),
    ("/v1/events", "events", ["9999-12-31T23:59:59-14:00", 1]),
    ("/v1/events", "events", ["2026-01-01T00:00:00Z", 2**63]),
    ("/v1/events", "events", ["2026-01-01T00:00:00Z", -1]),
    ("/v1/rejected", "rejected", 2**63),
    ("/v1/prices", "prices", -1),
    ("/v1/discounts", "discounts", -1),
    ("/v1/discounts", "discounts", 2**63),
    ("/v1/customers/pat/history", "history", 2**64),
    ("/v1/meters", "meters", ["a"]),
]


@pytest.fixture(scope="module", autouse=True)
def customer(api: Api) -> None:
    api.deliver([llm_request("paged", "pat")])


@pytest.mark.parametrize(("path", "kind", "values"), FORGED)
def test_a_forged_cursor_is_refused(api: Api, path: str, kind: str, values: Any) -> None:
    assert api.refused("GET", f"{path}?cursor={cursor_text(kind, values)}", 422)["field"] == "cursor"


@pytest.mark.parametrize("text", [b"[" * 6_000, b"\xff", b"{}", b'["events"]', b""])
def test_a_cursor_that_is_no_list_of_a_name_and_values_is_refused(api: Api, text: bytes) -> None:
    given = urlsafe_b64encode(text).decode().rstrip("=")
    assert api.refused("GET", f"/v1/events?cursor={given}", 422)["field"] == "cursor"


def test_numbers_in_cursors_fit_64_bits() -> None:
    assert cursor_number("list", cursor_text("list", CURSOR_NUMBER_MAX)) == CURSOR_NUMBER_MAX
    with pytest.raises(Problem):
        cursor_number("list", cursor_text("list", CURSOR_NUMBER_MAX + 1))
