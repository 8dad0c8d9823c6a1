"""An answer can be asked for again: with `as_of` and `at`, its position and its time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.values.instants import instant_text
from tests.api.native.routes.test_usage import event
from tests.engine_fixtures import Api, JsonObject, SettableClock


def repeated(api: Api, path: str, answer: JsonObject, **params: str) -> JsonObject:
    """The answer to the same question, as of the position and the time of `answer`."""
    found: JsonObject = api.get(path, **params, as_of=answer["position"], at=answer["now"])
    return found


def test_late_usage_moves_no_answer_of_before_it(api: Api, clock: SettableClock) -> None:
    api.deliver([event("late 1", "late", "2026-02-20T00:00:00Z")])
    api.post("/v1/customers", {"id": "late", "usage_period": {"duration": "1y"}})
    paths = [f"/v1/customers/late/{rest}" for rest in ("usage", "current-usage", "past-usage", "budget")]
    before = {path: api.get(path) for path in paths}
    clock.advance(days=31)
    api.deliver([event("late 2", "late", "2026-01-15T00:00:00Z")])
    assert {path: repeated(api, path, answer) for path, answer in before.items()} == before
    assert api.get(paths[1])["usage"] != before[paths[1]]["usage"]


def test_lists_are_answered_as_they_were_known(api: Api) -> None:
    api.post("/v1/customers", {"id": "listed", "name": "Before"})
    api.post("/v1/budgets", {"id": "listed", "period_limit_usd": "1", "duration": "1d"})
    api.post("/v1/meters", {"code": "listed", "event_type": "seen", "aggregation": "count"})
    api.post("/v1/prices", {"provider": "acme", "model": "listed", "unit_prices": {"input": "1", "output": "1"}})
    paths = ("/v1/customers", "/v1/budgets", "/v1/meters", "/v1/prices", "/v1/customers/listed/history", "/v1/events")
    before = {path: api.get(path, limit="1000") for path in paths}
    api.patch("/v1/customers/listed", {"name": "After"})
    for path in ("/v1/customers/listed", "/v1/budgets/listed", "/v1/meters/listed"):
        api.delete(path)
    api.post("/v1/prices", {"provider": "acme", "model": "listed", "unit_prices": {"input": "2", "output": "2"}})
    api.deliver([event("listed 1", "listed 2", "2026-03-03T00:00:00Z")])
    assert {path: repeated(api, path, answer, limit="1000") for path, answer in before.items()} == before
    for path in paths:
        if not path.endswith("history"):
            assert api.get(path, limit="1000")["data"] != before[path]["data"]


def test_access_is_decided_as_it_was_at_an_earlier_time(api: Api, clock: SettableClock) -> None:
    api.post("/v1/customers", {"id": "spent", "budget": {"period_limit_usd": "1", "duration": "1d"}})
    api.deliver([{**event("spent 1", "spent", "2026-03-10T00:00:00Z"), "time": instant_text(clock())}])
    refused = api.get("/v1/customers/spent/access")
    assert (refused["allowed"], refused["reason"]) == (False, "period_limit")
    clock.advance(days=1)
    assert api.get("/v1/customers/spent/access")["allowed"]
    assert repeated(api, "/v1/customers/spent/access", refused) == refused
    api.delete("/v1/customers/spent")
    assert repeated(api, "/v1/customers/spent/access", refused) == refused


def test_an_event_is_explained_as_it_was_before_it_was_voided(api: Api) -> None:
    api.deliver([event("explained", "explained", "2026-03-03T00:00:00Z")])
    asked = {"source": "gateway", "id": "explained"}
    before = api.get("/v1/events/one", **asked)
    api.post("/v1/events/void", asked, status=200)
    assert api.get("/v1/events/one", **asked)["event"]["voided"]
    assert repeated(api, "/v1/events/one", before, **asked) == before


def test_the_time_of_a_question_about_a_position_is_that_of_its_record(api: Api, clock: SettableClock) -> None:
    recorded_at = instant_text(clock())
    position = api.deliver([event("timed", "timed", "2026-03-03T00:00:00Z")])["position"]
    clock.advance(days=40)
    api.deliver([event("timed later", "timed", "2026-03-03T00:00:00Z")])
    found = api.get("/v1/customers/timed/budget", as_of=position)
    assert (found["position"], found["now"]) == (position, recorded_at)
    alone = api.get("/v1/customers/timed/current-usage", at="2026-03-31T22:00:00Z")
    assert (alone["now"], alone["period"]["end"]) == ("2026-03-31T22:00:00.000000Z", "2026-04-01T00:00:00.000000Z")
    assert alone["usage"]["requests"] == 2


@pytest.mark.parametrize("path", ["/v1/customers", "/v1/usage", "/v1/prices", "/v1/customers/asked/access"])
@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ("as_of=yesterday", "as_of"),
        ("as_of=999999999", "as_of"),
        ("as_of=-1", "as_of"),
        ("as_of=2026-02-30", "as_of"),
        ("as_of=1&at=12", "at"),
        ("at=2026-03-01", "at"),
        ("at=1066-10-14T00:00:00Z", "at"),
    ],
)
def test_a_question_that_names_no_position_or_time_is_refused(api: Api, path: str, asked: str, field: str) -> None:
    assert api.refused("GET", f"{path}?{asked}", 422)["field"] == field


def test_a_deletion_may_take_effect_earlier_but_not_later(api: Api, clock: SettableClock) -> None:
    clock.set(max(clock(), datetime(2026, 5, 20, tzinfo=UTC)))
    earlier, later = "2026-05-10T00:00:00Z", "2100-01-01T00:00:00Z"
    since = {"effective_at": "2026-05-01T00:00:00Z"}
    for path, body in (
        ("/v1/customers", {"id": "ended"}),
        ("/v1/budgets", {"id": "ended", "total_limit_usd": "1"}),
        ("/v1/meters", {"code": "ended", "event_type": "seen", "aggregation": "count"}),
    ):
        api.post(path, {**body, **since})
        refused = api.refused("DELETE", f"{path}/ended?effective_at={later}", 422)
        assert (refused["field"], refused["detail"]) == (
            "effective_at",
            "effective_at of a deletion must not be in the future",
        )
        api.delete(f"{path}/ended?effective_at={earlier}")
        api.refused("GET", f"{path}/ended?at={earlier}", 404)
        assert api.get(f"{path}/ended", at="2026-05-09T23:59:59.999999Z")["now"] == "2026-05-09T23:59:59.999999Z"
    assert api.refused("DELETE", "/v1/customers/ended?effective_at=soon", 422)["field"] == "effective_at"
