"""All events of a filter get another model, provider, customer or tags: previewed, at once, and taken back at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.embedded.engine import EmbeddedEngine
from domain.scope import Scope
from tests.engine_fixtures import Api, JsonObject, SettableClock, customer_path, engine_on, http, key_for, llm_request

MARCH, APRIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(MARCH + timedelta(days=25))


@pytest.fixture
def engine(tmp_path: Path, clock: SettableClock) -> Iterator[EmbeddedEngine]:
    with engine_on(tmp_path / "data", clock) as made:
        yield made


@pytest.fixture
def api(engine: EmbeddedEngine) -> Iterator[Api]:
    """Two models of one provider: a request of a million tokens to `swift` is 2 USD, to `small` 0.5 USD."""
    with http(engine) as made:
        for model, price in (("swift", "2"), ("small", "0.5")):
            rates = {"input": price, "output": "0"}
            made.post("/v1/prices", {"provider": "acme", "model": model, "unit_prices": rates})
        yield made


def used(api: Api, event_id: str, customer: str = "ann", time: datetime | None = None, **data: Any) -> JsonObject:
    told = {"input_tokens": 1_000_000, "output_tokens": 0, **data}
    event = llm_request(event_id, customer, time or MARCH + timedelta(days=20), **told) | {"source": "shop"}
    assert api.deliver([event])["counts"]["counted"] == 1
    return event


def opened(api: Api, name: str, members: JsonObject, **conditions: Any) -> JsonObject:
    asked = conditions or {"sources": ["shop"]}
    made: JsonObject = api.post("/v1/corrections", {"name": name, "action": "amend", "set": members, **asked})
    return made


def committed(api: Api, name: str, members: JsonObject, **conditions: Any) -> JsonObject:
    opened(api, name, members, **conditions)
    commit = {"previewed_at": api.get(f"/v1/corrections/{name}/preview")["previewed_at"]}
    done: JsonObject = api.post(f"/v1/corrections/{name}/commit", commit, 200)["committed"]
    return done


def reverted(api: Api, name: str) -> JsonObject:
    done: JsonObject = api.post(f"/v1/corrections/{name}/revert", None, 200)["reverted"]
    return done


def amended(api: Api, event_id: str, **patch: Any) -> None:
    api.post("/v1/events/amend", {"source": "shop", "id": event_id, **patch}, 200)


def shown(api: Api, event_id: str, *names: str) -> list[Any]:
    event = api.get("/v1/events/one", source="shop", id=event_id)["event"]
    return [event[name] for name in names]


def costs(before: str, after: str, difference: str) -> JsonObject:
    return {"before_usd": before, "after_usd": after, "difference_usd": difference}


def answers(api: Api) -> list[Any]:
    """What customers and events are, without the positions and times at which that was asked."""
    told = [api.send("GET", customer_path(one, rest), None).json() for one in ("ann", "bob")
            for rest in ("/usage", "/past-usage", "/budget", "/access")]  # fmt: skip
    told += [api.get("/v1/usage", group_by="customer,model,tag", **{"from": MARCH.isoformat()})]
    told += [{"events": api.pages("/v1/events")}, *api.pages("/v1/customers")]
    return [{name: one[name] for name in one if name not in ("position", "now")} for one in told]


def test_a_wrong_model_is_set_right_and_that_is_taken_back(api: Api, clock: SettableClock) -> None:
    api.post("/v1/customers", {"id": "ann", "markup_percentage": "50", "effective_at": MARCH.isoformat()})
    sent = [used(api, "1"), used(api, "given", cost_usd="7")]
    used(api, "right", model="small")
    clock.set(APRIL + timedelta(days=2))
    made = opened(api, "model", {"model": "small"}, models=["swift"], to=APRIL.isoformat())
    assert (made["action"], made["set"]) == (
        "amend",
        {"model": "small", "provider": None, "customer": None, "add_tags": [], "remove_tags": []},
    )
    preview = api.get("/v1/corrections/model/preview")
    assert [preview[name] for name in ("events", "changed_events", "changed_customers", "changed_requests")] == [
        *(2, 2, 1, 2)
    ]
    assert (preview["difference_usd"], preview["cost_unknown_events"]) == ("-1.5", 0)
    (period,) = preview["data"]
    assert (period["cost_usd"], period["reported_cost_usd"]) == (
        costs("9.5", "8", "-1.5"),
        costs("14.25", "12", "-2.25"),
    )

    before, known_at = answers(api), preview["previewed_at"]
    done = api.post("/v1/corrections/model/commit", {"previewed_at": known_at}, 200)
    assert (done["committed"]["events"], done["committed"]["difference_usd"]) == (2, "-1.5")
    assert shown(api, "1", "model", "cost_usd") == ["small", "0.5"]
    assert shown(api, "given", "model", "cost_usd") == ["small", "7"]
    (past,) = api.get(customer_path("ann", "/past-usage"))["periods"]
    assert (past["restated"], past["at_closing"]["cost_usd"], past["now"]["cost_usd"]) == (True, "9.5", "8")
    assert api.get("/v1/corrections/model/preview")["data"] == preview["data"]
    assert api.deliver(sent)["counts"]["duplicate"] == 2
    span = {"from": MARCH.isoformat(), "to": APRIL.isoformat()}
    assert api.get("/v1/diff", since=str(known_at), **span)["difference"]["cost_usd"] == "-1.5"

    undone = reverted(api, "model")
    assert (undone["events"], undone["difference_usd"]) == (2, "1.5")
    assert answers(api) == before
    told = api.get("/v1/events/one", source="shop", id="1")
    assert [(one["kind"], one["run"]) for one in told["corrections"]] == [("amended", "model"), ("reverted", "model")]
    assert [(one["because"], one["run"] and one["run"]["name"], one["model"]) for one in told["versions"]] == [
        ("counted", None, "swift"),
        ("amended", "model", "small"),
        ("reverted", "model", "swift"),
    ]


def test_a_preview_shows_both_customers(api: Api) -> None:
    for customer, markup in (("ann", "50"), ("bob", "100")):
        created = {"id": customer, "markup_percentage": markup, "effective_at": MARCH.isoformat()}
        api.post("/v1/customers", created)
    used(api, "1")
    used(api, "of bob", "bob")
    opened(api, "customer", {"customer": "bob"})
    preview = api.get("/v1/corrections/customer/preview")
    assert (preview["events"], preview["changed_events"], preview["difference_usd"]) == (2, 1, "0")
    assert [(one["customer"], one["requests"]["after"], one["reported_cost_usd"]) for one in preview["data"]] == [
        ("ann", 0, costs("3", "0", "-3")),
        ("bob", 2, costs("4", "8", "4")),
    ]
    assert api.pages("/v1/corrections/customer/preview", limit=1) == preview["data"]
    api.post("/v1/corrections/customer/commit", {"previewed_at": preview["previewed_at"]}, 200)
    assert api.get(customer_path("bob", "/current-usage"))["usage"]["reported_cost_usd"] == "8"
    api.post("/v1/events/void", {"source": "shop", "id": "1"}, 200)
    reverted(api, "customer")
    assert shown(api, "1", "customer", "voided") == ["ann", True]
    api.post("/v1/events/unvoid", {"source": "shop", "id": "1"}, 200)
    assert api.get(customer_path("ann", "/current-usage"))["usage"]["reported_cost_usd"] == "3"


def test_tags_are_added_and_removed_and_come_back_as_they_were(api: Api) -> None:
    used(api, "1", tags=["draft", "team=a", "z"])
    used(api, "none")
    before = answers(api)
    assert committed(api, "one", {"add_tags": ["env=prod"], "remove_tags": ["draft"]})["events"] == 2
    assert shown(api, "1", "tags") + shown(api, "none", "tags") == [["team=a", "z", "env=prod"], ["env=prod"]]
    assert committed(api, "two", {"add_tags": ["late"]})["events"] == 2
    reverted(api, "one")
    assert sorted(shown(api, "1", "tags")[0]) == ["draft", "late", "team=a", "z"]
    reverted(api, "two")
    assert [sorted(one) for one in shown(api, "1", "tags") + shown(api, "none", "tags")] == [
        ["draft", "team=a", "z"],
        [],
    ]
    amended(api, "1", data={"tags": ["draft", "team=a", "z"]})
    committed(api, "again", {"remove_tags": ["draft"]})
    reverted(api, "again")
    assert answers(api) == before


def test_a_revert_leaves_what_was_amended_singly(api: Api) -> None:
    for event_id in ("tokens", "model", "replaced"):
        used(api, event_id)
    committed(api, "run", {"model": "small"})
    amended(api, "tokens", data={"input_tokens": 2_000_000})
    amended(api, "model", data={"model": "another"})
    again = llm_request("replaced", "ann", MARCH + timedelta(days=20), model="small") | {"source": "shop"}
    known_at = api.get("/v1/corrections")["position"]
    replaced = api.send("POST", f"/v1/events/replace?known_at={known_at}", 200, json=[again])
    assert replaced.json()["counts"]["amended"] == 1
    assert shown(api, "tokens", "model", "cost_usd") == ["small", "1"]
    told = api.get("/v1/events/one", source="shop", id="tokens")["corrections"]
    assert [one["member"] for one in told[-1]["changed"]] == ["data.input_tokens"]
    assert reverted(api, "run")["events"] == 1
    assert shown(api, "tokens", "model", "cost_usd") == ["swift", "4"]
    assert shown(api, "model", "model") + shown(api, "replaced", "model") == ["another", "small"]
    amended(api, "tokens", data={"status": "failed"})
    assert shown(api, "tokens", "model", "input_tokens", "status") == ["swift", 2_000_000, "failed"]


@pytest.mark.parametrize("first", ["one", "two"])
def test_two_runs_are_reverted_in_either_order(api: Api, first: str) -> None:
    api.post("/v1/customers", {"id": "bob"})
    used(api, "1")
    before = answers(api)
    committed(api, "one", {"model": "small", "customer": "bob"})
    committed(api, "two", {"model": "nobody knows", "provider": ""})
    assert shown(api, "1", "model", "provider", "customer", "cost_usd") == ["nobody knows", None, "bob", None]
    reverted(api, first)
    assert shown(api, "1", "model", "provider", "customer", "cost_usd") == (
        ["nobody knows", None, "ann", None] if first == "one" else ["small", "acme", "bob", "0.5"]
    )
    reverted(api, "two" if first == "one" else "one")
    assert answers(api) == before


def test_an_event_that_had_the_value_already_keeps_what_a_second_run_said(api: Api) -> None:
    used(api, "1")
    committed(api, "one", {"model": "small"})
    assert committed(api, "two", {"model": "small"})["events"] == 0
    assert reverted(api, "one")["events"] == 0
    assert shown(api, "1", "model") == ["small"]
    assert reverted(api, "two")["events"] == 1
    assert shown(api, "1", "model", "cost_usd") == ["swift", "2"]


def test_an_unknown_cost_that_comes_back_gets_the_price_that_is_known_by_now(api: Api) -> None:
    used(api, "1", model="new")
    assert committed(api, "run", {"model": "small"})["difference_usd"] == "0.5"
    api.post("/v1/prices", {"provider": "acme", "model": "new", "unit_prices": {"input": "9", "output": "0"}})
    assert reverted(api, "run")["difference_usd"] == "8.5"
    assert shown(api, "1", "model", "cost_usd") == ["new", "9"]


def test_a_model_gets_its_list_price_before_the_preview(api: Api) -> None:
    used(api, "1", provider="openai", model="gpt-4o")
    opened(api, "model", {"model": "gpt-4o-mini"})
    preview = api.get("/v1/corrections/model/preview")
    assert (preview["difference_usd"], preview["cost_unknown_events"]) == ("-2.35", 0)
    used(api, "late", provider="azure", model="gpt-4o")
    commit = {"previewed_at": preview["previewed_at"]}
    done = api.post("/v1/corrections/model/commit", commit, 200)["committed"]
    assert (done["events"], done["difference_usd"]) == (1, "-2.35")
    assert shown(api, "1", "cost_usd") == ["0.15"]


def test_a_repricing_is_reverted_after_an_amendment_that_was_reverted(api: Api) -> None:
    used(api, "1")
    api.post("/v1/prices", {"provider": "acme", "model": "swift", "unit_prices": {"input": "3", "output": "0"}})
    api.post("/v1/repricings", {"name": "dearer", "models": ["swift"]})
    previewed_at = api.get("/v1/repricings/dearer/preview")["previewed_at"]
    api.post("/v1/repricings/dearer/commit", {"previewed_at": previewed_at}, 200)
    committed(api, "model", {"model": "small"})
    assert shown(api, "1", "cost_usd") == ["0.5"]
    reverted(api, "model")
    assert shown(api, "1", "model", "cost_usd") == ["swift", "3"]
    api.post("/v1/repricings/dearer/revert", None, 200)
    assert shown(api, "1", "model", "cost_usd") == ["swift", "2"]


def test_other_types_get_a_customer_and_tags_but_no_model(api: Api) -> None:
    download = llm_request("1") | {"source": "shop", "type": "download", "data": {"gb": 2, "model": "of its own"}}
    api.deliver([download])
    assert committed(api, "model", {"model": "small"})["events"] == 0
    assert committed(api, "customer", {"customer": "bob", "add_tags": ["a"]})["events"] == 1
    assert shown(api, "1", "customer", "tags", "model") == ["bob", ["a"], shown(api, "1", "model")[0]]


def test_events_of_another_tenant_are_left_alone(api: Api, engine: EmbeddedEngine) -> None:
    other = replace(api, key=key_for(engine, Scope("other", "prod")))
    used(api, "1")
    used(other, "1")
    assert committed(api, "model", {"model": "small", "customer": "bob"})["events"] == 1
    assert shown(other, "1", "model", "customer") == ["swift", "ann"]
    assert other.pages("/v1/corrections") == []
    assert committed(other, "model", {"model": "slow"})["events"] == 1
    reverted(api, "model")
    assert shown(other, "1", "model") + shown(api, "1", "model") == ["slow", "swift"]
    *_, last = api.send("POST", "/v1/operations/verify", 200).text.splitlines()
    assert json.loads(last)["result"]["findings"] == []


def test_what_cannot_be_set_is_refused(api: Api) -> None:
    for body, field in (
        ({"action": "amend"}, "set"),
        ({"action": "amend", "set": {}}, "set"),
        ({"action": "void", "set": {"model": "small"}}, "set"),
        ({"action": "amend", "set": {"model": ""}}, "set.model"),
        ({"action": "amend", "set": {"customer": ".."}}, "set.customer"),
        ({"action": "amend", "set": {"add_tags": ["a"], "remove_tags": ["a"]}}, "set.remove_tags"),
        ({"action": "amend", "set": {"cost_usd": "1"}}, "set.cost_usd"),
    ):
        problem = api.refused("POST", "/v1/corrections", 422, {"name": "bad", "sources": ["shop"], **body})
        assert [one["field"] for one in problem["errors"]] == [field]


def test_a_filter_that_holds_too_many_events_is_refused_with_the_numbers(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    used(api, "1")
    used(api, "2")
    opened(api, "model", {"model": "small"})
    previewed_at = api.get("/v1/corrections/model/preview")["previewed_at"]
    monkeypatch.setattr("api.native.routes.correcting.runs.AMENDED_EVENTS_MAX", 1)
    for method, path, body in (
        ("GET", "/v1/corrections/model/preview", None),
        ("POST", "/v1/corrections/model/commit", {"previewed_at": previewed_at}),
    ):
        problem = api.refused(method, path, 409, body)
        assert "'model' holds 2 events" in problem["detail"]
