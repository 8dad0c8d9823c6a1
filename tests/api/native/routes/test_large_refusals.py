"""Conflicts are shown whole, however large their events are: as many as fit into one answer."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.engine_fixtures import Api, JsonObject, SettableClock, engine_on, http, llm_request

#: Of a conflict, each text is shown four times: in both events, and in what differs.
SHOWN_AT_ONCE = 4


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with engine_on(tmp_path_factory.mktemp("data"), SettableClock()) as engine, http(engine) as api:
        yield api


def large(event_id: str, letter: str) -> JsonObject:
    return llm_request(event_id, "large", note=letter * 1_000_000)


def test_a_page_of_large_conflicts_is_shorter_and_goes_on(api: Api) -> None:
    for letter in "xy":
        api.deliver([large(f"{number}", letter) for number in range(6)])
    assert len(api.get("/v1/rejected", outcome="conflict")["data"]) == SHOWN_AT_ONCE
    listed = api.pages("/v1/rejected", outcome="conflict")
    assert [one["id"] for one in listed] == ["5", "4", "3", "2", "1", "0"]


def test_an_explanation_shows_the_first_large_refusals(api: Api) -> None:
    for letter in "abcdefg":
        api.deliver([large("often", letter)])
    shown = api.get("/v1/events/one", source="gateway", id="often")["refusals"]
    assert [json.loads(one["original"])["data"]["note"][0] for one in shown] == ["b", "c", "d", "e"]
