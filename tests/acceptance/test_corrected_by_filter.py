"""The events of a filter are voided or restored: previewed by customer and period, at once, and taken back at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.engine_fixtures import Api, JsonObject, SettableClock, customer_path, engine_on, http, llm_request

MARCH, APRIL, MAY = (datetime(2026, month, 1, tzinfo=UTC) for month in (3, 4, 5))


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(MARCH + timedelta(days=25))


@pytest.fixture
def api(tmp_path: Path, clock: SettableClock) -> Iterator[Api]:
    with engine_on(tmp_path / "data", clock) as engine, http(engine) as made:
        yield made


def used(api: Api, event_id: str, customer: str = "ann", time: datetime | None = None, **data: Any) -> None:
    """A request of the test key, which costs a dollar unless `data` says otherwise."""
    event = llm_request(event_id, customer, time or MARCH + timedelta(days=20), **{"cost_usd": "1", **data})
    assert api.deliver([event | {"source": "test"}])["counts"]["counted"] == 1


def opened(api: Api, name: str, action: str = "void", **conditions: Any) -> JsonObject:
    asked = conditions or {"sources": ["test"]}
    made: JsonObject = api.post("/v1/corrections", {"name": name, "action": action, **asked})
    return made


def committed(api: Api, name: str, action: str = "void", **conditions: Any) -> JsonObject:
    """A run that is opened, previewed and committed; its commit."""
    opened(api, name, action, **conditions)
    previewed_at = api.get(f"/v1/corrections/{name}/preview")["previewed_at"]
    done: JsonObject = api.post(f"/v1/corrections/{name}/commit", {"previewed_at": previewed_at}, 200)["committed"]
    return done


def reverted(api: Api, name: str) -> JsonObject:
    done: JsonObject = api.post(f"/v1/corrections/{name}/revert", None, 200)["reverted"]
    return done


def singly(api: Api, verb: str, event_id: str = "1") -> JsonObject:
    answer: JsonObject = api.post(f"/v1/events/{verb}", {"source": "test", "id": event_id}, 200)
    return answer


def is_voided(api: Api, event_id: str = "1") -> bool:
    voided: bool = api.get("/v1/events/one", source="test", id=event_id)["event"]["voided"]
    return voided


def costs(before: str, after: str, difference: str) -> JsonObject:
    return {"before_usd": before, "after_usd": after, "difference_usd": difference}


def counts(before: int, after: int) -> JsonObject:
    return {"before": before, "after": after, "difference": after - before}


def answers(api: Api) -> list[Any]:
    """What customers and events are, without the positions and times at which that was asked."""
    told = [api.send("GET", customer_path(one, rest), None).json() for one in ("ann", "bob")
            for rest in ("/usage", "/past-usage", "/budget", "/access")]  # fmt: skip
    told += [api.get("/v1/usage", group_by="customer,model", **{"from": MARCH.isoformat()})]
    told += [{"events": api.pages("/v1/events")}, *api.pages("/v1/customers")]
    return [{name: one[name] for name in one if name not in ("position", "now")} for one in told]


def test_the_traffic_of_a_test_key_is_voided_and_that_is_taken_back(api: Api, clock: SettableClock) -> None:
    api.post("/v1/customers", {"id": "ann", "markup_percentage": "50", "effective_at": MARCH.isoformat()})
    real = llm_request("real", "ann", MARCH + timedelta(days=20), cost_usd="2")
    api.deliver([real])
    used(api, "1")
    used(api, "unknown", model="nobody knows", cost_usd=None)
    clock.set(APRIL + timedelta(days=2))
    used(api, "2", time=APRIL + timedelta(days=1), cost_usd="4")
    used(api, "of bob", "bob", APRIL + timedelta(days=1), cost_usd="0.000000000001")
    asked = {"sources": ["test"], "from": (MARCH + timedelta(days=20)).isoformat(), "to": MAY.isoformat()}
    made = opened(api, "key", "void", **asked)
    assert (made["state"], made["action"], made["committed"], made["previewed_at"]) == ("open", "void", None, None)

    preview = api.get("/v1/corrections/key/preview")
    assert [preview[name] for name in ("events", "changed_events", "changed_customers", "changed_requests")] == [
        *(4, 4, 2, 4)
    ]
    assert (preview["cost_unknown_events"], preview["difference_usd"]) == (1, "-5.000000000001")
    month = {"start": "2026-03-01T00:00:00.000000Z", "end": "2026-04-01T00:00:00.000000Z"}
    assert preview["data"][0] == {
        "customer": "ann", "life": 1, **month, "events": 2, "requests": counts(3, 1),
        "cost_usd": costs("3", "2", "-1"), "reported_cost_usd": costs("4.5", "3", "-1.5"),
        "cost_unknown_events": counts(1, 0),
    }  # fmt: skip
    assert [(one["customer"], one["reported_cost_usd"]) for one in preview["data"][1:]] == [
        ("ann", costs("6", "0", "-6")),
        ("bob", costs("0.000000000001", "0", "-0.000000000001")),
    ]
    assert api.pages("/v1/corrections/key/preview", limit=1) == preview["data"]

    before, known_at = answers(api), preview["previewed_at"]
    done = api.post("/v1/corrections/key/commit", {"previewed_at": known_at}, 200)
    assert (done["state"], done["committed"]["events"]) == ("committed", 4)
    assert (done["committed"]["difference_usd"], done["committed"]["cost_unknown_events"]) == ("-5.000000000001", -1)
    assert api.get(customer_path("ann", "/current-usage"))["usage"]["reported_cost_usd"] == "0"
    (past,) = api.get(customer_path("ann", "/past-usage"))["periods"]
    assert (past["restated"], past["at_closing"]["cost_usd"], past["now"]["cost_usd"]) == (True, "3", "2")
    assert api.get("/v1/corrections/key/preview")["data"] == preview["data"]
    assert api.get("/v1/corrections/key", as_of=str(known_at))["state"] == "open"
    assert api.deliver([real, llm_request("1", "ann", None) | {"source": "test"}])["counts"]["counted"] == 0

    undone = reverted(api, "key")
    assert (undone["events"], undone["difference_usd"], undone["cost_unknown_events"]) == (4, "5.000000000001", 1)
    assert answers(api) == before


def test_an_event_tells_which_run_voided_and_restored_it(api: Api) -> None:
    used(api, "1")
    done, undone = committed(api, "key"), reverted(api, "key")
    told = api.get("/v1/events/one", source="test", id="1")
    assert [(one["kind"], one["run"], one["position"]) for one in told["corrections"]] == [
        ("voided", "key", done["position"]),
        ("reverted", "key", undone["position"]),
    ]
    versions = [(one["because"], one["run"] and one["run"]["name"], one["closed_at"]) for one in told["versions"]]
    assert versions == [("counted", None, done["position"]), ("reverted", "key", None)]
    committed(api, "again")
    done = committed(api, "back", "restore")
    told = api.get("/v1/events/one", source="test", id="1")
    assert [(one["kind"], one["run"]) for one in told["corrections"][2:]] == [("voided", "again"), ("restored", "back")]
    assert (told["versions"][-1]["because"], told["versions"][-1]["run"]["name"]) == ("restored", "back")


def test_what_came_after_the_preview_is_left_alone(api: Api) -> None:
    used(api, "1")
    used(api, "2")
    singly(api, "void", "2")
    opened(api, "key")
    previewed_at = api.get("/v1/corrections/key/preview")["previewed_at"]
    used(api, "3")
    singly(api, "unvoid", "2")
    done = api.post("/v1/corrections/key/commit", {"previewed_at": previewed_at}, 200)["committed"]
    assert done["events"] == 1
    assert [is_voided(api, one) for one in "123"] == [True, False, False]


def test_a_voided_event_that_was_voided_alone_before_stays_void(api: Api) -> None:
    used(api, "1")
    singly(api, "void")
    assert committed(api, "key")["events"] == 0
    assert reverted(api, "key")["events"] == 0
    assert is_voided(api)


def test_an_event_that_is_restored_alone_stays_valid_when_the_run_is_reverted(api: Api) -> None:
    used(api, "1")
    committed(api, "key")
    assert is_voided(api)
    restored = singly(api, "unvoid")
    assert (restored["voided"], [one["kind"] for one in restored["corrections"]]) == (False, ["voided", "restored"])
    assert not is_voided(api)
    assert reverted(api, "key")["events"] == 0
    assert not is_voided(api)


def test_an_event_that_is_voided_alone_after_the_run_stays_void_when_that_is_reverted(api: Api) -> None:
    used(api, "1")
    committed(api, "key")
    assert singly(api, "void")["voided"]
    assert reverted(api, "key")["events"] == 0
    assert is_voided(api)
    assert not singly(api, "unvoid")["voided"]


def test_a_repeated_void_of_one_event_is_stored_once(api: Api) -> None:
    used(api, "1")
    committed(api, "key")
    assert len(singly(api, "void")["corrections"]) == 2
    assert len(singly(api, "void")["corrections"]) == 2


@pytest.mark.parametrize("first", ["one", "two"])
def test_two_overlapping_runs_are_reverted_in_either_order(api: Api, first: str) -> None:
    used(api, "1")
    used(api, "2", "bob")
    committed(api, "one")
    assert committed(api, "two", customers=["ann"])["events"] == 0
    last = "two" if first == "one" else "one"
    reverted(api, first)
    assert [is_voided(api, "1"), is_voided(api, "2")] == [True, first == "two"]
    reverted(api, last)
    assert [is_voided(api, "1"), is_voided(api, "2")] == [False, False]


def test_a_restoration_by_filter_is_reverted_to_what_voided_the_events(api: Api) -> None:
    for one in ("1", "2", "3"):
        used(api, one)
    singly(api, "void", "1")
    committed(api, "key", customers=["ann"], to=(MARCH + timedelta(days=21)).isoformat())
    singly(api, "unvoid", "3")
    done = committed(api, "back", "restore")
    assert (done["events"], done["difference_usd"]) == (2, "2")
    assert [is_voided(api, one) for one in "123"] == [False, False, False]
    assert reverted(api, "back")["events"] == 2
    assert [is_voided(api, one) for one in "123"] == [True, True, False]
    assert [api.get("/v1/corrections/back")["reverted"]["difference_usd"], reverted(api, "key")["events"]] == ["-2", 1]


def test_an_event_that_a_run_restored_can_be_voided_alone_again(api: Api) -> None:
    used(api, "1")
    singly(api, "void")
    committed(api, "back", "restore")
    assert singly(api, "void")["voided"]
    assert is_voided(api)
    reverted(api, "back")
    assert is_voided(api)


def test_an_event_that_was_amended_while_it_was_void_comes_back_amended(api: Api) -> None:
    used(api, "1")
    committed(api, "key")
    api.post("/v1/events/amend", {"source": "test", "id": "1", "customer": "bob", "data": {"cost_usd": "7"}}, 200)
    assert is_voided(api)
    assert reverted(api, "key")["difference_usd"] == "7"
    event = api.get("/v1/events/one", source="test", id="1")["event"]
    assert (event["customer"], event["cost_usd"], event["voided"]) == ("bob", "7", False)


def test_an_event_that_was_amended_out_of_a_filter_is_not_in_it(api: Api) -> None:
    used(api, "1")
    api.post("/v1/events/amend", {"source": "test", "id": "1", "customer": "bob"}, 200)
    assert committed(api, "ann", customers=["ann"])["events"] == 0
    assert committed(api, "bob", customers=["bob"])["events"] == 1


def test_a_price_that_became_known_while_events_were_void_is_previewed_and_applied(api: Api) -> None:
    data: JsonObject = {
        "provider": "acme",
        "model": "swift",
        "cost_usd": None,
        "input_tokens": 1_000_000,
        "output_tokens": 0,
    }
    api.post("/v1/customers", {"id": "ann", "markup_percentage": "50", "effective_at": MARCH.isoformat()})
    used(api, "1", **data)
    done = committed(api, "key")
    assert (done["difference_usd"], done["cost_unknown_events"]) == ("0", -1)
    api.post("/v1/prices", {"provider": "acme", "model": "swift", "unit_prices": {"input": "2", "output": "0"}})
    opened(api, "back", "restore")
    preview = api.get("/v1/corrections/back/preview")
    assert (preview["difference_usd"], preview["cost_unknown_events"]) == ("2", 0)
    assert preview["data"][0]["reported_cost_usd"] == costs("0", "3", "3")
    done = api.post("/v1/corrections/back/commit", {"previewed_at": preview["previewed_at"]}, 200)
    assert (done["committed"]["difference_usd"], done["committed"]["cost_unknown_events"]) == ("2", 0)
    assert api.get(customer_path("ann", "/current-usage"))["usage"]["reported_cost_usd"] == "3"


def test_events_are_found_by_every_condition(api: Api) -> None:
    used(api, "1", tags=["env=test"], provider="acme", model="swift")
    other = llm_request("2", "bob", MARCH, provider="slow ai", model="slow", cost_usd="1", tags=["env=prod"])
    download = llm_request("3", "bob", MARCH) | {"type": "download", "data": {"gb": 2}}
    api.deliver([other, download])
    day = (MARCH + timedelta(days=1)).isoformat()
    recorded = (MARCH + timedelta(days=25)).isoformat()
    expected: list[tuple[JsonObject, int]] = [
        ({"customers": ["ann"]}, 1),
        ({"customers": ["nobody"]}, 0),
        ({"sources": ["gateway"]}, 2),
        ({"models": ["swift", "slow"]}, 2),
        ({"providers": ["acme"]}, 1),
        ({"providers": [""], "types": ["llm.request"]}, 0),
        ({"providers": [""]}, 1),
        ({"types": ["download"]}, 1),
        ({"tags": ["env=test", "env=none"]}, 1),
        ({"to": day}, 2),
        ({"from": day}, 1),
        ({"recorded_from": recorded}, 3),
        ({"recorded_to": recorded}, 0),
    ]
    for number, (conditions, found) in enumerate(expected):
        opened(api, f"run-{number}", **conditions)
        assert (conditions, api.get(f"/v1/corrections/run-{number}/preview")["events"]) == (conditions, found)


def test_a_run_is_opened_once_committed_once_and_refused_otherwise(api: Api) -> None:
    used(api, "1")
    opened(api, "key")
    assert api.refused("POST", "/v1/corrections", 409, {"name": "key", "tags": ["a"]})["type"].endswith("exists")
    assert api.refused("POST", "/v1/corrections/key/revert", 409)["type"] == "/problems/conflict"
    assert api.refused("POST", "/v1/corrections/none/commit", 404, {"previewed_at": 1})["type"].endswith("not_found")
    assert api.refused("GET", "/v1/corrections/none/preview", 404)["type"] == "/problems/not_found"
    for body, field in (
        ({}, "customers"),
        ({"action": "erase", "tags": ["a"]}, "action"),
        ({"customers": [""]}, "customers.0"),
        ({"sources": ["a"] * 101}, "sources"),
        ({"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}, "to"),
        ({"recorded_from": "yesterday"}, "recorded_from"),
        ({"tags": ["\u0000"]}, "tags.0"),
        ({"model": "gpt-4o"}, "model"),
    ):
        problem = api.refused("POST", "/v1/corrections", 422, {"name": "bad", **body})
        assert [one["field"] for one in problem["errors"]] == [field]
    previewed_at = api.get("/v1/corrections/key/preview")["previewed_at"]
    for position in (0, previewed_at + 1):
        problem = api.refused("POST", "/v1/corrections/key/commit", 422, {"previewed_at": position})
        assert problem["errors"][0]["field"] == "previewed_at"
    commit = {"previewed_at": previewed_at}
    done = api.post("/v1/corrections/key/commit", commit, 200)
    assert api.post("/v1/corrections/key/commit", commit, 200)["committed"] == done["committed"]
    reverted(api, "key")
    assert api.refused("POST", "/v1/corrections/key/commit", 409, commit)["type"] == "/problems/conflict"
    assert [run["state"] for run in api.pages("/v1/corrections")] == ["reverted"]
