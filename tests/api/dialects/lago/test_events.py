"""Events: one or a batch of which all or none is counted, found and listed, and counted before what they belong to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.embedded.engine import EmbeddedEngine
from tests.api.dialects.lago.conftest import APRIL_29, BASE, refusal_of
from tests.api.dialects.lago.test_billable_metrics import invalid
from tests.engine_fixtures import Api, JsonObject, SettableClock, engine_on, http

EVENTS = f"{BASE}/events"
TIMESTAMP = int(APRIL_29.timestamp())


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EmbeddedEngine]:
    with engine_on(tmp_path, SettableClock(APRIL_29)) as engine:
        yield engine


@pytest.fixture
def api(engine: EmbeddedEngine) -> Iterator[Api]:
    with http(engine) as api:
        yield api


def event(transaction_id: str = "t-1", **more: Any) -> JsonObject:
    return {"transaction_id": transaction_id, "code": "calls", "external_subscription_id": "sub", **more}


def send(api: Api, **given: Any) -> JsonObject:
    sent: JsonObject = api.post(EVENTS, {"event": event(**given)}, 200)["event"]
    return sent


def send_batch(api: Api, *events: Any) -> tuple[int, Any]:
    return refusal_of(api, "POST", "/events/batch", json={"events": list(events)})


def refused_batch(by_number: JsonObject) -> tuple[int, JsonObject]:
    shape = {"status": 422, "error": "Unprocessable Entity", "code": "validation_errors"}
    return 422, shape | {"error_details": by_number}


def listed(api: Api, **query: Any) -> list[str]:
    return [one["transaction_id"] for one in api.get(EVENTS, **query)["events"]]


def metric_and_plan(api: Api, **of_metric: Any) -> None:
    given = {"name": "Calls", "code": "calls", "aggregation_type": "count_agg", **of_metric}
    metric = api.post(f"{BASE}/billable_metrics", {"billable_metric": given}, 200)["billable_metric"]
    charge = {
        "billable_metric_id": metric["lago_id"],
        "charge_model": "standard",
        "properties": {"amount": "0.5"},
    }
    plan = {"name": "Plan", "code": "plan", "interval": "monthly", "amount_cents": 0, "amount_currency": "USD"}
    api.post(f"{BASE}/plans", {"plan": {**plan, "pay_in_advance": False, "charges": [charge]}}, 200)


def subscribe(api: Api, days_ago: int = 0, customer: str = "ada") -> None:
    started_at = (APRIL_29 - timedelta(days=days_ago)).isoformat()
    given = {"external_customer_id": customer, "plan_code": "plan", "external_id": "sub", "subscription_at": started_at}
    api.post(f"{BASE}/subscriptions", {"subscription": given}, 200)


def units(api: Api, customer: str = "ada") -> str:
    path = f"{BASE}/customers/{customer}/current_usage"
    [charge] = api.get(path, external_subscription_id="sub")["customer_usage"]["charges_usage"]
    shown: str = charge["units"]
    return shown


def test_an_event_is_answered_as_it_was_sent(api: Api) -> None:
    sent = send(api, timestamp="1777453191.590", properties={"gb": 10.5, "tags": ["a"], "model": "m", "cost_usd": "2"})
    assert sent == {
        "lago_id": sent["lago_id"],
        "transaction_id": "t-1",
        "lago_customer_id": None,
        "code": "calls",
        "timestamp": "2026-04-29T08:59:51.590Z",
        "precise_total_amount_cents": None,
        "properties": {"gb": 10.5, "tags": ["a"], "model": "m", "cost_usd": "2"},
        "lago_subscription_id": None,
        "external_subscription_id": "sub",
        "created_at": "2026-04-29T08:59:51Z",
    }
    assert api.get(f"{EVENTS}/t-1") == {"event": sent}


@pytest.mark.parametrize("cost", [7, 0.25, 0, "7", "7.50", "0"])
def test_a_cost_is_shown_as_the_number_or_the_text_that_it_was(api: Api, cost: object) -> None:
    sent = send(api, properties={"cost_usd": cost})
    shown = api.get(f"{EVENTS}/t-1")
    assert shown == {"event": sent}
    assert (type(shown["event"]["properties"]["cost_usd"]), sent["properties"]) == (type(cost), {"cost_usd": cost})


def test_a_cost_that_was_amended_is_shown_as_it_is(api: Api) -> None:
    sent = send(api, properties={"cost_usd": "7"})
    amendment = {"source": "lago/sub", "id": "t-1", "data": {"cost_usd": "8.5"}}
    api.post("/v1/events/amend", amendment, 200)
    assert api.get(f"{EVENTS}/t-1") == {"event": {**sent, "properties": {"cost_usd": 8.5}}}


def test_nulls_count_as_absent_and_now_as_the_time(api: Api) -> None:
    sent = send(api, timestamp=None, precise_total_amount_cents=None, properties=None)
    assert (sent["timestamp"], sent["properties"]) == ("2026-04-29T08:59:51.123Z", {})


@pytest.mark.parametrize("timestamp", [TIMESTAMP, TIMESTAMP + 0.0, str(TIMESTAMP), f"{TIMESTAMP}.000"])
def test_a_timestamp_may_be_a_number_or_its_text(api: Api, timestamp: object) -> None:
    assert send(api, timestamp=timestamp)["timestamp"] == "2026-04-29T08:59:51.000Z"


@pytest.mark.parametrize(
    ("given", "details"),
    [
        ({"timestamp": "2026-04-29T08:59:51Z"}, {"timestamp": ["invalid_format"]}),
        ({"timestamp": True}, {"timestamp": ["invalid_format"]}),
        ({"timestamp": "1e99999999999"}, {"timestamp": ["invalid_format"]}),
        ({"timestamp": 1e30}, {"timestamp": ["value_is_invalid"]}),
        ({"timestamp": TIMESTAMP + 10**7}, {"timestamp": ["value_is_invalid"]}),
        ({"timestamp": -5}, {"timestamp": ["value_is_invalid"]}),
        (
            {"transaction_id": None, "code": ""},
            {"transaction_id": ["value_is_mandatory"], "code": ["value_is_mandatory"]},
        ),
        ({"external_subscription_id": None}, {"external_subscription_id": ["value_is_mandatory"]}),
        ({"code": ".."}, {"code": ["value_is_invalid"]}),
        ({"properties": [1]}, {"properties": ["value_is_invalid"]}),
        ({"precise_total_amount_cents": "much"}, {"precise_total_amount_cents": ["value_is_invalid"]}),
    ],
)
def test_an_invalid_field_is_named_with_lago_s_code(api: Api, given: JsonObject, details: JsonObject) -> None:
    assert refusal_of(api, "POST", "/events", json={"event": event(**given)}) == invalid(**details)
    assert listed(api) == []


def test_a_body_without_an_event_is_a_bad_request(api: Api) -> None:
    said = "BadRequest: param is missing or the value is empty or invalid: "
    empty: JsonObject = {"event": {}}
    for path, body, name in (("/events", {}, "event"), ("/events", empty, "event"), ("/events/batch", {}, "events")):
        assert refusal_of(api, "POST", path, json=body) == (400, {"status": 400, "error": said + name})


def test_a_transaction_id_is_taken_once_in_a_subscription(api: Api) -> None:
    send(api)
    taken = invalid(transaction_id=["value_already_exist"])
    assert refusal_of(api, "POST", "/events", json={"event": event()}) == taken
    assert refusal_of(api, "POST", "/events", json={"event": event(properties={"other": 1})}) == taken
    send(api, external_subscription_id="another")
    assert len(listed(api)) == 2


def test_a_batch_is_counted_whole(api: Api) -> None:
    status, body = send_batch(api, event("t-1"), event("t-2", timestamp=TIMESTAMP - 5))
    assert (status, [one["transaction_id"] for one in body["events"]]) == (200, ["t-1", "t-2"])
    assert listed(api) == ["t-1", "t-2"]


def test_events_of_a_batch_may_be_wrapped_as_a_single_one_is(api: Api) -> None:
    status, body = send_batch(api, {"event": event("t-1")}, event("t-2"))
    assert (status, [one["transaction_id"] for one in body["events"]]) == (200, ["t-1", "t-2"])
    assert send_batch(api, {"event": None}, event("t-3")) == refused_batch({"0": {"base": ["value_is_invalid"]}})


def test_one_taken_id_refuses_a_batch_of_which_nothing_is_counted(api: Api) -> None:
    send(api, transaction_id="t-2")
    taken = {"transaction_id": ["value_already_exist"]}
    assert send_batch(api, event("t-1"), event("t-2"), event("t-3")) == refused_batch({"1": taken})
    assert send_batch(api, event("t-4"), event("t-4", properties={"other": 1})) == refused_batch({"1": taken})
    assert send_batch(api, event("t-5"), event("t-6", timestamp=TIMESTAMP + 10**7)) == refused_batch(
        {"1": {"timestamp": ["value_is_invalid"]}}
    )
    assert send_batch(api, event("t-7"), {"code": "calls"}, 3) == refused_batch(
        {
            "1": {"transaction_id": ["value_is_mandatory"]},
            "2": {"base": ["value_is_invalid"]},
        }
    )
    assert listed(api) == ["t-2"]
    assert send_batch(api, event("t-1"), event("t-3"))[0] == 200  # what was refused is free


def test_a_batch_has_1_to_100_events(api: Api) -> None:
    assert send_batch(api) == invalid(events=["no_events"])
    assert send_batch(api, *(event(f"t-{number}") for number in range(101))) == invalid(events=["too_many_events"])
    assert send_batch(api, *(event(f"t-{number}") for number in range(100)))[0] == 200


def test_events_wait_for_their_metric_and_their_subscription(api: Api) -> None:
    send(api, timestamp=TIMESTAMP - 86_400)
    [waiting] = api.pages("/v1/events", unmatched="true")
    assert (waiting["customer"], waiting["unmatched_reason"]) == (None, "no_subscription")

    metric_and_plan(api)
    subscribe(api, days_ago=2)

    assert units(api) == "1.0"
    assert api.pages("/v1/events", unmatched="true") == []
    [found] = api.get(EVENTS)["events"]
    customer = api.get(f"{BASE}/customers/ada")["customer"]
    subscription = api.get(f"{BASE}/subscriptions/sub")["subscription"]
    assert found["lago_customer_id"] == customer["lago_id"]
    assert found["lago_subscription_id"] == subscription["lago_id"]


def test_an_event_before_the_subscription_is_none_of_it(api: Api) -> None:
    metric_and_plan(api)
    subscribe(api)
    send(api, timestamp=TIMESTAMP - 86_400)
    assert units(api) == "0.0"
    assert [one["unmatched_reason"] for one in api.pages("/v1/events", unmatched="true")] == ["no_subscription"]


def test_an_event_of_a_customer_alone_is_one_of_its_only_subscription(api: Api) -> None:
    metric_and_plan(api)
    subscribe(api)
    sent = send(api, external_subscription_id=None, external_customer_id="ada")
    assert sent["external_subscription_id"] is None
    assert units(api) == "1.0"


def test_any_producer_s_event_feeds_a_subscription(api: Api) -> None:
    metric_and_plan(api)
    subscribe(api)
    data = {"subscription": "sub"}
    api.deliver([{"specversion": "1.0", "source": "gate", "id": "1", "type": "calls", "subject": "ada", "data": data}])
    assert units(api) == "1.0"
    assert listed(api) == []


def test_a_property_named_subscription_stays_one(api: Api) -> None:
    sent = send(api, properties={"subscription": {"own": 1}}, precise_total_amount_cents="12.5")
    assert sent["properties"] == {"subscription": {"own": 1}}
    assert api.get(f"{EVENTS}/t-1")["event"] == sent


def test_an_event_without_a_value_by_the_expression_of_its_metric_is_refused(api: Api) -> None:
    metric_and_plan(api, aggregation_type="sum_agg", field_name="total", expression="event.properties.a * 2")
    subscribe(api)
    failed = "expression_evaluation_failed: "
    status, body = refusal_of(api, "POST", "/events", json={"event": event()})
    assert (status, body["error_details"][: len(failed)]) == (422, failed)
    status, body = send_batch(api, event("t-1", properties={"a": 1}), event("t-2"))
    assert (status, list(body["error_details"])) == (422, ["1"])
    assert body["error_details"]["1"].startswith(failed)
    send(api, properties={"a": "1.5"})
    assert units(api) == "3.0"


def test_a_list_of_events_is_filtered_and_paged(api: Api) -> None:
    for number in range(5):
        send(api, transaction_id=f"t-{number}", timestamp=TIMESTAMP - 60 * number)
    send(api, transaction_id="other", code="bytes", external_subscription_id="another")
    assert listed(api, code="bytes") == ["other"]
    assert listed(api, external_subscription_id="sub", page=2, per_page=2) == ["t-2", "t-3"]
    assert api.get(EVENTS, external_subscription_id="sub", page=2, per_page=2)["meta"] == {
        "current_page": 2,
        "next_page": 3,
        "prev_page": 1,
        "total_pages": 3,
        "total_count": 5,
    }
    bounds = {"timestamp_from": "2026-04-29T08:57:51Z", "timestamp_to": "2026-04-29T08:58:51Z"}
    assert listed(api, **bounds) == ["t-1", "t-2"]
    metric_and_plan(api)
    subscribe(api)
    assert listed(api, external_subscription_id="sub", timestamp_from_started_at="true") == []
    assert refusal_of(api, "GET", "/events?timestamp_from=yesterday") == invalid(timestamp_from=["value_is_invalid"])


def test_an_unknown_event_is_not_found(api: Api) -> None:
    missing = 404, {"status": 404, "error": "Not Found", "code": "event_not_found"}
    assert refusal_of(api, "GET", "/events/nothing") == missing
    send(api, transaction_id="a/b?c")
    assert api.get(f"{EVENTS}/a%2Fb%3Fc")["event"]["transaction_id"] == "a/b?c"


@pytest.mark.parametrize("segment", ["t%2F1", "t/1"])
def test_a_transaction_id_may_have_slashes_that_are_not_escaped(api: Api, segment: str) -> None:
    send(api, transaction_id="t/1")
    assert api.get(f"{BASE}/events/{segment}")["event"]["transaction_id"] == "t/1"
