"""A gap is filled by a backfill: loaded unseen, counted at once, taken back at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from domain.scope import Scope
from tests.engine_fixtures import (
    NDJSON,
    Api,
    JsonObject,
    SettableClock,
    customer_path,
    engine_on,
    http,
    key_for,
    llm_request,
)

EIGHT: Final = datetime(2026, 3, 3, 8, tzinfo=UTC)
LOST: Final = {"from": "2026-03-03T08:00:00Z", "to": "2026-03-03T14:00:00Z"}
ONE: Final = "/v1/backfills/lost"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with engine_on(tmp_path / "data", SettableClock(EIGHT + timedelta(days=2))) as engine, http(engine) as made:
        yield made


def event(event_id: str, hour: int, customer: str = "ann", **data: Any) -> JsonObject:
    """A request that cost a dollar, unless `data` says otherwise."""
    sent: JsonObject = llm_request(event_id, customer, EIGHT + timedelta(hours=hour), **{"cost_usd": "1", **data})
    return sent


def load(api: Api, *events: JsonObject, name: str = "lost", status: int = 200) -> Any:
    body = b"\n".join(msgspec.json.encode(one) for one in events)
    return api.send("POST", f"/v1/backfills/{name}/events", status, {"Content-Type": NDJSON}, content=body).json()


def commit(api: Api, name: str = "lost") -> Any:
    previewed_at = api.get(f"/v1/backfills/{name}/preview")["previewed_at"]
    return api.post(f"/v1/backfills/{name}/commit", {"previewed_at": previewed_at}, 200)


def seen(api: Api) -> Any:
    """What is told of the usage of both customers, without the positions and times at which that was asked."""
    hidden = ("position", "now")
    paths = [customer_path(customer, "/usage") for customer in ("ann", "bob")]
    answers = [api.get(path, **{"from": "2026-03-01", "to": "2026-03-05"}) for path in [*paths, "/v1/usage"]]
    told = [{name: one[name] for name in one if name not in hidden} for one in [*answers, *api.pages("/v1/customers")]]
    return [told, api.pages("/v1/events"), api.pages("/v1/events", voided="true")]


def ids(api: Api, **asked: str) -> list[str]:
    return [one["id"] for one in api.pages("/v1/events", **asked)]


def outcome(api: Api, event_id: str) -> Any:
    return api.get("/v1/events/one", source="gateway", id=event_id)["outcome"]


def test_a_gap_is_loaded_unseen_then_counted_at_once_and_taken_back_at_once(api: Api) -> None:
    api.deliver([event("before", -1), event("kept", 1), event("of bob", 2, "bob")])
    before = seen(api)
    opened = api.post("/v1/backfills", {"name": "lost", **LOST, "customers": ["ann"]})
    assert (opened["state"], opened["mode"], opened["customers"]) == ("open", "add", ["ann"])
    loaded = load(api, event("1", 2), event("2", 3), event("kept", 1), event("2", 3), event("early", -2))
    assert (loaded["loaded"], loaded["rejected"]) == (4, 1)
    assert loaded["outcomes"] == [
        {
            "source": "gateway",
            "id": "early",
            "outcome": "rejected",
            "reason": "outside_backfill",
            "detail": "time: must be in the range of the backfill",
        }
    ]
    assert seen(api) == before
    shown = api.get(ONE)
    assert (shown["loaded_blocks"], shown["loaded_events"], shown["rejected_events"]) == (1, 4, 1)

    done = commit(api)
    assert done["state"] == "committed"
    changed = done["committed"]
    told = {name: changed[name] for name in ("counted", "duplicate", "conflict", "withdrawn", "difference_usd")}
    assert told == {"counted": 2, "duplicate": 2, "conflict": 0, "withdrawn": 0, "difference_usd": "2"}
    assert ids(api) == ["2", "1", "of bob", "kept", "before"]

    undone = api.post(f"{ONE}/revert", None, 200)
    assert (undone["state"], undone["reverted"]["counted"], undone["reverted"]["difference_usd"]) == (
        "reverted",
        -2,
        "-2",
    )
    assert seen(api) == before


def test_a_replacement_withdraws_the_events_of_its_range_until_it_is_reverted(api: Api) -> None:
    api.deliver([event("same", 1), event("gone", 2), event("outside", 7), event("of bob", -1, "bob")])
    before = seen(api)
    api.post("/v1/backfills", {"name": "lost", **LOST, "mode": "replace"})
    load(api, event("same", 1, cost_usd="3"), event("new", 2))
    done = commit(api)["committed"]
    assert (done["counted"], done["withdrawn"], done["difference_usd"]) == (0, 2, "2")
    assert ids(api) == ["outside", "new", "same", "of bob"]
    assert ids(api, voided="true") == ["outside", "new", "same", "of bob"]
    assert [outcome(api, one) for one in ("same", "gone", "new")] == ["counted", "withdrawn", "counted"]
    api.post(f"{ONE}/revert", None, 200)
    assert seen(api) == before
    assert [outcome(api, one) for one in ("same", "gone", "new")] == ["counted", "counted", "withdrawn"]


def test_a_void_waits_for_an_event_whose_backfill_was_reverted(api: Api) -> None:
    api.post("/v1/backfills", {"name": "lost", **LOST})
    load(api, event("one", 1), event("two", 2))
    commit(api)
    api.post(f"{ONE}/revert", None, 200)
    named = {"source": event("one", 1)["source"]}
    assert api.post("/v1/events/void", {**named, "id": "one"}, 200)["waits_for_event"]
    api.deliver([event("one", 1), event("two", 2)])
    assert ids(api) == ["two"]
    assert not api.post("/v1/events/void", {**named, "id": "two"}, 200)["waits_for_event"]


def test_the_explanation_of_an_event_names_the_backfill_that_withdrew_it_or_let_it_count(api: Api) -> None:
    api.deliver([event("gone", 2)])
    api.post("/v1/backfills", {"name": "lost", **LOST, "mode": "replace"})
    load(api, event("new", 2))
    position = commit(api)["committed"]["position"]
    gone = api.get("/v1/events/one", source="gateway", id="gone")
    assert (gone["outcome"], gone["event"]["voided"], gone["totals"]) == ("withdrawn", False, None)
    (refusal,) = gone["refusals"]
    assert (refusal["outcome"], refusal["reason"], refusal["detail"]) == (
        "withdrawn",
        "replaced",
        "replaced by backfill 'lost'",
    )
    new = api.get("/v1/events/one", source="gateway", id="new")
    (version,) = new["versions"]
    assert (version["because"], version["run"]["name"], version["counted_at"]) == ("backfilled", "lost", position)
    (listed,) = api.pages("/v1/rejected", outcome="withdrawn")
    assert listed == refusal

    reverted = api.post(f"{ONE}/revert", None, 200)["reverted"]["position"]
    gone = api.get("/v1/events/one", source="gateway", id="gone")
    told = [(one["because"], one["run"] and one["run"]["name"], one["counted_at"]) for one in gone["versions"]]
    assert (gone["outcome"], told[1:]) == ("counted", [("reinstated", "lost", reverted)])
    new = api.get("/v1/events/one", source="gateway", id="new")
    assert (new["outcome"], [one["detail"] for one in new["refusals"]]) == (
        "withdrawn",
        ["backfill 'lost' was reverted"],
    )


def changed_count(before: int, after: int) -> JsonObject:
    return {"before": before, "after": after, "difference": after - before}


def changed_money(before: int, after: int) -> JsonObject:
    return {"before_usd": str(before), "after_usd": str(after), "difference_usd": str(after - before)}


def month(customer: str, arriving: int, leaving: int, requests: JsonObject, cost: JsonObject, **more: Any) -> Any:
    """The period of March 2026 in a preview."""
    span = {"start": "2026-03-01T00:00:00.000000Z", "end": "2026-04-01T00:00:00.000000Z"}
    counts = {"arriving_events": arriving, "leaving_events": leaving, "requests": requests}
    money = {"cost_usd": cost, "reported_cost_usd": cost, "cost_unknown_events": changed_count(0, 0)}
    return {"customer": customer, "life": 1, **span, **counts, **money, **more}


def test_the_preview_tells_what_the_commit_then_does(api: Api) -> None:
    api.post("/v1/customers", {"id": "ann", "markup_percentage": "100", "effective_at": "2026-03-01T00:00:00Z"})
    api.deliver([event("same", 1), event("gone", 2), event("outside", 7), event("of bob", 3, "bob")])
    api.post("/v1/backfills", {"name": "lost", **LOST, "mode": "replace"})
    load(
        api,
        event("same", 1, cost_usd="3"),
        event("same", 1, cost_usd="4"),
        event("new", 2, "cy"),
        event("new", 2, "cy"),
    )
    before = seen(api)
    preview = api.get(f"{ONE}/preview")
    told = ("counted", "duplicate", "conflict", "withdrawn", "missing", "late_events", "changed_customers")
    assert {one: preview[one] for one in told} == {
        "counted": 2,
        "duplicate": 1,
        "conflict": 1,
        "withdrawn": 3,
        "missing": 2,
        "late_events": 0,
        "changed_customers": 3,
    }
    assert preview["missing_events"] == [
        {"source": "gateway", "id": "gone", "customer": "ann", "time": "2026-03-03T10:00:00.000000Z"},
        {"source": "gateway", "id": "of bob", "customer": "bob", "time": "2026-03-03T11:00:00.000000Z"},
    ]
    of_ann = month("ann", 1, 2, changed_count(3, 2), changed_money(3, 4), reported_cost_usd=changed_money(6, 8))
    of_bob = month("bob", 0, 1, changed_count(1, 0), changed_money(1, 0))
    of_cy = month("cy", 1, 0, changed_count(0, 1), changed_money(0, 1))
    assert preview["data"] == [of_ann, of_bob, of_cy]
    assert api.pages(f"{ONE}/preview", limit=1) == preview["data"]
    assert seen(api) == before

    done = commit(api)["committed"]
    assert done["difference_usd"] == preview["difference_usd"] == "1"
    assert (done["counted"] + done["withdrawn"], done["withdrawn"]) == (2, 3)
    assert (
        api.get(customer_path("ann", "/usage"), **{"from": "2026-03-01", "to": "2026-04-01"})["data"][0][
            "reported_cost_usd"
        ]
        == "8"
    )
    again = api.get(f"{ONE}/preview")
    hidden = ("position", "now", "state")
    assert {one: again[one] for one in again if one not in hidden} == {
        one: preview[one] for one in preview if one not in hidden
    }


def test_a_preview_tells_the_limits_that_would_be_exceeded(api: Api) -> None:
    api.post(
        "/v1/customers", {"id": "ann", "budget": {"period_limit_usd": "3"}, "effective_at": "2026-03-01T00:00:00Z"}
    )
    api.deliver([event("1", 1), event("2", 2)])
    api.post("/v1/backfills", {"name": "lost", **LOST})
    load(api, event("3", 3), event("of bob", 3, "bob"))
    told = {
        "customer": "ann",
        "life": 1,
        "limit": "period",
        "start": "2026-03-01T00:00:00.000000Z",
        "end": "2026-04-01T00:00:00.000000Z",
        "limit_usd": "3",
        "before_usd": "2",
        "after_usd": "3",
    }
    preview = api.get(f"{ONE}/preview")
    assert (preview["exceeded_limits"], preview["exceeded_limits_complete"]) == ([told], True)
    assert api.get(customer_path("ann", "/access"))["allowed"]
    commit(api)
    assert not api.get(customer_path("ann", "/access"))["allowed"]
    assert api.get(f"{ONE}/preview")["exceeded_limits"] == [told]


def test_late_events_of_a_replaced_range_are_told(api: Api) -> None:
    api.post("/v1/backfills", {"name": "lost", **LOST, "mode": "replace", "customers": ["ann"]})
    load(api, event("1", 1))
    api.deliver([event("late", 2), event("of bob", 2, "bob"), event("outside", 7)])
    assert (api.get(f"{ONE}/preview")["late_events"], api.get(ONE)["late_events"]) == (1, 1)
    committed = commit(api)["committed"]["position"]
    assert api.get(ONE)["late_events"] == 0
    api.deliver([event("later", 2), event("1", 1)])
    assert (api.get(ONE)["late_events"], api.get(ONE, as_of=committed)["late_events"]) == (1, 0)
    assert sorted(ids(api, customer="ann")) == ["1", "later", "outside"]


def test_two_open_backfills_that_overlap_are_refused(api: Api) -> None:
    api.post("/v1/backfills", {"name": "lost", **LOST, "customers": ["ann"]})
    overlapping = {"name": "second", **LOST, "customers": ["ann", "bob"]}
    refused = api.refused("POST", "/v1/backfills", 409, overlapping)
    assert refused["detail"] == "backfill 'lost' is open and overlaps: commit or cancel it first"
    api.post("/v1/backfills", {"name": "of bob", **LOST, "customers": ["bob"]})
    cancelled = api.post(f"{ONE}/cancel", None, 200)
    assert (cancelled["state"], cancelled["cancelled"]["reason"]) == ("cancelled", None)
    api.post("/v1/backfills", {**overlapping, "customers": ["ann"]})
    assert [(one["name"], one["state"]) for one in api.pages("/v1/backfills", limit=1)] == [
        ("lost", "cancelled"),
        ("of bob", "open"),
        ("second", "open"),
    ]


def test_events_that_were_loaded_after_the_preview_have_to_be_previewed_first(api: Api) -> None:
    api.post("/v1/backfills", {"name": "lost", **LOST})
    load(api, event("1", 1))
    previewed_at = api.get(ONE)["position"]
    load(api, event("2", 1))
    problem = api.refused("POST", f"{ONE}/commit", 409, {"previewed_at": previewed_at})
    assert problem["detail"] == "events were loaded since that preview: preview again"
    assert commit(api)["committed"]["counted"] == 2
    assert api.post(f"{ONE}/commit", {"previewed_at": previewed_at}, 200)["committed"]["counted"] == 2


def test_what_was_counted_after_the_preview_is_not_replaced(api: Api) -> None:
    api.post("/v1/backfills", {"name": "lost", **LOST, "mode": "replace"})
    api.deliver([event("old", 1)])
    load(api, event("1", 1))
    previewed_at = api.get(ONE)["position"]
    api.deliver([event("late", 1)])
    api.post(f"{ONE}/commit", {"previewed_at": previewed_at}, 200)
    assert sorted(ids(api)) == ["1", "late"]


def test_what_cannot_be_done_with_a_backfill_is_refused(api: Api) -> None:
    for body, field in (
        ({"name": "", **LOST}, "name"),
        ({"name": "bad", **LOST, "to": LOST["from"]}, "to"),
        ({"name": "bad", **LOST, "from": "yesterday"}, "from"),
        ({"name": "bad", **LOST, "mode": "merge"}, "mode"),
        ({"name": "bad", **LOST, "customers": [""]}, "customers.0"),
        ({"name": "bad", **LOST, "sources": ["x"] * 101}, "sources"),
        ({"name": "bad", **LOST, "other": 1}, "other"),
        ({"name": "bad", "from": LOST["from"]}, "to"),
    ):
        assert api.refused("POST", "/v1/backfills", 422, body)["field"] == field, body
    load(api, event("1", 1), status=404)
    for path in ("/commit", "/revert", "/cancel"):
        given = {"previewed_at": 1} if path == "/commit" else None
        assert api.refused("POST", f"{ONE}{path}", 404, given)["type"] == "/problems/not_found"
    assert api.refused("GET", ONE, 404)["type"] == "/problems/not_found"

    opened = api.post("/v1/backfills", {"name": "lost", **LOST})["position"]
    assert api.refused("POST", "/v1/backfills", 409, {"name": "lost", **LOST})["type"] == "/problems/already_exists"
    assert api.refused("POST", f"{ONE}/revert", 409)["type"] == "/problems/conflict"
    for position in (opened - 1, opened + 100):
        problem = api.refused("POST", f"{ONE}/commit", 422, {"previewed_at": position})
        assert problem["field"] == "previewed_at"
    commit(api)
    assert load(api, event("1", 1), status=409)["detail"] == (
        "backfill 'lost' was committed: nothing can be loaded into it"
    )
    assert api.refused("POST", f"{ONE}/cancel", 409)["type"] == "/problems/conflict"
    api.post(f"{ONE}/revert", None, 200)
    assert api.refused("POST", f"{ONE}/commit", 409, {"previewed_at": opened})["type"] == "/problems/conflict"


def test_every_form_of_a_body_of_events_can_be_loaded(api: Api) -> None:
    api.post("/v1/backfills", {"name": "lost", **LOST})
    bodies: list[tuple[str, Any]] = [
        ("application/cloudevents+json", event("1", 1)),
        ("application/cloudevents-batch+json", [event("2", 1), event("3", 9)]),
        ("application/json", event("4", 1)),
    ]
    for content_type, body in bodies:
        content = msgspec.json.encode(body)
        api.send("POST", f"{ONE}/events", 200, {"Content-Type": content_type}, content=content)
    api.send("POST", f"{ONE}/events", 415, {"Content-Type": "text/plain"}, content=b"x")
    preferred = {"Content-Type": NDJSON, "Prefer": "respond-async"}
    api.send("POST", f"{ONE}/events", 202, preferred, content=msgspec.json.encode(event("5", 1)))
    without = {name: value for name, value in event("6", 1).items() if name != "subject"}
    named = {"Content-Type": NDJSON, "X-Meterfold-Customer": "bob"}
    api.send("POST", f"{ONE}/events", 200, named, content=msgspec.json.encode(without))
    assert commit(api)["committed"]["counted"] == 5
    assert api.get("/v1/events/one", source="gateway", id="6")["event"]["customer"] == "bob"


def test_no_other_tenant_loads_into_sees_or_commits_a_backfill(tmp_path: Path) -> None:
    with engine_on(tmp_path / "data", SettableClock(EIGHT + timedelta(days=2))) as engine, http(engine) as mine:
        other = Api(mine.client, key_for(engine, Scope("other", "prod")))
        mine.deliver([event("same", 1)])
        other.deliver([event("same", 1)])
        mine.post("/v1/backfills", {"name": "lost", **LOST, "mode": "replace"})
        load(mine, event("new", 1))
        load(other, event("1", 1), status=404)
        assert other.pages("/v1/backfills") == []
        other.refused("GET", ONE, 404)
        for path, body in (
            ("/commit", {"previewed_at": mine.get(ONE)["position"]}),
            ("/revert", None),
            ("/cancel", None),
        ):
            other.refused("POST", f"{ONE}{path}", 404, body)
        other.post("/v1/backfills", {"name": "lost", **LOST})
        assert commit(mine)["committed"]["counted"] == 0
        assert (ids(mine), ids(other)) == (["new"], ["same"])
        assert commit(other)["committed"]["counted"] == 0
        assert (other.get(ONE)["loaded_events"], mine.get(ONE)["loaded_events"]) == (0, 1)


def test_loading_needs_a_key_that_may_ingest_and_the_rest_one_that_may_administer(tmp_path: Path) -> None:
    with engine_on(tmp_path / "data", SettableClock(EIGHT + timedelta(days=2))) as engine, http(engine) as admin:
        ingester, reader = (
            Api(admin.client, key_for(engine, Scope("default", "prod"), of)) for of in ("ingest", "read")
        )
        ingester.refused("POST", "/v1/backfills", 403, {"name": "lost", **LOST})
        admin.post("/v1/backfills", {"name": "lost", **LOST})
        assert load(ingester, event("1", 1))["loaded"] == 1
        load(reader, event("1", 1), status=403)
        assert reader.get(ONE)["loaded_events"] == 1
        for path in ("/commit", "/revert", "/cancel"):
            body = {"previewed_at": 1} if path == "/commit" else None
            assert ingester.refused("POST", f"{ONE}{path}", 403, body)["type"] == "/problems/forbidden"


def test_a_backfill_is_shown_as_it_was_known_at_a_position(api: Api) -> None:
    opened = api.post("/v1/backfills", {"name": "lost", **LOST})["position"]
    position = load(api, event("1", 1))["position"]
    commit(api)
    api.post(f"{ONE}/revert", None, 200)
    then = [api.get(ONE, as_of=as_of) for as_of in (opened, position)]
    assert [(one["state"], one["loaded_events"]) for one in then] == [("open", 0), ("open", 1)]


def test_an_amendment_of_what_was_withdrawn_twice_goes_with_the_last_event_alone(api: Api) -> None:
    api.deliver([event("1", 1)])
    for name, loaded in (("lost", [event("1", 1, cost_usd="2")]), ("empty", [])):
        api.post("/v1/backfills", {"name": name, **LOST, "mode": "replace"})
        if loaded:
            load(api, *loaded)
        commit(api, name)
    api.post("/v1/events/amend", {"source": "gateway", "id": "1", "data": {"cost_usd": "4"}}, 200)
    costs = []
    for name in ("empty", "lost"):
        api.post(f"/v1/backfills/{name}/revert", None, 200)
        costs.append(api.get("/v1/events/one", source="gateway", id="1")["event"]["cost_usd"])
    assert costs == ["4", "1"]


def test_an_amendment_of_what_was_withdrawn_is_not_made_of_what_a_reverted_backfill_had_loaded(api: Api) -> None:
    api.deliver([event("1", 1, output_tokens=0)])
    api.post("/v1/backfills", {"name": "lost", **LOST, "mode": "replace"})
    load(api, event("1", 1, output_tokens=7))
    commit(api)
    api.post(f"{ONE}/revert", None, 200)
    api.post("/v1/backfills", {"name": "empty", **LOST, "mode": "replace"})
    commit(api, "empty")
    api.post("/v1/events/amend", {"source": "gateway", "id": "1", "data": {"cost_usd": "4"}}, 200)
    api.post("/v1/backfills/empty/revert", None, 200)
    shown = api.get("/v1/events/one", source="gateway", id="1")["event"]
    assert (shown["cost_usd"], shown["output_tokens"]) == ("4", 0)


def test_a_void_after_a_revert_waits_also_where_a_correction_by_filter_voided_the_event(api: Api) -> None:
    api.post("/v1/backfills", {"name": "lost", **LOST})
    load(api, event("1", 1))
    commit(api)
    api.post("/v1/corrections", {"name": "run", "action": "void", "customers": ["ann"]})
    previewed_at = api.get("/v1/corrections/run/preview")["previewed_at"]
    api.post("/v1/corrections/run/commit", {"previewed_at": previewed_at}, 200)
    for run in ("/v1/corrections/run", ONE):
        api.post(f"{run}/revert", None, 200)
    answer = api.post("/v1/events/void", {"source": "gateway", "id": "1"}, 200)
    assert (answer["voided"], answer["waits_for_event"]) == (True, True)
    api.deliver([event("1", 1)])
    assert api.get("/v1/events/one", source="gateway", id="1")["event"]["voided"] is True


def test_a_backfill_goes_on_after_the_engine_was_closed_between_any_two_steps(tmp_path: Path) -> None:
    def step(act: Any) -> Any:
        with engine_on(tmp_path / "data", SettableClock(EIGHT + timedelta(days=2))) as engine, http(engine) as api:
            return act(api)

    step(lambda api: api.deliver([event("kept", 1)]))
    step(lambda api: api.post("/v1/backfills", {"name": "lost", **LOST}))
    step(lambda api: load(api, event("1", 1)))
    step(lambda api: load(api, event("1", 1), event("2", 1)))
    assert step(commit)["committed"]["counted"] == 2
    assert step(lambda api: sorted(ids(api))) == ["1", "2", "kept"]
    step(lambda api: api.post(f"{ONE}/revert", None, 200))
    assert step(ids) == ["kept"]
