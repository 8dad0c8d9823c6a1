"""Spend per day and per request, in LiteLLM's shapes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.dialects.conftest import Spend
from tests.api.dialects.litellm.conftest import made
from tests.engine_fixtures import Api

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
OCTOBER = datetime(2026, 10, 31, 12, tzinfo=UTC)


@pytest.fixture(scope="module", autouse=True)
def three_days(api: Api, spend: Spend) -> None:
    api.post("/v1/customers", {"id": "act-1", "markup_percentage": "100", "effective_at": "2026-01-01T00:00:00Z"})
    for day in range(3):
        spend("act-1", "0.25", NOON - timedelta(days=day), model="swift", input_tokens=10, output_tokens=5)
    spend("act-1", "0", NOON, model="slow", provider="other", status="failed", input_tokens=1, output_tokens=0)
    spend("act-2", "0.5", NOON, model="swift", cached_input_tokens=40, latency_ms=1500, tags=["t"])
    spend("act-3", "0.75", OCTOBER, user_api_key_hash="88dc", response_id="chatcmpl-1")
    spend("act-3", "1", OCTOBER, user_api_key_hash="other")


def activity(api: Api, **params: str | int) -> Any:
    return api.get("/customer/daily/activity", start_date="2026-11-01", end_date="2026-11-18", **params)


def test_days_come_newest_first_with_reported_cost(api: Api) -> None:
    found = activity(api, end_user_ids="act-1")
    assert [one["date"] for one in found["results"]] == ["2026-11-18", "2026-11-17", "2026-11-16"]
    assert found["results"][0]["metrics"] == {
        "spend": 0.5,
        "prompt_tokens": 11,
        "completion_tokens": 5,
        "total_tokens": 16,
        "api_requests": 2,
        "successful_requests": 1,
        "failed_requests": 1,
        "cache_read_input_tokens": 0,
        "cache_creation_input_tokens": 0,
    }
    assert (found["metadata"]["total_spend"], found["metadata"]["total_tokens"]) == (1.5, 46)


def test_a_day_is_broken_down(api: Api) -> None:
    breakdown = activity(api)["results"][0]["breakdown"]
    spent = {
        kind: {name: one["metrics"]["spend"] for name, one in breakdown[kind].items()}
        for kind in ("models", "providers", "entities")
    }
    assert spent == {
        "models": {"slow": 0.0, "swift": 1.0},
        "providers": {"acme": 1.0, "other": 0.0},
        "entities": {"act-1": 0.5, "act-2": 0.5},
    }


def test_days_come_in_pages_and_customers_can_be_left_out(api: Api) -> None:
    second = activity(api, page=2, page_size=2, exclude_end_user_ids="act-2")
    assert [one["date"] for one in second["results"]] == ["2026-11-16"]
    shown = {name: second["metadata"][name] for name in ("page", "total_pages", "has_more", "total_spend")}
    assert shown == {"page": 2, "total_pages": 2, "has_more": False, "total_spend": 1.5}


def test_days_can_be_those_of_one_key(api: Api) -> None:
    def spent(**params: str) -> Any:
        october = {"start_date": "2026-10-01", "end_date": "2026-10-31"}
        found = api.get("/customer/daily/activity", **october, **params)
        return [one["metrics"]["spend"] for one in found["results"]]

    assert [spent(api_key=key) for key in ("88dc", "nobody's", "")] == [[0.75], [], [1.75]]
    assert [spent(api_key="88dc", model=model) for model in ("swift", "slow")] == [[0.75], []]
    assert spent(api_key="88dc", end_user_ids="act-2") == []


@pytest.mark.parametrize("query", ["", "?start_date=2026-01-01", "?start_date=x&end_date=2026-01-01"])
def test_days_have_to_be_named(api: Api, query: str) -> None:
    assert set(api.send("GET", f"/end_user/daily/activity{query}", 400).json()["detail"]) == {"error"}


@pytest.mark.parametrize("day", ["9999-12-31", "1979-12-31", "0001-01-01"])
def test_a_day_on_which_no_usage_can_be_is_refused_with_the_years(api: Api, day: str) -> None:
    refused = api.send("GET", f"/customer/daily/activity?start_date={day}&end_date={day}", 400).json()
    assert refused == {"detail": {"error": "start_date must be a day of the years 1980 to 9998"}}


def test_requests_of_a_customer_are_listed(api: Api) -> None:
    found = api.get("/spend/logs/v2", end_user="act-2")
    row = found["data"][0]
    assert {name: found[name] for name in ("total", "page", "page_size", "total_pages")} == {
        "total": 1,
        "page": 1,
        "page_size": 50,
        "total_pages": 1,
    }
    assert {name: row[name] for name in ("end_user", "spend", "prompt_tokens", "completion_tokens", "status")} == {
        "end_user": "act-2",
        "spend": 0.5,
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "status": "success",
    }
    assert (row["startTime"], row["endTime"]) == ("2026-11-18T12:00:00Z", "2026-11-18T12:00:01.500000Z")


def test_requests_come_in_pages_in_the_order_asked_for(api: Api) -> None:
    def pages(**params: str | int) -> list[list[tuple[str, float]]]:
        found = [api.get("/spend/logs/v2", end_user="act-1", page_size=3, page=n, **params) for n in (1, 2, 3)]
        assert {(one["total"], one["total_pages"]) for one in found} == {(4, 2)}
        return [[(row["startTime"][:10], row["spend"]) for row in one["data"]] for one in found]

    day = "2026-11-{}".format
    newest = [(day(18), 0.0), (day(18), 0.5), (day(17), 0.5), (day(16), 0.5)]
    assert pages() == [newest[:3], newest[3:], []]
    assert pages(sort_order="asc") == [newest[:0:-1], newest[:1], []]
    assert pages(sort_by="spend")[1] == [(day(18), 0.0)]


@pytest.mark.parametrize(
    ("params", "total"),
    [
        ({"status_filter": "failure"}, 1),
        ({"model": "swift"}, 3),
        ({"min_spend": "0.5"}, 3),
        ({"max_spend": "0.49"}, 1),
        ({"start_date": "2026-11-17", "end_date": "2026-11-17"}, 1),
        ({"start_date": "2026-11-17 12:00:01"}, 2),
        ({"request_id": "no-such-request"}, 0),
    ],
)
def test_requests_can_be_narrowed_down(api: Api, params: dict[str, str], total: int) -> None:
    assert api.get("/spend/logs/v2", end_user="act-1", **params)["total"] == total


def test_a_request_is_found_by_its_key_and_by_the_id_of_its_response(api: Api) -> None:
    def customers(**params: str) -> Any:
        found = api.get("/spend/logs/v2", end_user="act-3", **params)
        assert found["total"] == len(found["data"])
        return [(one["request_id"], one["api_key"], one["spend"]) for one in found["data"]]

    of_key = [("chatcmpl-1", "88dc", 0.75)]
    assert [customers(api_key="88dc"), customers(request_id="chatcmpl-1")] == [of_key, of_key]
    assert customers(api_key="88dc", min_spend="0.76") == []


def test_a_list_of_requests_needs_only_a_key_that_reads(api: Api) -> None:
    made(api, "nothing-yet")
    assert api.get("/spend/logs/v2", end_user="nothing-yet")["data"] == []
    refused = api.send("GET", "/spend/logs/v2?start_date=yesterday", 400).json()["error"]
    assert refused["param"] == "start_date"


def test_an_instant_out_of_range_is_refused(api: Api) -> None:
    query = "?start_date=0001-01-01T00:00:00%2B14:00&end_date=2026-01-01"
    assert "start_date" in api.send("GET", f"/spend/logs/v2{query}", 400).text
