"""Invalid events: each is rejected with a clear reason and listed; valid events of the same request are counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine_fixtures import CLOUDEVENT, CLOUDEVENTS, NDJSON, Api, SettableClock, engine_on, http, llm_request

GOOD = json.dumps(llm_request("good")).encode()
ALSO_GOOD = json.dumps(llm_request("also good")).encode()
SHOWN_BYTES = 64 * 1024


def text_of(**changed: object) -> bytes:
    return json.dumps({**llm_request("bad"), **changed}).encode()


def with_data(text: str) -> bytes:
    """A bad event whose data is this text, as it stands."""
    return text_of().replace(b'"data": {', b'"data": {' + text.encode() + b", ", 1)


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in llm_request("bad").items() if key != name}).encode()


# What is sent, and a word that has to be in what its sender is told.
HOSTILE = {
    "not JSON": (b'{"specversion": "1.0", "id": oops', "JSON"),
    "cut off": (GOOD[:-7], "JSON"),
    "a number": (b"17", "object"),
    "no id": (without("id"), "id"),
    "an empty id": (text_of(id=""), "id"),
    "an id that is a number": (text_of(id=7), "id"),
    "a type that is no text": (text_of(type=["llm.request"]), "type"),
    "tokens that are text": (with_data('"cached_input_tokens": "five"'), "cached_input_tokens"),
    "negative tokens": (with_data('"reasoning_tokens": -1'), "reasoning_tokens"),
    "half a token": (with_data('"cache_write_tokens": 0.5'), "cache_write_tokens"),
    "a year 9999": (text_of(time="9999-12-31T23:59:59Z"), "time"),
    "a time that is none": (text_of(time="yesterday"), "time"),
    "a bare NaN": (with_data('"cost_usd": NaN'), "JSON"),
    "a spelled NaN": (with_data('"cost_usd": "NaN"'), "cost_usd"),
    "an infinite cost": (with_data('"cost_usd": "Infinity"'), "cost_usd"),
    "a negative cost": (with_data('"cost_usd": "-0.01"'), "cost_usd"),
    "a cost of 40 digits": (with_data('"cost_usd": "1.' + "7" * 39 + '"'), "cost_usd"),
    "a cost number of 40 digits": (with_data('"cost_usd": 1.' + "7" * 39), "cost_usd"),
    "an exponent as large as the world": (with_data('"cost_usd": 1e999999999'), "cost_usd"),
    "10 MB of metadata": (with_data('"metadata": "' + "m" * 10_000_000 + '"'), "bytes"),
    "a lone surrogate": (text_of(id="half \ud800 a letter"), "surrogate"),
    "a lone surrogate in the data": (with_data(r'"feature": "\udfff"'), "surrogate"),
    "bytes that are no UTF-8": (text_of().replace(b"acme", b"ac\xffme"), "UTF-8"),
    "a NUL in the customer": (text_of(subject="a\x00b"), "subject"),
    "a customer of dots": (text_of(subject=".."), "subject"),
    "nobody's": (without("subject"), "customer"),
    "half a pair of surrogates at the end": (text_of()[:-2] + rb', "x": "\ud83d"}}', "surrogate"),
    "half a pair of surrogates": (with_data(r'"feature": "\ud83d"'), "surrogate"),
    "a lone surrogate in a name": (with_data(r'"\ud800": 1'), "surrogate"),
    "an integer of 5,000 digits": (with_data('"total": ' + "9" * 5_000), "JSON"),
    "a bare Infinity": (with_data('"total": -Infinity'), "JSON"),
    "cut off in a string": (GOOD[:-25], "JSON"),
    "cut off in a list": (with_data('"tags": ["a"')[:-90], "JSON"),
    "nested without end": (with_data('"deep": ' + "[" * 5_000 + "]" * 5_000), "deep"),
}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with engine_on(tmp_path_factory.mktemp("data"), SettableClock()) as engine, http(engine) as api:
        api.deliver([llm_request("good"), llm_request("also good")])
        yield api


def newest_rejected(api: Api) -> dict[str, object]:
    newest: dict[str, object] = api.get("/v1/rejected", limit=1)["data"][0]
    return newest


def assert_told_and_found(api: Api, receipt: dict[str, list[dict[str, str]]], sent: bytes, word: str) -> None:
    (refused,) = [outcome for outcome in receipt["outcomes"] if outcome["outcome"] == "rejected"]
    assert refused["reason"]
    assert word.lower() in f"{refused['reason']} {refused['detail']}".lower()
    found = newest_rejected(api)
    assert (found["reason"], found["detail"]) == (refused["reason"], refused["detail"])
    assert found["original"] == sent[:SHOWN_BYTES].decode(errors="replace")


def fresh(name: str) -> list[bytes]:
    """Two good events that were not sent before."""
    return [json.dumps(llm_request(f"{number} beside {name}")).encode() for number in (1, 2)]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_line_is_rejected_and_its_neighbours_count(api: Api, name: str) -> None:
    sent, word = HOSTILE[name]
    before, after = fresh(f"the line of {name}")
    receipt = api.deliver_bytes(b"\n".join((before, sent, after)), NDJSON)
    assert receipt["counts"] == {"counted": 2, "duplicate": 0, "conflict": 0, "rejected": 1}
    assert_told_and_found(api, receipt, sent, word)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_element_is_rejected_and_its_neighbours_count(api: Api, name: str) -> None:
    sent, word = HOSTILE[name]
    before, after = fresh(f"the element of {name}")
    receipt = api.deliver_bytes(b"[" + b",".join((before, sent, after)) + b"]", CLOUDEVENTS)
    assert receipt["counts"] == {"counted": 2, "duplicate": 0, "conflict": 0, "rejected": 1}
    assert_told_and_found(api, receipt, sent, word)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_event_alone_is_rejected_and_found(api: Api, name: str) -> None:
    sent, word = HOSTILE[name]
    problem = api.deliver_bytes(sent, CLOUDEVENT, status=422)
    assert (problem["type"], problem["status"]) == ("/problems/event_rejected", 422)
    assert_told_and_found(api, {"outcomes": [{**problem, "outcome": "rejected"}]}, sent, word)


def test_a_rejected_event_leaves_its_identity_free(api: Api) -> None:
    api.deliver([llm_request("second thoughts", input_tokens=-5)])
    receipt = api.deliver([llm_request("second thoughts", input_tokens=5)])
    assert receipt["counts"]["counted"] == 1
    api.deliver([llm_request("only rejected", "nobody-yet", output_tokens=-1)])
    assert "nobody-yet" not in {customer["id"] for customer in api.pages("/v1/customers")}


def test_what_was_rejected_is_still_there_after_a_restart(tmp_path: Path) -> None:
    clock = SettableClock()
    with engine_on(tmp_path, clock) as engine, http(engine) as api:
        api.deliver_bytes(b"\n".join(sent for sent, _ in HOSTILE.values() if len(sent) < SHOWN_BYTES), NDJSON)
        before = api.pages("/v1/rejected")
    assert len(before) == sum(1 for sent, _ in HOSTILE.values() if len(sent) < SHOWN_BYTES)
    with engine_on(tmp_path, clock) as engine, http(engine) as api:
        assert api.pages("/v1/rejected") == before
