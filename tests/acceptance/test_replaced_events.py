"""Events that were counted with wrong content become what is sent now under the same identities, many at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from projections.queries.events import RECEIPT_OUTCOMES_MAX
from tests.engine_fixtures import NOON, Api, JsonObject, SettableClock, customer_path, engine_on, http
from tests.engine_fixtures import llm_request as sent_request

PRICE = {"provider": "acme", "model": "swift", "unit_prices": {"input": "2", "output": "10"}}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with engine_on(tmp_path / "data", SettableClock()) as engine, http(engine) as made:
        made.post("/v1/prices", PRICE)
        yield made


def llm_request(event_id: str, customer: str = "ann", **data: Any) -> JsonObject:
    return sent_request(event_id, customer, NOON - timedelta(hours=1), **data)


def head(api: Api) -> int:
    position: int = api.get("/v1/corrections")["position"]
    return position


def receipt(api: Api, *events: JsonObject, known_at: int | None = None) -> JsonObject:
    """What became of events that are to replace others."""
    path = f"/v1/events/replace?known_at={head(api) if known_at is None else known_at}"
    headers = {"Content-Type": "application/cloudevents-batch+json", "X-Meterfold-Reason": "wrong map"}
    answer: JsonObject = api.send("POST", path, 200, headers, json=list(events)).json()
    return answer


def replaced(api: Api, *events: JsonObject, known_at: int | None = None) -> JsonObject:
    """The numbers of events by what became of them that are not 0; they add up to those that were sent."""
    counts = receipt(api, *events, known_at=known_at)["counts"]
    assert sum(counts.values()) == len(events)
    return {name: count for name, count in counts.items() if count}


def usage(api: Api, customer: str = "ann") -> tuple[int, int, str]:
    found = api.get(customer_path(customer, "/current-usage"))["usage"]
    return found["requests"], found["input_tokens"], found["cost_usd"]


def one(api: Api, event_id: str = "1") -> Any:
    return api.get("/v1/events/one", source="gateway", id=event_id)


def test_events_become_what_is_sent_now(api: Api) -> None:
    wrong = [llm_request(str(number), "bob", input_tokens=1) for number in range(3)]
    right = [llm_request(str(number), input_tokens=1000, tags=["right"]) for number in range(3)]
    api.deliver([*wrong, llm_request("same")])
    done = replaced(api, *right, llm_request("same"), llm_request("new"))
    assert done == {"counted": 1, "duplicate": 1, "amended": 3}
    assert usage(api) == (5, 3200, "0.0069")
    assert api.send("GET", customer_path("bob", "/current-usage"), None).status_code == 404
    assert [event["tags"] for event in api.pages("/v1/events", tag="right")] == [["right"]] * 3
    assert api.deliver([*wrong, *right])["counts"]["duplicate"] == 6
    assert replaced(api, *right) == {"duplicate": 3}


def test_an_event_tells_that_it_was_replaced(api: Api) -> None:
    api.deliver([llm_request("1", "bob")])
    replaced(api, llm_request("1", input_tokens=600))
    told = one(api)
    assert [(row["kind"], row["reason"], row["run"], row["changed"]) for row in told["corrections"]] == [
        ("amended", "wrong map", None, None)
    ]
    assert [(row["because"], row["customer"], row["input_tokens"]) for row in told["versions"]] == [
        ("counted", "bob", 100),
        ("amended", "ann", 600),
    ]
    api.deliver([llm_request("1", input_tokens=700)])
    [last] = [row for row in one(api)["refusals"] if '"input_tokens":700' in row["original"].replace(" ", "")]
    assert [(row["member"], row["counted"], row["received"]) for row in last["differences"]] == [
        ("data.input_tokens", "600", "700")
    ]


def test_what_an_event_was_first_may_replace_it_again(api: Api) -> None:
    first, second = llm_request("1"), llm_request("1", input_tokens=600)
    api.deliver([first])
    assert replaced(api, second) == {"amended": 1}
    assert replaced(api, first) == {"amended": 1}
    assert usage(api) == (1, 100, "0.0003")


def test_each_event_of_a_request_is_told_in_one_way(api: Api) -> None:
    """Whatever an event was before, it is told by what the event of its identity is now."""
    a, b, c = (llm_request("1", input_tokens=tokens) for tokens in (1, 2, 3))
    api.deliver([a])
    assert replaced(api, b) == {"amended": 1}
    known_at = head(api)
    rejected = llm_request("2", input_tokens=-1)
    told = receipt(api, a, a, b, c, llm_request("3"), rejected, known_at=known_at)
    assert told["counts"] == {"counted": 1, "duplicate": 1, "conflict": 2, "rejected": 1, "amended": 1}
    assert [(one["id"], one["outcome"]) for one in told["outcomes"]] == [
        ("1", "duplicate"),
        ("1", "conflict"),
        ("1", "conflict"),
        ("2", "rejected"),
    ]
    assert replaced(api, b, a, known_at=known_at) == {"duplicate": 1, "conflict": 1}
    assert usage(api)[:2] == (2, 101)


def test_an_event_that_was_amended_to_what_is_sent_is_a_duplicate(api: Api) -> None:
    api.deliver([llm_request("1")])
    api.post("/v1/events/amend", {"source": "gateway", "id": "1", "data": {"input_tokens": 7}}, 200)
    assert replaced(api, llm_request("1", input_tokens=7), llm_request("1")) == {"duplicate": 1, "conflict": 1}


def test_of_many_events_those_left_out_are_told_before_the_others(api: Api) -> None:
    """Events that were amended take no room from those that need a look."""
    count = RECEIPT_OUTCOMES_MAX + 5
    api.deliver([llm_request(str(number)) for number in range(count)])
    right = [llm_request(str(number), input_tokens=1) for number in range(count)]
    told = receipt(api, *right, llm_request("0", input_tokens=2))
    assert told["counts"] == {"counted": 0, "duplicate": 0, "conflict": 1, "rejected": 0, "amended": count}
    assert ([(one["id"], one["outcome"]) for one in told["outcomes"]], told["outcomes_truncated"]) == (
        [("0", "conflict")],
        False,
    )


def test_of_several_events_with_one_identity_the_first_one_holds(api: Api) -> None:
    api.deliver([llm_request("1", input_tokens=1)])
    known_at = head(api)
    rows = [llm_request("1", input_tokens=tokens) for tokens in (500, 600)]
    assert replaced(api, *rows, known_at=known_at) == {"amended": 1, "conflict": 1}
    assert replaced(api, llm_request("1", input_tokens=700), known_at=known_at) == {"conflict": 1}
    rows = [llm_request("2", input_tokens=tokens) for tokens in (3, 4)]
    assert replaced(api, *rows, known_at=known_at) == {"counted": 1, "conflict": 1}
    assert usage(api) == (2, 503, "0.001206")


def test_a_voided_event_stays_void_and_comes_back_as_it_was_replaced(api: Api) -> None:
    api.deliver([llm_request("1")])
    api.post("/v1/events/void", {"source": "gateway", "id": "1"}, 200)
    assert replaced(api, llm_request("1", input_tokens=600)) == {"amended": 1}
    assert one(api)["event"]["voided"]
    api.post("/v1/events/unvoid", {"source": "gateway", "id": "1"}, 200)
    assert usage(api) == (1, 600, "0.0013")


def test_a_single_amendment_changes_what_the_event_was_replaced_by(api: Api) -> None:
    identity = {"source": "gateway", "id": "1"}
    api.deliver([llm_request("1")])
    api.post("/v1/events/amend", {**identity, "data": {"output_tokens": 7}}, 200)
    replaced(api, llm_request("1", "bob", input_tokens=600, output_tokens=0))
    api.post("/v1/events/amend", {**identity, "data": {"tags": ["late"]}}, 200)
    event = one(api)["event"]
    assert [event[name] for name in ("customer", "input_tokens", "output_tokens", "tags")] == ["bob", 600, 0, ["late"]]
    api.post("/v1/events/amend", {**identity, "data": {"input_tokens": 5}}, 200)
    event = one(api)["event"]
    assert [event[name] for name in ("customer", "input_tokens", "tags")] == ["bob", 5, ["late"]]


def test_a_cost_stays_while_nothing_changes_that_makes_one(api: Api) -> None:
    api.deliver([llm_request("1"), llm_request("2"), llm_request("3", cost_usd="5")])
    api.post("/v1/prices", {**PRICE, "unit_prices": {"input": "200", "output": "0"}})
    replaced(api, llm_request("1", tags=["a"]), llm_request("2", "bob"), llm_request("3", cost_usd="6"))
    assert [one(api, event_id)["event"]["cost_usd"] for event_id in "123"] == ["0.0003", "0.02", "6"]


def test_only_an_administrator_replaces_events(api: Api, tmp_path: Path) -> None:
    issued = api.post("/v1/keys", {"scopes": ["ingest"]})
    writer = Api(api.client, issued["secret"])
    answer = writer.send("POST", "/v1/events/replace?known_at=1", None, json=[llm_request("1")])
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")
    assert api.send("POST", "/v1/events/replace", None, json=[llm_request("1")]).status_code == 422
