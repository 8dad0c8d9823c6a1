"""A wrong price is corrected: previewed by customer and period, committed at once, and taken back at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.engine_fixtures import Api, JsonObject, SettableClock, customer_path, engine_on, http, llm_request

MARCH, APRIL, MAY = (datetime(2026, month, 1, tzinfo=UTC) for month in (3, 4, 5))
MODEL = {"provider": "acme", "model": "swift"}


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(MARCH)


@pytest.fixture
def api(tmp_path: Path, clock: SettableClock) -> Iterator[Api]:
    with engine_on(tmp_path / "data", clock) as engine, http(engine) as made:
        yield made


def set_price(api: Api, dollars: str, since: datetime | None = None) -> None:
    body: JsonObject = {**MODEL, "unit_prices": {"input": dollars, "output": "0"}}
    api.post("/v1/prices", body if since is None else {**body, "effective_from": since.isoformat()})


def used(api: Api, event_id: str, customer: str, time: datetime, **data: Any) -> None:
    """A request of a million input tokens, unless `data` says otherwise."""
    sent = llm_request(event_id, customer, time, **{"input_tokens": 1_000_000, "output_tokens": 0, **data})
    assert api.deliver([sent])["counts"]["counted"] == 1


def costs(before: str, after: str, difference: str) -> JsonObject:
    return {"before_usd": before, "after_usd": after, "difference_usd": difference}


def month(customer: str, start: datetime, end: datetime, events: int, cost: JsonObject, reported: JsonObject) -> Any:
    span = {"start": f"{start:%Y-%m-%dT%H:%M:%S.%fZ}", "end": f"{end:%Y-%m-%dT%H:%M:%S.%fZ}"}
    return {"customer": customer, "life": 1, **span, "events": events, "cost_usd": cost, "reported_cost_usd": reported}


def cost_of(api: Api, event_id: str) -> tuple[str | None, str]:
    event = api.get("/v1/events/one", source="gateway", id=event_id)["event"]
    return event["cost_usd"], event["cost_origin"]


def test_a_wrong_price_of_a_week_is_corrected_and_the_correction_taken_back(api: Api, clock: SettableClock) -> None:
    api.post("/v1/customers", {"id": "ann", "markup_percentage": "50"})
    set_price(api, "2")
    used(api, "right", "ann", MARCH + timedelta(hours=1))
    set_price(api, "20", MARCH + timedelta(days=20))  # ten times too much
    clock.set(MARCH + timedelta(days=25))
    used(api, "1", "ann", MARCH + timedelta(days=21))
    used(api, "2", "ann", MARCH + timedelta(days=22), input_tokens=500_000)
    used(api, "given", "ann", MARCH + timedelta(days=22), cost_usd="7")
    clock.set(APRIL + timedelta(days=2))
    used(api, "3", "ann", APRIL + timedelta(days=1))
    used(api, "of bob", "bob", APRIL + timedelta(days=1))
    set_price(api, "2", MARCH + timedelta(days=20))
    asked = {"models": ["swift"], "from": (MARCH + timedelta(days=20)).isoformat(), "to": MAY.isoformat()}
    opened = api.post("/v1/repricings", {"name": "ten times", **asked})
    assert (opened["state"], opened["committed"], opened["previewed_at"]) == ("open", None, None)

    preview = api.get("/v1/repricings/ten%20times/preview")
    assert (preview["events"], preview["changed_events"], preview["changed_customers"]) == (4, 4, 2)
    assert preview["cost_usd"] == costs("70", "7", "-63")
    of_ann = [
        month("ann", MARCH, APRIL, 2, costs("39", "12", "-27"), costs("58.5", "18", "-40.5")),
        month("ann", APRIL, MAY, 1, costs("20", "2", "-18"), costs("30", "3", "-27")),
    ]
    of_bob = month("bob", APRIL, MAY, 1, costs("20", "2", "-18"), costs("20", "2", "-18"))
    assert preview["data"] == [*of_ann, of_bob]
    assert api.pages("/v1/repricings/ten%20times/preview", limit=1) == preview["data"]

    before = answers(api)
    done = api.post("/v1/repricings/ten%20times/commit", {"previewed_at": preview["previewed_at"]}, 200)
    assert (done["state"], done["committed"]["events"]) == ("committed", 4)
    assert done["committed"]["difference_usd"] == "-63"
    assert [cost_of(api, one)[0] for one in ("right", "1", "2", "3", "of bob", "given")] == [
        "2",
        "2",
        "1",
        "2",
        "2",
        "7",
    ]
    assert api.get(customer_path("ann", "/current-usage"))["usage"]["reported_cost_usd"] == "3"
    (past,) = api.get(customer_path("ann", "/past-usage"))["periods"]
    assert (past["restated"], past["at_closing"]["cost_usd"], past["now"]["cost_usd"]) == (True, "39", "12")
    assert api.get("/v1/repricings/ten%20times/preview")["data"] == preview["data"]

    undone = api.post("/v1/repricings/ten%20times/revert", None, 200)
    assert (undone["state"], undone["reverted"]["events"], undone["reverted"]["difference_usd"]) == (
        "reverted",
        4,
        "63",
    )
    assert answers(api) == before


def answers(api: Api) -> list[Any]:
    """What customers and events cost, without the positions and times at which that was asked."""
    told = [api.get(customer_path(customer, rest)) for customer in ("ann", "bob") for rest in ("/usage", "/past-usage")]
    told += [api.get("/v1/usage", group_by="customer,model", **{"from": MARCH.isoformat()})]
    told += [api.pages("/v1/events"), [cost_of(api, one) for one in ("right", "1", "2", "3")]]
    return [_without_position(one) for one in told]


def _without_position(answer: Any) -> Any:
    hidden = ("position", "now")
    return {name: answer[name] for name in answer if name not in hidden} if isinstance(answer, dict) else answer


def test_costs_of_zero_that_a_producer_gave_are_priced_where_that_is_asked(api: Api) -> None:
    set_price(api, "3")
    used(api, "zero", "ann", MARCH, cost_usd="0")
    used(api, "from cache", "ann", MARCH, cost_usd="0", cache_hit=True)
    used(api, "own cost", "ann", MARCH, cost_usd="9")
    api.post("/v1/repricings", {"name": "keep"})
    assert api.get("/v1/repricings/keep/preview")["events"] == 0
    api.post("/v1/repricings", {"name": "zeros", "given_costs": "zeros"})
    preview = api.get("/v1/repricings/zeros/preview")
    assert (preview["events"], preview["cost_usd"]) == (1, costs("0", "3", "3"))
    api.post("/v1/repricings/zeros/commit", {"previewed_at": preview["previewed_at"]}, 200)
    assert [cost_of(api, one) for one in ("zero", "from cache", "own cost")] == [
        ("3", "price"),
        ("0", "producer"),
        ("9", "producer"),
    ]
    api.post("/v1/repricings/zeros/revert", None, 200)
    assert cost_of(api, "zero") == ("0", "producer")


def test_a_cost_of_zero_from_a_cache_stays_however_that_is_said(api: Api) -> None:
    set_price(api, "3")
    for event_id, data in (
        ("chatcmpl_cache_hit17", {}),
        ("true", {"cache_hit": True}),
        ("text", {"cache_hit": "True"}),
        ("one", {"cache_hit": 1}),
        ("another's", {"cache_hit": False, "earlier": {"cache_hit": True}}),
    ):
        used(api, event_id, "ann", MARCH, cost_usd="0", **data)
    api.post("/v1/repricings", {"name": "zeros", "given_costs": "zeros"})
    commit = {"previewed_at": api.get("/v1/repricings/zeros/preview")["previewed_at"]}
    assert api.post("/v1/repricings/zeros/commit", commit, 200)["committed"]["events"] == 1
    assert [cost_of(api, one)[0] for one in ("chatcmpl_cache_hit17", "true", "text", "one", "another's")] == [
        *(["0"] * 4),
        "3",
    ]


def test_an_amendment_keeps_to_the_price_that_replaced_a_cost_of_zero(api: Api) -> None:
    set_price(api, "3")
    used(api, "z", "ann", MARCH, cost_usd="0")
    api.post("/v1/repricings", {"name": "zeros", "given_costs": "zeros"})
    commit = {"previewed_at": api.get("/v1/repricings/zeros/preview")["previewed_at"]}
    api.post("/v1/repricings/zeros/commit", commit, 200)
    amend = {"source": "gateway", "id": "z", "data": {"input_tokens": 2_000_000}}
    api.post("/v1/events/amend", amend, 200)
    assert cost_of(api, "z") == ("6", "price")
    api.post("/v1/events/amend", {"source": "gateway", "id": "z", "customer": "bob"}, 200)
    assert cost_of(api, "z") == ("6", "price")
    api.post("/v1/repricings/zeros/revert", None, 200)
    assert cost_of(api, "z") == ("0", "producer")
    api.post("/v1/events/amend", {"source": "gateway", "id": "z", "data": {"cost_usd": "5"}}, 200)
    assert cost_of(api, "z") == ("5", "producer")


@pytest.mark.parametrize("patch", [{"customer": "new"}, {"data": {"model": "new"}}], ids=["customer", "model"])
def test_a_rebuild_prices_what_an_amendment_brought_to_a_new_customer_or_model(
    tmp_path: Path, patch: JsonObject
) -> None:
    with engine_on(tmp_path / "rebuilt", SettableClock(MARCH)) as engine, http(engine) as api:
        for model in ("swift", "new"):
            api.post("/v1/prices", {**MODEL, "model": model, "unit_prices": {"input": "1", "output": "0"}})
        used(api, "1", "bob", MARCH)
        api.post("/v1/events/amend", {"source": "gateway", "id": "1", **patch}, 200)
        for model in ("swift", "new"):
            api.post("/v1/prices", {**MODEL, "model": model, "unit_prices": {"input": "2", "output": "0"}})
        asked = {"customers": ["new"]} if "customer" in patch else {"models": ["new"]}
        api.post("/v1/repricings", {"name": "fix", **asked})
        commit = {"previewed_at": api.get("/v1/repricings/fix/preview")["previewed_at"]}
        assert api.post("/v1/repricings/fix/commit", commit, 200)["committed"]["events"] == 1
        for _ in engine.replay():
            pass
        assert cost_of(api, "1") == ("2", "price")
        assert api.get("/v1/repricings/fix")["committed"]["events"] == 1


def test_what_came_or_changed_after_the_preview_is_left_alone(api: Api) -> None:
    set_price(api, "1")
    used(api, "1", "ann", MARCH)
    used(api, "voided", "ann", MARCH)
    set_price(api, "2")
    api.post("/v1/repricings", {"name": "fix"})
    previewed_at = api.get("/v1/repricings/fix/preview")["previewed_at"]
    set_price(api, "5")
    used(api, "late", "ann", MARCH)
    api.post("/v1/events/void", {"source": "gateway", "id": "voided"}, 200)
    done = api.post("/v1/repricings/fix/commit", {"previewed_at": previewed_at}, 200)
    assert done["committed"]["events"] == 1
    assert [cost_of(api, one)[0] for one in ("1", "late")] == ["2", "5"]
    api.post("/v1/events/unvoid", {"source": "gateway", "id": "voided"}, 200)
    assert cost_of(api, "voided")[0] == "1"


def test_a_revert_reaches_events_that_were_voided_meanwhile(api: Api) -> None:
    set_price(api, "1")
    for event_id in ("1", "voided", "back"):
        used(api, event_id, "ann", MARCH)
    set_price(api, "2")
    api.post("/v1/repricings", {"name": "fix"})
    api.post("/v1/repricings/fix/commit", {"previewed_at": api.get("/v1/repricings/fix/preview")["previewed_at"]}, 200)
    for event_id in ("voided", "back"):
        api.post("/v1/events/void", {"source": "gateway", "id": event_id}, 200)
    api.post("/v1/events/unvoid", {"source": "gateway", "id": "back"}, 200)
    undone = api.post("/v1/repricings/fix/revert", None, 200)
    assert (undone["reverted"]["events"], undone["reverted"]["difference_usd"]) == (2, "-2")
    api.post("/v1/events/unvoid", {"source": "gateway", "id": "voided"}, 200)
    assert [cost_of(api, one)[0] for one in ("1", "voided", "back")] == ["1", "1", "1"]


def test_runs_are_reverted_in_any_order(api: Api) -> None:
    set_price(api, "1")
    used(api, "1", "ann", MARCH)
    for name, dollars in (("first", "2"), ("second", "3")):
        set_price(api, dollars)
        api.post("/v1/repricings", {"name": name})
        previewed_at = api.get(f"/v1/repricings/{name}/preview")["previewed_at"]
        api.post(f"/v1/repricings/{name}/commit", {"previewed_at": previewed_at}, 200)
    assert api.post("/v1/repricings/first/revert", None, 200)["reverted"]["events"] == 0
    assert cost_of(api, "1")[0] == "3"
    api.post("/v1/repricings/second/revert", None, 200)
    assert cost_of(api, "1")[0] == "1"


def test_setting_a_price_or_a_discount_tells_what_a_repricing_would_change(api: Api) -> None:
    set_price(api, "2")
    for event_id, customer in (("1", "ann"), ("2", "bob"), ("3", "bob")):
        used(api, event_id, customer, MARCH)
    used(api, "given", "bob", MARCH, cost_usd="7")
    price = {**MODEL, "unit_prices": {"input": "3", "output": "0"}}
    later = {"effective_from": (MARCH + timedelta(seconds=1)).isoformat()}
    told = [
        api.post("/v1/prices", {**price, **later})["repricing"],
        api.post("/v1/prices", {**price, "customer": "ann"})["repricing"],
        api.post("/v1/discounts", {"percentage": "25", "customer": "bob"})["repricing"],
        api.post("/v1/discounts", {"percentage": "50", **MODEL})["repricing"],
    ]
    assert told == [
        {"events": 0, "difference_usd": "0"},
        {"events": 1, "difference_usd": "1"},
        {"events": 2, "difference_usd": "-1"},
        {"events": 1, "difference_usd": "1"},  # the discount is on a list price, and the model has none
    ]


def test_what_cannot_be_is_refused(api: Api) -> None:
    set_price(api, "1")
    api.post("/v1/repricings", {"name": "fix"})
    assert api.refused("POST", "/v1/repricings", 409, {"name": "fix"})["type"] == "/problems/already_exists"
    assert api.refused("POST", "/v1/repricings/fix/revert", 409)["type"] == "/problems/conflict"
    assert api.refused("POST", "/v1/repricings/none/commit", 404, {"previewed_at": 1})["type"] == "/problems/not_found"
    assert api.refused("GET", "/v1/repricings/none/preview", 404)["type"] == "/problems/not_found"
    for field, body in (
        ("to", {"from": MAY.isoformat(), "to": MARCH.isoformat()}),
        ("given_costs", {"given_costs": "all"}),
        ("name", {"name": ""}),
        ("from", {"from": "yesterday"}),
        ("models", {"models": [f"m-{number}" for number in range(101)]}),
        ("models.1", {"models": ["m", ""]}),
        ("customers.0", {"customers": ["."]}),
    ):
        problem = api.refused("POST", "/v1/repricings", 422, {"name": "bad", **body})
        assert problem["errors"][0]["field"] == field, problem
    previewed_at = api.get("/v1/repricings/fix/preview")["previewed_at"]
    for position in (1, previewed_at - 1, previewed_at + 1, 10**9):  # of no preview
        problem = api.refused("POST", "/v1/repricings/fix/commit", 422, {"previewed_at": position})
        assert problem["errors"][0]["field"] == "previewed_at"
    commit = {"previewed_at": previewed_at}
    committed = api.post("/v1/repricings/fix/commit", commit, 200)
    assert api.post("/v1/repricings/fix/commit", commit, 200)["committed"] == committed["committed"]
    api.post("/v1/repricings/fix/revert", None, 200)
    assert api.refused("POST", "/v1/repricings/fix/commit", 409, commit)["type"] == "/problems/conflict"
    assert [run["state"] for run in api.pages("/v1/repricings")] == ["reverted"]
