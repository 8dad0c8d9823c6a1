"""A unit that the tenant has priced is told by a member of data of its name, from the price on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine_fixtures import Api, JsonObject, SettableClock, engine_on, http, llm_request

MODEL = {"provider": "own", "model": "seeker"}
RATES = {"input_tokens": {"price": "1"}, "gpu_seconds": {"price": "0.25"}}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with engine_on(tmp_path / "data", SettableClock()) as engine, http(engine) as made:
        yield made


def used(api: Api, event_id: str, status: str = "counted", **data: Any) -> None:
    sent = llm_request(event_id, "ann", **{**MODEL, "input_tokens": 1_000_000, "output_tokens": 0, **data})
    assert api.deliver([sent])["counts"][status] == 1


def explained(api: Api, event_id: str) -> tuple[str | None, JsonObject]:
    event = api.get("/v1/events/one", source="gateway", id=event_id)["event"]
    return event["cost_usd"], event["units"]


def test_usage_sent_after_the_price_was_set_is_charged_for_it(api: Api) -> None:
    used(api, "before", gpu_seconds=4)
    api.post("/v1/prices", {**MODEL, "rates": RATES})
    used(api, "after", gpu_seconds=4)
    used(api, "nested", units={"gpu_seconds": 4})
    used(api, "none")
    assert [explained(api, one) for one in ("before", "after", "nested", "none")] == [
        ("1", {}),
        ("2", {"gpu_seconds": "4"}),
        ("2", {"gpu_seconds": "4"}),
        ("1", {}),
    ]
    usage = api.get("/v1/customers/ann/current-usage")["usage"]
    assert (usage["cost_usd"], usage["units"]) == ("6", {"gpu_seconds": "8"})


def test_a_price_of_one_customer_makes_it_a_unit_too(api: Api) -> None:
    api.post("/v1/prices", {**MODEL, "rates": RATES, "customer": "ann"})
    used(api, "1", gpu_seconds=4)
    assert explained(api, "1") == ("2", {"gpu_seconds": "4"})


def test_a_resend_is_a_duplicate_also_when_the_price_came_between(api: Api) -> None:
    used(api, "1", gpu_seconds=4)
    api.post("/v1/prices", {**MODEL, "rates": RATES})
    used(api, "1", "duplicate", gpu_seconds=4)
    assert explained(api, "1") == ("1", {})


def test_an_amendment_tells_it_by_its_name_too(api: Api) -> None:
    used(api, "old", gpu_seconds=4)
    api.post("/v1/prices", {**MODEL, "rates": RATES})
    used(api, "new", gpu_seconds=4)
    amend(api, "old", {"input_tokens": 2_000_000})
    amend(api, "new", {"gpu_seconds": 8})
    assert [explained(api, one) for one in ("old", "new")] == [("2", {}), ("3", {"gpu_seconds": "8"})]
    amend(api, "old", {"gpu_seconds": 1})
    assert explained(api, "old") == ("2.25", {"gpu_seconds": "1"})


def amend(api: Api, event_id: str, data: JsonObject) -> None:
    api.post("/v1/events/amend", {"source": "gateway", "id": event_id, "data": data}, 200)


def test_a_rebuild_reads_them_as_they_were_received(tmp_path: Path) -> None:
    with engine_on(tmp_path / "data", SettableClock()) as engine, http(engine) as api:
        used(api, "before", gpu_seconds=4)
        api.post("/v1/prices", {**MODEL, "rates": RATES})
        used(api, "after", gpu_seconds=4)
        told = [explained(api, one) for one in ("before", "after")]
        for _ in engine.replay():
            pass
        assert [explained(api, one) for one in ("before", "after")] == told
