"""The request log: what counts, one event explained, what was refused, voids."""

from __future__ import annotations

import json

import pytest

from api.native.routes.events import CONFLICTS_PAGE_MAX
from tests.engine_fixtures import Api, JsonObject, llm_request

SENT: JsonObject = {
    "specversion": "1.0",
    "id": "e1",
    "source": "gw",
    "type": "llm.request",
    "subject": "lou",
    "time": "2026-03-02T00:00:00.123456789Z",
    "traceparent": "00-1",
    "data": {
        "provider": "openai",
        "model": "gpt-4",
        "input_tokens": 1000,
        "cached_input_tokens": 0,
        "output_tokens": 100,
        "tags": ["a", "b"],
        "latency_ms": 12.5,
        "region": "eu",
    },
}


def test_an_event_is_shown_as_it_was_sent(api: Api) -> None:
    position = api.deliver([SENT])["position"]
    (shown,) = api.get("/v1/events", customer="lou")["data"]
    assert shown == {
        "source": "gw",
        "id": "e1",
        "type": "llm.request",
        "customer": "lou",
        "time": "2026-03-02T00:00:00.123456Z",
        "recorded_at": "2026-03-10T12:00:00.000000Z",
        "position": position,
        "provider": "openai",
        "model": "gpt-4",
        "status": "succeeded",
        "input_tokens": 1000,
        "cached_input_tokens": 0,
        "cache_write_tokens": 0,
        "output_tokens": 100,
        "reasoning_tokens": 0,
        "total_tokens": 1100,
        "units": {},
        "requests": 1,
        "cost_usd": "0.036",
        "cost_origin": "price",
        "voided": False,
        "unmatched": False,
        "unmatched_reason": None,
        "subscription": None,
        "parent_request": None,
        "hold_id": None,
        "latency_ms": "12.5",
        "ttft_ms": None,
        "tags": ["a", "b"],
        "properties": {"region": "eu"},
        "extensions": {"traceparent": "00-1"},
    }


def test_one_event_is_explained(api: Api) -> None:
    api.post("/v1/customers", {"id": "exa", "markup_percentage": "50", "effective_at": "2026-01-01T00:00:00Z"})
    api.deliver([{**SENT, "id": "x1", "subject": "exa"}, {**SENT, "id": "x1", "subject": "other"}])
    found = api.get("/v1/events/one", source="gw", id="x1")
    price = found["cost"].pop("price")
    assert (found["outcome"], found["event"]["customer"]) == ("counted", "exa")
    assert found["cost"] == {
        "cost_usd": "0.036",
        "markup_percentage": "50",
        "reported_cost_usd": "0.054",
        "discounts": [],
        "unit_prices": {
            "input": "30",
            "output": "60",
            "cached_input": None,
            "cache_write": None,
            "reasoning": None,
            "request": None,
        },
        "applied": {
            "effective_from": None,
            "hours": None,
            "when": [],
            "rates": {
                "input_tokens": {"price": "30", "per": 1_000_000},
                "output_tokens": {"price": "60", "per": 1_000_000},
            },
        },
    }
    assert (price["origin"], price["provider"], price["model"]) == ("list", "openai", "gpt-4")
    march = {"start": "2026-03-01T00:00:00.000000Z", "end": "2026-04-01T00:00:00.000000Z"}
    assert found["totals"] == {"life": 1, "usage_period": march, "budget_period": None, "day": "2026-03-02"}
    assert [(one["outcome"], one["customer"]) for one in found["refusals"]] == [("conflict", "other")]


def test_an_event_that_never_came_is_not_found(api: Api) -> None:
    assert api.refused("GET", "/v1/events/one?source=gw&id=never", 404)["type"] == "/problems/not_found"
    assert api.refused("GET", "/v1/events/one?source=gw", 422)["field"] == "id"


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ({}, ["f3", "f2", "f1"]),
        ({"model": "m2"}, ["f2"]),
        ({"status": "failed"}, ["f3"]),
        ({"tag": "blue"}, ["f1"]),
        ({"type": "llm.request"}, ["f3", "f2", "f1"]),
        ({"from": "2026-03-02T00:00:00Z"}, ["f3", "f2"]),
        ({"from": "2026-03-02"}, ["f3", "f2"]),
        ({"to": "2026-03-02"}, ["f1"]),
        ({"from": "2026-03-01T00:00:00Z", "to": "2026-03-03T00:00:00Z"}, ["f2", "f1"]),
    ],
)
def test_the_request_log_is_filtered_newest_first(api: Api, filters: dict[str, str], ids: list[str]) -> None:
    api.deliver(
        [
            {**llm_request("f1", "fay", tags=["blue"]), "time": "2026-03-01T00:00:00Z"},
            {**llm_request("f2", "fay", model="m2"), "time": "2026-03-02T00:00:00Z"},
            {**llm_request("f3", "fay", status="failed"), "time": "2026-03-03T00:00:00Z"},
        ]
    )
    assert [one["id"] for one in api.pages("/v1/events", customer="fay", **filters)] == ids
    assert [one["id"] for one in api.pages("/v1/events", customer="fay", limit=1, **filters)] == ids


def test_an_event_that_feeds_no_meter_is_marked_and_listed_until_one_reads_it(api: Api) -> None:
    api.deliver(
        [{**llm_request(f"u{number}", "uma"), "type": "walk.taken"} for number in range(3)] + [llm_request("u9", "uma")]
    )
    unmatched = api.pages("/v1/events", customer="uma", unmatched="true", limit=2)
    assert {one["id"]: one["unmatched_reason"] for one in unmatched} == dict.fromkeys(("u0", "u1", "u2"), "no_meter")
    assert [one["id"] for one in api.pages("/v1/events", customer="uma", unmatched="false")] == ["u9"]
    api.post("/v1/meters", {"code": "walks", "event_type": "walk.taken", "aggregation": "count"})
    assert api.pages("/v1/events", customer="uma", unmatched="true") == []


def test_what_was_rejected_is_listed_with_its_reason_and_original(api: Api) -> None:
    receipt = api.deliver_bytes(b'{"id": "no source"}\n{not json}\n', "application/x-ndjson")
    newest, oldest = api.get("/v1/rejected", limit=2)["data"]
    assert (newest["reason"], newest["original"], newest["position"]) == ("not_json", "{not json}", receipt["position"])
    assert (oldest["id"], oldest["outcome"]) == ("no source", "rejected")
    assert [one["reason"] for one in api.pages("/v1/rejected", reason="not_json", limit=1)] == ["not_json"]


def test_conflicts_and_duplicates_are_listed_on_demand(api: Api) -> None:
    api.deliver([llm_request("d1", "dan"), llm_request("d1", "dan"), llm_request("d1", "dan", status="failed")])
    for outcome in ("duplicate", "conflict"):
        assert [one["id"] for one in api.get("/v1/rejected", outcome=outcome)["data"] if one["customer"] == "dan"] == [
            "d1"
        ]


def test_of_a_conflict_both_events_are_shown_and_what_differs(api: Api) -> None:
    first = {**llm_request("c1", "cat", cost_usd="1", model="m", size=1.0), "time": "2026-03-02T00:00:00Z"}
    second = {**first, "data": {**first["data"], "cost_usd": "2.50", "size": 2, "region": "eu"}}
    api.deliver([first, {**first, "data": {**first["data"], "size": 1}}, second])
    (listed,) = (one for one in api.get("/v1/rejected", outcome="conflict")["data"] if one["customer"] == "cat")
    counted, received = json.loads(listed["counted"]), json.loads(listed["original"])
    assert (counted["subject"], counted["time"]) == ("cat", "2026-03-02T00:00:00.000000Z")
    assert [(one["data"]["cost_usd"], one["data"]["size"]) for one in (counted, received)] == [("1", 1), ("2.5", 2)]
    assert listed["differences"] == [
        {"member": "data.cost_usd", "counted": '"1"', "received": '"2.5"'},
        {"member": "data.region", "counted": None, "received": '"eu"'},
        {"member": "data.size", "counted": "1", "received": "2"},
    ]
    duplicate, conflict = api.get("/v1/events/one", source="gateway", id="c1")["refusals"]
    assert conflict == listed
    assert (duplicate["outcome"], duplicate["original"], duplicate["differences"]) == ("duplicate", None, None)


def test_a_page_of_conflicts_is_bounded_and_goes_on(api: Api) -> None:
    ids = [f"many-{number}" for number in range(CONFLICTS_PAGE_MAX + 5)]
    api.deliver([llm_request(event_id, "con", input_tokens=tokens) for tokens in (1, 2) for event_id in ids])
    assert len(api.get("/v1/rejected", outcome="conflict", limit=1_000)["data"]) == CONFLICTS_PAGE_MAX
    listed = api.pages("/v1/rejected", outcome="conflict", limit=1_000)
    assert [one["id"] for one in listed if one["customer"] == "con"] == ids[::-1]


def test_the_void_of_an_event_that_nobody_sent_waits_for_it(api: Api) -> None:
    identity = {"source": "gateway", "id": "to come"}
    assert api.post("/v1/events/void", identity, status=200)["waits_for_event"] is True
    assert api.post("/v1/events/unvoid", identity, status=200)["waits_for_event"] is False
    api.post("/v1/events/void", identity, status=200)
    api.deliver([llm_request("to come", "wendy")])
    again = api.post("/v1/events/void", identity, status=200)
    assert (again["voided"], again["waits_for_event"]) == (True, False)


def test_a_void_takes_an_event_out_of_all_totals_until_it_is_taken_back(api: Api) -> None:
    api.deliver([{**llm_request("v1", "vic", cost_usd="2"), "time": "2026-03-05T00:00:00Z"}])
    identity = {"source": "gateway", "id": "v1"}
    voided = api.post("/v1/events/void", {**identity, "reason": "billed twice"}, status=200)
    assert (voided["voided"], [one["reason"] for one in voided["corrections"]]) == (True, ["billed twice"])
    api.refused("GET", "/v1/customers/vic/current-usage", 404)  # no event of it holds
    assert api.get("/v1/events", customer="vic")["data"] == []
    assert [one["voided"] for one in api.get("/v1/events", customer="vic", voided="true")["data"]] == [True]
    assert api.get("/v1/events/one", **identity)["totals"] is None
    restored = api.post("/v1/events/unvoid", identity, status=200)
    assert (restored["voided"], len(restored["corrections"])) == (False, 2)
    assert api.get("/v1/customers/vic/current-usage")["usage"]["cost_usd"] == "2"
