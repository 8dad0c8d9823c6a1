"""Usage of a customer in the billing periods of one of its subscriptions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.engine_fixtures import Api, JsonObject, SettableClock, customer_path, engine_on, http

NOW = datetime(2026, 4, 29, 12, tzinfo=UTC)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """A customer in Berlin, with requests of 1 USD on some days and a subscription since 20 February."""
    with engine_on(tmp_path, SettableClock(NOW)) as engine, http(engine) as api:
        api.post("/v1/plans", {"code": "plain", "interval": "monthly", "currency": "USD"})
        api.post("/v1/customers", {"id": "ada", "time_zone": "Europe/Berlin", "effective_at": "2026-02-01T00:00:00Z"})
        subscribed = {"id": "s/1", "customer": "ada", "plan": "plain", "billing": "anniversary"}
        api.post("/v1/subscriptions", subscribed | {"effective_at": "2026-02-20T09:00:00Z"})
        days = ("2026-02-10", "2026-02-21", "2026-03-19", "2026-03-20", "2026-04-19", "2026-04-20", "2026-04-28")
        api.deliver([request(day) for day in days])
        yield api


def request(day: str) -> JsonObject:
    attributes = {"specversion": "1.0", "source": "gate", "id": day, "type": "llm.request", "subject": "ada"}
    return attributes | {"time": f"{day}T10:00:00Z", "data": {"cost_usd": "1"}}


def ask(api: Api, what: str, **query: Any) -> JsonObject:
    found: JsonObject = api.get(customer_path("ada", f"/{what}"), period="subscription:s/1", **query)
    return found


def test_current_usage_is_that_of_the_open_period(api: Api) -> None:
    found = ask(api, "current-usage")
    assert found["period"] == {"start": "2026-04-19T22:00:00.000000Z", "end": "2026-05-19T22:00:00.000000Z"}
    assert (found["usage"]["requests"], found["usage"]["cost_usd"]) == (2, "2")


def test_past_usage_is_that_of_the_periods_that_have_ended(api: Api) -> None:
    shown = [
        (one["start"], one["end"], one["now"]["cost_usd"], one["at_closing"]["cost_usd"])
        for one in ask(api, "past-usage")["periods"]
    ]
    assert shown == [
        ("2026-03-19T23:00:00.000000Z", "2026-04-19T22:00:00.000000Z", "2", "0"),
        ("2026-02-20T09:00:00.000000Z", "2026-03-19T23:00:00.000000Z", "2", "0"),
    ]
    assert len(ask(api, "past-usage", periods=1)["periods"]) == 1


def test_a_subscription_that_is_not_active_has_no_open_period(api: Api) -> None:
    for name in ("subscription:other", "subscription:"):
        problem = api.refused("GET", f"/v1/customers/ada/current-usage?period={name}", 422)
        assert problem["errors"][0]["field"] == "period"
    api.patch("/v1/subscriptions/s%2F1", {"ends_at": "2026-04-25T00:00:00Z"})
    assert "active" in api.refused("GET", "/v1/customers/ada/current-usage?period=subscription:s/1", 422)["detail"]
    assert [one["end"] for one in ask(api, "past-usage", periods=1)["periods"]] == ["2026-04-25T00:00:00.000000Z"]
    assert api.get("/v1/customers/ada/past-usage", period="subscription:other")["periods"] == []


def test_an_unknown_customer_is_not_found_and_another_name_is_refused(api: Api) -> None:
    api.refused("GET", "/v1/customers/nobody/current-usage?period=subscription:s/1", 404)
    api.refused("GET", "/v1/customers/nobody/past-usage?period=subscription:s/1", 404)
    problem = api.refused("GET", "/v1/customers/ada/past-usage?period=month", 422)
    assert problem["errors"][0]["rule"] == "must be 'usage', 'budget', or 'subscription:' and an id"
