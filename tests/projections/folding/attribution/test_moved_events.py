"""An event with the customer of its subscription waits for it, and moves where a later fact tells another customer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.engine_fixtures import NOON, Api, JsonObject, SettableClock, engine_on, http

SOURCE, ID = "lago/s", "e-1"
ASKED = {"from": "2025-05-01T00:00:00Z", "to": "2025-07-01T00:00:00Z", "timezone": "UTC", "group_by": "customer"}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with engine_on(tmp_path / "data", SettableClock()) as engine, http(engine) as api:
        api.post("/v1/plans", {"code": "plain", "interval": "monthly", "currency": "USD"})
        api.post("/v1/prices", price("0.5"))
        yield api


def price(each: str, **of: str) -> JsonObject:
    return {"provider": "acme", "model": "swift", "unit_prices": {"input": each, "output": "1"}, **of}


def days_ago(days: int) -> str:
    return (NOON - timedelta(days=days)).isoformat()


def send(api: Api, days: int = 2, event_id: str = ID, **more: Any) -> JsonObject:
    data = {"provider": "acme", "model": "swift", "input_tokens": 4_000_000, "subscription": "s"}
    event = {"specversion": "1.0", "source": SOURCE, "id": event_id, "type": "llm.request", "time": days_ago(days)}
    receipt: JsonObject = api.deliver([event | {"data": data} | more])
    return receipt


def subscribe(api: Api, customer: str, days: int) -> None:
    body = {"id": "s", "customer": customer, "plan": "plain", "effective_at": days_ago(days)}
    api.post("/v1/subscriptions", body)


def costs(api: Api) -> dict[str | None, str]:
    return {row["group"]["customer"]: row["cost_usd"] for row in api.get("/v1/usage", **ASKED)["data"]}


def versions(api: Api) -> list[tuple[str, str | None, str]]:
    shown = api.get("/v1/events/one", source=SOURCE, id=ID)["versions"]
    return [(one["because"], one["customer"], one["cost_usd"]) for one in shown]


def test_it_has_no_customer_until_its_subscription_has_one(api: Api) -> None:
    assert send(api)["counts"]["counted"] == 1
    assert costs(api) == {None: "2"}
    assert [event["customer"] for event in api.pages("/v1/events")] == [None]
    assert api.pages("/v1/customers") == []

    subscribe(api, "ada", days=3)

    assert costs(api) == {"ada": "2"}
    assert [event["customer"] for event in api.pages("/v1/events")] == ["ada"]
    assert versions(api) == [("counted", None, "2"), ("moved", "ada", "2")]
    assert send(api)["counts"]["duplicate"] == 1


def test_it_has_no_customer_outside_of_the_life_of_the_subscription(api: Api) -> None:
    subscribe(api, "ada", days=2)
    send(api, days=3, event_id="before")
    send(api, days=1, event_id="within")
    assert costs(api) == {None: "2", "ada": "2"}

    api.patch("/v1/subscriptions/s", {"ends_at": days_ago(1)})

    assert costs(api) == {None: "4"}


def test_the_deletion_of_its_customer_takes_the_later_ones(api: Api) -> None:
    subscribe(api, "ada", days=5)
    send(api, days=4, event_id="earlier")
    send(api, days=1, event_id="later")
    api.delete(f"/v1/customers/ada?effective_at={days_ago(2).replace('+', '%2B')}")
    assert costs(api) == {"ada": "2", None: "2"}


def test_a_deletion_from_before_a_restart_ends_a_subscription_that_began_before_it(tmp_path: Path) -> None:
    with engine_on(tmp_path / "data", SettableClock()) as engine, http(engine) as api:
        api.post("/v1/plans", {"code": "plain", "interval": "monthly", "currency": "USD"})
        api.post("/v1/customers", {"id": "ada", "effective_at": days_ago(9)})
        api.delete(f"/v1/customers/ada?effective_at={days_ago(2).replace('+', '%2B')}")
        send(api, days=4, event_id="earlier")
        send(api, days=1, event_id="later")
    with engine_on(tmp_path / "data", SettableClock()) as engine, http(engine) as api:
        subscribe(api, "ada", days=5)
        shown = {event["id"]: event["customer"] for event in api.pages("/v1/events")}
    assert shown == {"earlier": "ada", "later": None}


def test_its_cost_follows_the_own_price_of_its_customer(api: Api) -> None:
    api.post("/v1/customers", {"id": "ada", "effective_at": days_ago(9)})
    api.post("/v1/prices", price("3", customer="ada"))
    send(api)

    subscribe(api, "ada", days=3)
    assert costs(api) == {"ada": "12"}

    api.patch("/v1/subscriptions/s", {"ends_at": days_ago(2)})
    assert costs(api) == {None: "2"}
    assert versions(api) == [("counted", None, "2"), ("moved", "ada", "12"), ("moved", None, "2")]


def test_a_voided_one_moves_too_and_is_restored_where_it_belongs(api: Api) -> None:
    send(api)
    api.post("/v1/events/void", {"source": SOURCE, "id": ID}, 200)
    subscribe(api, "ada", days=3)
    assert costs(api) == {}
    api.post("/v1/events/unvoid", {"source": SOURCE, "id": ID}, 200)
    assert costs(api) == {"ada": "2"}


def test_an_amended_time_may_be_that_of_another_customer(api: Api) -> None:
    subscribe(api, "ada", days=3)
    send(api)
    api.post("/v1/events/amend", {"source": SOURCE, "id": ID, "time": days_ago(4)}, 200)
    assert costs(api) == {None: "2"}
    api.post("/v1/events/amend", {"source": SOURCE, "id": ID, "time": days_ago(1)}, 200)
    assert costs(api) == {"ada": "2"}


def test_it_must_not_name_a_customer(api: Api) -> None:
    [outcome] = send(api, subject="ada")["outcomes"]
    assert (outcome["outcome"], outcome["reason"]) == ("rejected", "subject_invalid")
    assert "subject: must be absent" in outcome["detail"]
    given = {"source": SOURCE, "id": ID, "customer": "ada"}
    send(api)
    problem = api.refused("POST", "/v1/events/amend", 422, given)
    assert problem["errors"][0]["field"] == "customer"


def test_members_that_name_the_customer_of_other_events_are_plain_properties(api: Api) -> None:
    subscribe(api, "ada", days=3)
    data = {"user": "bob", "customerId": "eve", "subscription": "s"}
    send(api, type="api.call", data=data)
    [event] = api.pages("/v1/events")
    assert (event["customer"], event["properties"]) == ("ada", {"user": "bob", "customerId": "eve"})
