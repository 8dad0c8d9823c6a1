"""Respan's numbers show the known cost, and a header counts the events of unknown cost that are not in them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from api.http.headers.unknown_cost import UNKNOWN_COST_HEADER
from tests.api.dialects.respan.conftest import USERS
from tests.api.dialects.unknown_cost_usage import UNPRICED, deliver_mixed_usage
from tests.engine_fixtures import Api, SettableClock, llm_request


@pytest.fixture(scope="module", autouse=True)
def usage(api: Api, clock: SettableClock) -> None:
    """`mixed` has one event of known and one of unknown cost this month, and one of unknown cost a month ago."""
    api.post("/v1/customers", {"id": "mixed", "budget": {"period_limit_usd": "1", "duration": "1mo"}})
    deliver_mixed_usage(api, clock, timedelta(days=30))


def asked(api: Api, method: str, path: str, status: int = 200, **body: Any) -> tuple[Any, str | None]:
    """The answer, and its header."""
    answer = api.send(method, path, status, **({"json": body} if body else {}))
    return answer.json(), answer.headers.get(UNKNOWN_COST_HEADER)


@pytest.mark.parametrize(
    ("customer", "spent", "told"), [("mixed", 1.5, "2"), ("unknown", 0.0, "1"), ("known", 0.5, None)]
)
def test_a_customer_shows_the_known_cost_and_counts_the_unknown_events_of_its_life(
    api: Api, customer: str, spent: float, told: str | None
) -> None:
    for shown, header in (
        asked(api, "GET", f"{USERS}/{customer}/"),
        asked(api, "GET", f"/respan/api/user/detail/{customer}/"),
        asked(api, "PATCH", f"{USERS}/{customer}/", name="Renamed"),
    ):
        assert (shown["total_period_usage"], shown["total_usage"], header) == (spent, spent, told)


def test_a_creation_counts_them_too(api: Api, clock: SettableClock) -> None:
    api.deliver([llm_request("made 1", "made", clock(), model=UNPRICED)])
    assert asked(api, "POST", f"{USERS}/create", 201, customer_identifier="made")[1] == "1"


def test_a_list_counts_the_events_of_the_customers_on_its_page(api: Api) -> None:
    page, header = asked(api, "GET", f"{USERS}/list/?page_size=2&sort_by=customer_identifier")
    assert ([(one["customer_identifier"], one["total_cost"]) for one in page["results"]], header) == (
        [("known", 0.5), ("made", 0.0)],
        "1",
    )
    filters = {"customer_identifier": {"operator": "in", "value": ["mixed", "unknown"]}}
    found, header = asked(api, "POST", f"{USERS}/list/", filters=filters)
    assert (found["count"], header) == (2, "3")
    assert asked(api, "GET", f"{USERS}/list/?page_size=1&sort_by=customer_identifier")[1] is None


def test_access_tells_that_its_values_are_lower_bounds(api: Api) -> None:
    answer = api.send("GET", "/v1/customers/mixed/access", 429, params={"as": "respan"})
    (limit,) = answer.json()["limit_info"]["limits"]
    assert (limit["current_value"], limit["limit_value"]) == (1.5, 1.0)
    assert answer.headers[UNKNOWN_COST_HEADER] == "1"
    api.patch("/v1/customers/mixed", {"budget": {"period_limit_usd": "2"}})
    allowed = api.send("GET", "/v1/customers/mixed/access", 200, params={"as": "respan"})
    assert allowed.headers[UNKNOWN_COST_HEADER] == "1"
    assert (
        UNKNOWN_COST_HEADER not in api.send("GET", "/v1/customers/known/access", 200, params={"as": "respan"}).headers
    )


def test_the_document_describes_the_header_where_money_is_shown(api: Api) -> None:
    paths = api.get("/respan/openapi.json")["paths"]
    with_header = {
        f"{method} {path.removeprefix('/respan/api')}"
        for path, operations in paths.items()
        for method, operation in operations.items()
        if any(UNKNOWN_COST_HEADER in answer.get("headers", {}) for answer in operation["responses"].values())
    }
    assert with_header == {
        "get /users/list/",
        "post /users/list/",
        "post /users/create/",
        "get /users/{customer_identifier}/",
        "patch /users/{customer_identifier}/",
        "get /user/detail/{customer_identifier}/",
        "patch /user/update/{customer_identifier}/",
    }
