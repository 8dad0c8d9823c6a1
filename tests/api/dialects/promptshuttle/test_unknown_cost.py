"""PromptShuttle's sums show the known cost, and a header counts the events of unknown cost that are not in them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from api.http.headers.unknown_cost import UNKNOWN_COST_HEADER
from tests.api.dialects.promptshuttle.conftest import BASE
from tests.api.dialects.unknown_cost_usage import deliver_mixed_usage
from tests.engine_fixtures import Api, SettableClock


@pytest.fixture(scope="module", autouse=True)
def usage(api: Api, clock: SettableClock) -> None:
    """`mixed` has one event of known and one of unknown cost today, and one of unknown cost two months ago."""
    api.post("/v1/customers", {"id": "mixed", "budget": {"total_limit_usd": "1"}})
    deliver_mixed_usage(api, clock, timedelta(days=60))


def asked(api: Api, path: str, **params: Any) -> tuple[Any, str | None]:
    """The answer to a GET, and its header."""
    answer = api.send("GET", f"{BASE}{path}", 200, params=params)
    return answer.json(), answer.headers.get(UNKNOWN_COST_HEADER)


@pytest.mark.parametrize(
    ("customer", "sums", "told"),
    [("mixed", (1_500_000, 1.5), "1"), ("unknown", (0, 0.0), "1"), ("known", (500_000, 0.5), None)],
)
def test_usage_of_a_customer_shows_the_known_cost_of_its_window(
    api: Api, customer: str, sums: tuple[int, float], told: str | None
) -> None:
    shown, header = asked(api, f"/customers/{customer}/usage", period="30.00:00:00")
    assert ((shown["creditsUsed"], shown["costUsd"]), header) == (sums, told)


def test_usage_by_customer_counts_the_events_of_all_rows(api: Api) -> None:
    rows, header = asked(api, "/usage/by-customer", period="30.00:00:00")
    assert ([(one["externalId"], one["costUsd"]) for one in rows], header) == (
        [("mixed", 1.5), ("known", 0.5), ("unknown", 0.0)],
        "2",
    )
    assert asked(api, "/usage/by-customer", period="90.00:00:00")[1] == "3"
    assert asked(api, "/usage/by-customer", period="00:00:01")[1] is None


def test_the_invocation_log_shows_null_and_counts_the_requests_of_its_page(api: Api) -> None:
    page, header = asked(api, "/llm-logs", customerId="mixed")
    costs = [(one["usage"]["costUsd"], one["usage"]["costCredits"]) for one in page["items"]]
    assert (sorted(costs, key=str), header) == ([(1.5, 1_500_000), (None, None), (None, None)], "2")
    assert asked(api, "/llm-logs", customerId="known")[1] is None


def test_a_refusal_tells_that_the_credits_used_are_a_lower_bound(api: Api) -> None:
    refused = api.send("GET", "/v1/customers/mixed/access", 402, params={"as": "promptshuttle"})
    assert "has used 1500000 of 1000000 credits" in refused.json()["detail"]
    assert refused.headers[UNKNOWN_COST_HEADER] == "2"


def test_the_document_describes_the_header_where_money_is_shown(api: Api) -> None:
    paths = api.get("/promptshuttle/openapi.json")["paths"]
    with_header = {
        f"{method} {path.removeprefix(BASE)}"
        for path, operations in paths.items()
        for method, operation in operations.items()
        if UNKNOWN_COST_HEADER in operation["responses"].get("200", {}).get("headers", {})
    }
    assert with_header == {"get /customers/{customer_id}/usage", "get /usage/by-customer", "get /llm-logs"}
