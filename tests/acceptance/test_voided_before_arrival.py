"""A customer that is known only by an event whose void came first exists in no list, until the event is restored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine_fixtures import Api, SettableClock, engine_on, http, llm_request

LISTS: dict[str, Callable[[Any], list[str]]] = {
    "/v1/customers": lambda found: [one["id"] for one in found["data"]],
    "/customer/list": lambda found: [one["user_id"] for one in found],
    "/respan/api/users/list/": lambda found: [one["customer_identifier"] for one in found["results"]],
    "/promptshuttle/api/v1/customers": lambda found: [one["externalId"] for one in found],
}
IDENTITY = {"source": "gateway", "id": "one"}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with engine_on(tmp_path, SettableClock()) as engine, http(engine) as api:
        api.send("POST", "/v1/events/void", None, json=IDENTITY)
        api.deliver([llm_request("one", customer="ann")])
        yield api


def listed(api: Api) -> dict[str, Any]:
    return {path: ids(api.get(path)) for path, ids in LISTS.items()}


def test_such_a_customer_is_in_no_list(api: Api) -> None:
    assert listed(api) == {path: [] for path in LISTS}


def test_a_customer_with_other_usage_is_in_each(api: Api) -> None:
    api.deliver([llm_request("two", customer="ann")])
    assert listed(api) == {path: ["ann"] for path in LISTS}


def test_a_restored_event_brings_the_customer_to_each(api: Api) -> None:
    api.send("POST", "/v1/events/unvoid", None, json=IDENTITY)
    assert listed(api) == {path: ["ann"] for path in LISTS}


def test_the_lists_answer_the_same_as_of_that_position_for_ever_after(api: Api) -> None:
    position = api.get("/v1/customers")["position"]
    api.deliver([llm_request("two", customer="ann")])
    assert api.get("/v1/customers", as_of=position)["data"] == []
