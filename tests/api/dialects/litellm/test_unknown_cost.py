"""LiteLLM's numbers show the known cost, and a header counts the events of unknown cost that are not in them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from api.http.headers.unknown_cost import UNKNOWN_COST_HEADER
from tests.api.dialects.unknown_cost_usage import UNPRICED, deliver_mixed_usage
from tests.engine_fixtures import Api, SettableClock, llm_request

BUDGETED = {"max_budget": 1, "budget_duration": "1d"}


@pytest.fixture(scope="module", autouse=True)
def usage(api: Api, clock: SettableClock) -> None:
    """`mixed` has one event of known and one of unknown cost today, and one of unknown cost a month ago."""
    for customer in ("mixed", "unknown", "known"):
        api.post("/customer/new", {"user_id": customer, **BUDGETED}, 200)
    deliver_mixed_usage(api, clock, timedelta(days=30))


def asked(api: Api, path: str, **params: Any) -> tuple[Any, str | None]:
    """The answer to a GET, and its header."""
    answer = api.send("GET", path, 200, params=params)
    return answer.json(), answer.headers.get(UNKNOWN_COST_HEADER)


def changed(api: Api, path: str, **body: Any) -> tuple[Any, str | None]:
    answer = api.send("POST", path, 200, json=body)
    return answer.json(), answer.headers.get(UNKNOWN_COST_HEADER)


@pytest.mark.parametrize(
    ("customer", "spend", "told"), [("mixed", 1.5, "1"), ("unknown", 0.0, "1"), ("known", 0.5, None)]
)
def test_a_customer_shows_what_it_is_known_to_have_spent(
    api: Api, customer: str, spend: float, told: str | None
) -> None:
    for shown, header in (
        asked(api, "/customer/info", end_user_id=customer),
        asked(api, "/end_user/info", end_user_id=customer),
        changed(api, "/customer/update", user_id=customer, alias="Renamed"),
    ):
        assert (shown["spend"], header) == (spend, told)
    blocked, header = changed(api, "/customer/block", user_ids=[customer])
    assert ([one["spend"] for one in blocked["blocked_users"]], header) == ([spend], told)
    assert changed(api, "/customer/unblock", user_ids=[customer])[1] is None


def test_without_a_duration_spend_and_header_are_those_of_the_life(api: Api, clock: SettableClock) -> None:
    api.deliver(
        [llm_request(f"life {days}", "life", clock() - timedelta(days=days), model=UNPRICED) for days in (0, 30)]
    )
    shown, header = changed(api, "/customer/new", user_id="life")
    assert (shown["spend"], header) == (0.0, "2")


def test_a_list_counts_the_events_of_all_customers_that_it_shows(api: Api) -> None:
    for name in ("list a", "list b", "list c"):
        api.deliver([llm_request(name, name, model=UNPRICED, time=None), llm_request(f"{name} 2", name, time=None)])
    page, header = asked(api, "/customer/list", search="list ", page=1, page_size=2)
    assert ([one["user_id"] for one in page], header) == (["list a", "list b"], "4")
    streamed, header = asked(api, "/customer/list", search="list ")
    assert ([one["user_id"] for one in streamed], header) == (["list a", "list b", "list c"], "6")
    known, header = asked(api, "/customer/list", search="known")
    assert ([one["user_id"] for one in known], header) == (["known", "unknown"], "1")
    assert asked(api, "/customer/list", search="known", page=1, page_size=1)[1] is None


def test_daily_activity_counts_the_events_of_all_its_days(api: Api, clock: SettableClock) -> None:
    days = {"start_date": str((clock() - timedelta(days=40)).date()), "end_date": str(clock().date())}
    shown, header = asked(api, "/customer/daily/activity", end_user_ids="mixed", page_size=1, **days)
    assert (shown["metadata"]["total_spend"], len(shown["results"]), header) == (1.5, 1, "2")
    today = {**days, "start_date": days["end_date"]}
    assert asked(api, "/customer/daily/activity", end_user_ids="mixed", **today)[1] == "1"
    assert asked(api, "/customer/daily/activity", end_user_ids="known", **days)[1] is None


def test_logs_of_spend_count_the_requests_of_unknown_cost_on_the_page(api: Api) -> None:
    page, header = asked(api, "/spend/logs/v2", end_user="mixed")
    assert (sorted(row["spend"] for row in page["data"]), header) == ([0.0, 0.0, 1.5], "2")
    first, header = asked(api, "/spend/logs/v2", end_user="mixed", page_size=1, sort_by="spend")
    assert ([row["spend"] for row in first["data"]], header) == ([1.5], None)
    assert asked(api, "/spend/logs/v2", end_user="known")[1] is None


def test_a_refusal_tells_that_its_spend_is_a_lower_bound(api: Api) -> None:
    refused = api.send("GET", "/v1/customers/mixed/access", 422, params={"as": "litellm"})
    assert "Spend=1.5, Budget=1.0" in refused.json()["error"]["message"]
    assert refused.headers[UNKNOWN_COST_HEADER] == "1"
    allowed = api.send("GET", "/v1/customers/unknown/access", 200, params={"as": "litellm"})
    assert allowed.json()["spend_is_lower_bound"] is True


def test_budgets_have_limits_alone_and_no_header(api: Api) -> None:
    assert changed(api, "/budget/new", budget_id="tier", max_budget=1)[1] is None
    assert asked(api, "/budget/list")[1] is None


def test_the_document_describes_the_header_where_money_is_shown(api: Api) -> None:
    paths = api.get("/litellm/openapi.json")["paths"]
    with_header = {
        f"{method} {path}"
        for path, operations in paths.items()
        for method, operation in operations.items()
        if UNKNOWN_COST_HEADER in operation["responses"]["200"].get("headers", {})
    }
    of_customers = (
        "post {}/new",
        "post {}/update",
        "post {}/block",
        "get {}/info",
        "get {}/list",
        "get {}/daily/activity",
    )
    both = {name.format(prefix) for name in of_customers for prefix in ("/customer", "/end_user")}
    assert with_header == {*both, "post /user/block", "get /spend/logs/v2"}
