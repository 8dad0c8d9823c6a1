"""A request that another one made adds tokens and money, but no request, in every API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from tests.engine_fixtures import NOON, Api, JsonObject, SettableClock, customer_path, engine_on, http, llm_request

HOUR: Final = timedelta(hours=1)
DAY: Final = 24 * HOUR
NOW: Final = NOON + 9 * DAY
FROM: Final = (NOW - 2 * DAY).date().isoformat()
TO: Final = (NOW + DAY).date().isoformat()


def used(event_id: str, days_ago: int, cost_usd: str, **data: Any) -> JsonObject:
    return llm_request(event_id, time=NOW - HOUR - days_ago * DAY, cost_usd=cost_usd, **data)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Ann's usage: yesterday a root with a failed child of another model, today an orphan and a failed root."""
    with engine_on(tmp_path_factory.mktemp("data"), SettableClock(NOW)) as engine, http(engine) as api:
        api.post("/v1/meters", {"code": "events", "event_type": "llm.request", "aggregation": "count"})
        receipt = api.deliver(
            [
                used("root", 1, "1", model="swift"),
                used("child", 1, "2", model="deep", parent_request="root", status="failed", cached_input_tokens=9),
                used("orphan", 0, "4", model="swift", parent_request="nobody knows it"),
                used("failed", 0, "8", model="swift", status="failed"),
            ]
        )
        assert receipt["counts"] == {"counted": 4, "duplicate": 0, "conflict": 0, "rejected": 0}
        yield api


def usage(api: Api, **params: str | int) -> dict[tuple[str, ...], Any]:
    """Requests and cost, or the value of a meter, by day and group."""
    found = api.get("/v1/usage", **{"from": FROM, "to": TO, **params})["data"]
    return {
        (row["window_start"][:10], *row["group"].values()): row["value"]
        if "meter" in params
        else (row["requests"], row["cost_usd"])
        for row in found
    }


def test_the_native_api_counts_roots_whole_and_by_window_and_group(api: Api) -> None:
    yesterday, today = ((NOW - days * DAY).date().isoformat() for days in (1, 0))
    assert usage(api) == {(FROM,): (2, "15")}
    assert usage(api, window="day") == {(yesterday,): (1, "3"), (today,): (1, "12")}
    assert usage(api, group_by="model") == {(FROM, "deep"): (0, "2"), (FROM, "swift"): (2, "13")}
    assert usage(api, group_by="status") == {(FROM, "failed"): (1, "10"), (FROM, "succeeded"): (1, "5")}
    assert usage(api, group_by="customer", as_of=api.get("/readyz")["position"]) == {(FROM, "ann"): (2, "15")}


def test_the_built_in_meter_counts_roots_and_a_custom_count_counts_events(api: Api) -> None:
    assert usage(api, meter="requests") == {(FROM,): "2"}
    assert usage(api, meter="requests", group_by="model") == {(FROM, "deep"): "0", (FROM, "swift"): "2"}
    assert usage(api, meter="events") == {(FROM,): "4"}


def test_the_open_period_counts_roots_by_model(api: Api) -> None:
    current = api.get(customer_path("ann", "/current-usage"))
    assert (current["usage"]["requests"], current["usage"]["cost_usd"]) == (2, "15")
    assert {one["model"]: one["requests"] for one in current["by_model"]} == {"deep": 0, "swift": 2}


def test_a_closed_period_counts_roots_at_closing_and_now(tmp_path: Path) -> None:
    clock = SettableClock(NOW)
    with engine_on(tmp_path, clock) as engine, http(engine) as api:
        api.deliver([used("root", 0, "1"), used("child", 0, "2", parent_request="root")])
        clock.set(NOW + 40 * DAY)
        api.deliver([used("late root", 0, "4"), used("late child", 0, "8", parent_request="root")])
        (period,) = api.get(customer_path("ann", "/past-usage"), periods=1)["periods"]
    shown = {name: (period[name]["requests"], period[name]["cost_usd"]) for name in ("at_closing", "now", "difference")}
    assert shown == {"at_closing": (1, "3"), "now": (2, "15"), "difference": (1, "12")}


def test_daily_activity_of_litellm_counts_roots_that_succeeded_and_failed(api: Api) -> None:
    found = api.get("/customer/daily/activity", start_date=FROM, end_date=TO)
    names = ("api_requests", "successful_requests", "failed_requests", "spend")
    today, yesterday = (tuple(day["metrics"][name] for name in names) for day in found["results"])
    assert (yesterday, today) == ((1, 1, 0, 3.0), (1, 0, 1, 12.0))
    assert tuple(found["metadata"][f"total_{name}"] for name in names) == (2, 1, 1, 15.0)


def test_respan_counts_roots_in_a_user_its_models_and_the_list(api: Api) -> None:
    user = api.get("/respan/api/users/ann/")
    shown = ("total_requests", "total_cache_hits", "top_models", "total_usage")
    assert {name: user[name] for name in shown} == {
        "total_requests": 2,
        "total_cache_hits": 0,
        "top_models": {"swift": 2},
        "total_usage": 15.0,
    }
    (listed,) = api.send("POST", "/respan/api/users/list/", 200, json={}).json()["results"]
    assert (listed["number_of_requests"], listed["total_requests"], listed["total_cost"]) == (2, 2, 15.0)


def test_promptshuttle_counts_roots(api: Api) -> None:
    found = api.get("/promptshuttle/api/v1/customers/ann/usage")
    assert (found["requestCount"], found["costUsd"]) == (2, 15.0)
