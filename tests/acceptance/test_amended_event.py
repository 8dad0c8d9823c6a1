"""An event with a wrong value is amended: every answer counts it as amended, and what it was before stays visible."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.engine_fixtures import NOON, Api, JsonObject, SettableClock, customer_path, engine_on, http, llm_request

PRICE = {"provider": "acme", "model": "swift", "unit_prices": {"input": "2", "output": "10"}}
DEARER = {"provider": "acme", "model": "swift", "unit_prices": {"input": "200", "output": "1000"}}
IDENTITY = {"source": "gateway", "id": "one"}


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def api(tmp_path: Path, clock: SettableClock) -> Iterator[Api]:
    with engine_on(tmp_path, clock) as engine, http(engine) as api:
        api.post("/v1/prices", PRICE)
        yield api


def amend(api: Api, status: int = 200, **given: Any) -> JsonObject:
    answer: JsonObject = api.send("POST", "/v1/events/amend", status, json={**IDENTITY, **given}).json()
    return answer


def one(api: Api, **asked: Any) -> JsonObject:
    answer: JsonObject = api.get("/v1/events/one", **IDENTITY, **asked)
    return answer


def usage(api: Api, customer: str = "ann", **asked: Any) -> tuple[int, int, str]:
    found = api.get(customer_path(customer, "/current-usage"), **asked)["usage"]
    return found["requests"], found["input_tokens"], found["cost_usd"]


def counts(api: Api, *events: JsonObject) -> JsonObject:
    answer: JsonObject = api.deliver(list(events))["counts"]
    return {name: count for name, count in answer.items() if count}


def test_every_answer_counts_the_amended_event(api: Api) -> None:
    api.deliver([llm_request("one"), llm_request("two")])
    answer = amend(api, data={"input_tokens": 600}, reason="the gateway lost a digit")
    assert usage(api) == (2, 700, "0.0016")
    assert [event["input_tokens"] for event in api.pages("/v1/events", customer="ann")] == [100, 600]
    assert one(api)["event"]["cost_usd"] == "0.0013"
    [correction] = answer["corrections"]
    assert (correction["kind"], correction["reason"]) == ("amended", "the gateway lost a digit")
    assert correction["changed"] == [{"member": "data.input_tokens", "before": "100", "after": "600"}]
    assert one(api)["corrections"] == answer["corrections"]


def test_every_version_stays_visible_with_why_it_was_opened(api: Api) -> None:
    counted = api.deliver([llm_request("one")])["position"]
    amended = amend(api, data={"input_tokens": 600}, customer="bea")["position"]
    voided = api.post("/v1/events/void", IDENTITY, 200)["position"]
    restored = api.post("/v1/events/unvoid", IDENTITY, 200)["position"]
    names = ("because", "counted_at", "closed_at", "customer", "input_tokens", "cost_usd", "cost_origin")
    assert [tuple(version[name] for name in names) for version in one(api)["versions"]] == [
        ("counted", counted, amended, "ann", 100, "0.0003", "price"),
        ("amended", amended, voided, "bea", 600, "0.0013", "price"),
        ("restored", restored, None, "bea", 600, "0.0013", "price"),
    ]


def test_a_cost_that_becomes_known_is_a_version_too(api: Api) -> None:
    api.deliver([llm_request("one", model="new")])
    api.post("/v1/prices", {**PRICE, "model": "new"})
    shown = [(version["because"], version["cost_usd"]) for version in one(api)["versions"]]
    assert shown == [("counted", None), ("priced", "0.0003")]


def test_an_event_that_was_voided_before_it_came_never_had_a_version_in_effect(api: Api) -> None:
    api.post("/v1/events/void", IDENTITY, 200)
    api.deliver([llm_request("one")])
    assert one(api)["versions"] == []
    amend(api, data={"input_tokens": 600})
    assert one(api)["versions"] == []
    assert one(api)["event"]["voided"]


def test_the_original_and_every_amended_event_sent_again_are_duplicates_and_anything_else_is_a_conflict(
    api: Api,
) -> None:
    sent = [llm_request("one", input_tokens=tokens) for tokens in (100, 600, 700, 800)]
    api.deliver([sent[0]])
    amend(api, data={"input_tokens": 600})
    amend(api, data={"input_tokens": 700})
    assert counts(api, *sent, sent[1]) == {"duplicate": 4, "conflict": 1}
    assert usage(api) == (1, 700, "0.0015")
    [conflict] = api.pages("/v1/rejected", outcome="conflict")
    assert conflict["differences"] == [{"member": "data.input_tokens", "counted": "700", "received": "800"}]
    assert [refused["outcome"] for refused in one(api)["refusals"]] == ["duplicate"] * 3 + ["conflict", "duplicate"]


def test_a_conflict_is_shown_with_the_event_as_it_was_when_it_came(api: Api) -> None:
    api.deliver([llm_request("one")])
    api.deliver([llm_request("one", input_tokens=800)])
    amend(api, data={"input_tokens": 600})
    [conflict] = api.pages("/v1/rejected", outcome="conflict")
    assert conflict["differences"] == [{"member": "data.input_tokens", "counted": "100", "received": "800"}]
    assert one(api)["refusals"] == [conflict]


def test_a_retry_that_leaves_out_what_intake_fills_in_is_a_duplicate_of_the_amended_event(api: Api) -> None:
    header = {"Content-Type": "application/json", "X-Meterfold-Customer": "ann"}
    for tokens, counted in ((100, 1), (600, 0)):
        event = llm_request("one", time=None, input_tokens=tokens, cost_usd="0.50")
        del event["subject"]
        if tokens == 600:
            amend(api, data={"input_tokens": 600})
        receipt = api.send("POST", "/v1/events", 200, header, json=event).json()
        assert receipt["counts"]["counted"] == counted
        assert receipt["counts"]["conflict"] == 0
    assert usage(api) == (1, 600, "0.5")


def test_an_event_goes_to_another_customer_and_another_month_with_its_usage(api: Api, clock: SettableClock) -> None:
    api.deliver([llm_request("one")])
    before = api.get("/v1/customers")["position"]
    amend(api, customer="bea", time=(NOON - timedelta(days=31)).isoformat())
    assert [customer["id"] for customer in api.pages("/v1/customers")] == ["bea"]
    assert [customer["id"] for customer in api.get("/v1/customers", as_of=before)["data"]] == ["ann"]
    assert api.refused("GET", customer_path("ann"), 404)["title"] == "Not found"
    assert usage(api, "bea") == (0, 0, "0")
    [period] = api.get(customer_path("bea", "/past-usage"))["periods"]
    assert (period["now"]["requests"], period["now"]["cost_usd"]) == (1, "0.0003")
    assert [event["id"] for event in api.pages("/v1/events", customer="bea")] == ["one"]
    assert api.pages("/v1/events", customer="ann", voided="true") == []
    api.post("/v1/events/void", IDENTITY, 200)
    assert api.pages("/v1/customers") == []
    assert [event["customer"] for event in api.pages("/v1/events", voided="true")] == ["bea"]
    api.post("/v1/events/unvoid", IDENTITY, 200)
    assert [customer["id"] for customer in api.pages("/v1/customers")] == ["bea"]


@pytest.mark.parametrize("member", ["user", "customerId"])
def test_a_customer_that_data_names_is_amended_there_too(api: Api, member: str) -> None:
    event = llm_request("one")
    del event["subject"]
    event["data"][member] = "zoe"
    moved = {**event, "data": {**event["data"], member: "yve"}}
    api.deliver([event])
    answer = amend(api, data={member: "yve"})
    assert {one["member"] for one in answer["corrections"][0]["changed"]} == {f"data.{member}", "subject"}
    assert one(api)["event"]["customer"] == "yve"
    assert usage(api, "yve")[0] == 1
    assert counts(api, event, moved) == {"duplicate": 2}


def test_a_closed_period_is_marked_restated(api: Api, clock: SettableClock) -> None:
    api.deliver([llm_request("one")])
    clock.advance(days=40)
    api.deliver([llm_request("two", time=NOON + timedelta(days=40))])
    asked = customer_path("ann", "/past-usage")
    [before] = api.get(asked)["periods"]
    amend(api, data={"input_tokens": 600})
    [after] = api.get(asked)["periods"]
    assert (before["restated"], before["now"]["cost_usd"]) == (False, "0.0003")
    assert (after["restated"], after["now"]["cost_usd"], after["at_closing"]["cost_usd"]) == (True, "0.0013", "0.0003")


def test_a_cost_stays_unless_something_changes_that_makes_it(api: Api) -> None:
    api.deliver([llm_request("one")])
    api.post("/v1/prices", DEARER)
    amend(api, data={"tags": ["team-a"], "feature": "chat"})
    assert one(api)["event"]["cost_usd"] == "0.0003"
    amend(api, data={"output_tokens": 11})
    assert one(api)["event"]["cost_usd"] == "0.031"
    amend(api, data={"cost_usd": 0.1})
    assert (one(api)["event"]["cost_usd"], one(api)["event"]["cost_origin"]) == ("0.1", "producer")
    amend(api, data={"output_tokens": 12})
    assert one(api)["event"]["cost_usd"] == "0.1"
    amend(api, data={"cost_usd": None})
    assert (one(api)["event"]["cost_usd"], one(api)["event"]["cost_origin"]) == ("0.032", "price")
    amend(api, data={"model": "unpriced"})
    assert (one(api)["event"]["cost_usd"], one(api)["event"]["cost_origin"]) == (None, "unknown")


def test_a_model_of_the_price_library_is_priced_though_no_usage_named_it_before(api: Api) -> None:
    api.deliver([llm_request("one"), llm_request("listed", provider="openai", model="gpt-4o")])
    position = amend(api, data={"provider": "openai", "model": "gpt-4o-mini"})["position"]
    of_model = {"provider": "openai", "model": "gpt-4o-mini"}
    assert {price["position"] for price in api.pages("/v1/prices", **of_model)} == {position}
    assert api.pages("/v1/prices", **of_model, as_of=position - 1) == []
    listed = [price["model"] for price in api.pages("/v1/prices") if price["origin"] == "list"]
    assert sorted(listed) == ["gpt-4o", "gpt-4o-mini"]
    assert one(api)["cost"]["price"]["model"] == "gpt-4o-mini"


def test_units_merge_by_unit_and_quantities_replace_a_usage_object(api: Api) -> None:
    told = {"prompt_tokens": 90, "completion_tokens": 7}
    data: JsonObject = {"input_tokens": None, "output_tokens": None, "usage": told, "units": {"pages": 2, "own": 1}}
    api.deliver([llm_request("one", provider="openai", **data)])
    amend(api, data={"output_tokens": 8, "units": {"own": None, "searches": 3}})
    event = one(api)["event"]
    assert (event["input_tokens"], event["output_tokens"]) == (90, 8)
    assert event["units"] == {"pages": "2", "searches": "3"}
    assert event["properties"] == {"units": {"pages": 2, "searches": 3}}


def test_what_changes_nothing_is_answered_and_not_stored(api: Api) -> None:
    api.deliver([llm_request("one")])
    before = one(api)["position"]
    assert amend(api, data={"input_tokens": 100}, customer="ann", time=NOON.isoformat())["corrections"] == []
    assert amend(api)["position"] == before


@pytest.mark.parametrize(
    ("given", "field", "rule"),
    [
        ({"data": {"input_tokens": -1}}, "data.input_tokens", "must be a whole number from 0 to 10^15"),
        ({"data": {"cached_input_tokens": 101}}, "data.cached_input_tokens", "must not exceed data.input_tokens"),
        ({"data": {"model": ""}}, "data.model", "must be a string of 1 to 256 characters without NUL"),
        ({"time": "2999-01-01T00:00:00Z"}, "time", "must be 1980-01-01 or later"),
        ({"customer": ".."}, "customer", "must not be"),
        ({"type": "disk.sampled"}, "type", "is not known here"),
        ({"data": []}, "data", "input should be a valid dictionary"),
    ],
)
def test_a_patch_that_breaks_a_rule_is_refused_with_the_field_and_the_rule(
    api: Api, given: JsonObject, field: str, rule: str
) -> None:
    api.deliver([llm_request("one")])
    before = one(api)
    problem = amend(api, 422, **given)
    assert problem["field"] == field
    assert problem["rule"].startswith(rule)
    assert one(api) == before


def test_an_event_that_was_not_counted_cannot_be_amended(api: Api) -> None:
    api.post("/v1/events/void", IDENTITY, 200)
    assert amend(api, 404, data={"input_tokens": 1})["title"] == "Not found"


def test_what_was_known_before_is_answered_as_of_then(api: Api) -> None:
    position = api.deliver([llm_request("one")])["position"]
    before = one(api)
    amend(api, data={"input_tokens": 600}, customer="bea")
    amend(api, data={"input_tokens": 700})
    assert one(api, as_of=position, at=before["now"]) == before
    assert usage(api, as_of=position) == (1, 100, "0.0003")
