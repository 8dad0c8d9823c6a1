"""POST /respan/api/request-logs/create/: logs become usage, and what they say of customers holds from their time on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any, Final

import pytest

from consumers.embedded.engine import EmbeddedEngine
from consumers.engine import OperationResult
from domain.customers.personal_data import personal_key_id
from domain.scope import DEFAULT_SCOPE, Scope
from domain.streams import customer_stream
from tests.api.dialects.respan.conftest import MARCH_25, USERS, updated, user
from tests.engine_fixtures import Api, SettableClock, customer_path, key_for

CREATE: Final = "/respan/api/request-logs/create/"
ALL_PARAMS: Final[dict[str, Any]] = {
    "name": "Ada",
    "email": "ada@example.com",
    "group_identifier": "team/7",
    "metadata": {"plan": "gold"},
    "period_start": "2026-03-01",
    "period_end": "2026-03-31",
    "budget_duration": "weekly",
    "period_budget": 100,
    "total_budget": 1000.5,
    "markup_percentage": 20,
    "rate_limit": 60,
}
_numbers = count()


def log(customer: Any = "ada", days: float = 0, **members: Any) -> dict[str, Any]:
    """A log of some days before now that cost 1 dollar."""
    at = (MARCH_25 - timedelta(days=days)).isoformat()
    whole = {"customer_identifier": customer, "timestamp": at, "model": "m", "cost": 1, **members}
    return {"unique_id": f"log-{next(_numbers)}", **{name: value for name, value in whole.items() if value is not ...}}


def sent(api: Api, *logs: Any, status: int = 200) -> Any:
    """What a list of logs is answered."""
    return api.send("POST", CREATE, status, json=list(logs)).json()


def described(api: Api, customer: str) -> list[dict[str, Any]]:
    """The facts in the history of a customer that came with usage."""
    entries = api.get(customer_path(customer, "/history"))["data"]
    return [entry for entry in entries if entry["kind"] == "customer.described"]


def names(api: Api, customer: str) -> list[Any]:
    return [fact["fields"].get("name") for fact in described(api, customer)]


def native(api: Api, customer: str) -> Any:
    return api.get(customer_path(customer))


def spent(api: Api, customer: str) -> str:
    """The raw cost of a customer in the first quarter."""
    quarter = {"from": "2026-01-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}
    found: str = api.get(customer_path(customer, "/usage"), **quarter)["data"][0]["cost_usd"]
    return found


def test_a_conflict_by_what_was_said_of_the_customer_alone_names_what_differs(api: Api) -> None:
    first = {"name": "Ada", "period_budget": 100, "metadata": {"plan": "gold"}, "rate_limit": 60}
    second = {**first, "name": "Bob", "period_budget": 200, "metadata": {"plan": "iron"}}
    one = log("contested", unique_id="contested", customer_params={"customer_identifier": "contested", **first})
    sent(api, one)
    sent(api, {**one, "customer_params": {"customer_identifier": "contested", **second}})
    found = api.get("/v1/rejected", outcome="conflict", limit=1)["data"][0]
    assert (found["id"], found["differences"]) == (
        "contested",
        [
            {"member": "facts.metadata.plan", "counted": '"gold"', "received": '"iron"'},
            {"member": "facts.name", "counted": '"Ada"', "received": '"Bob"'},
            {"member": "facts.period_limit_usd", "counted": '"100"', "received": '"200"'},
        ],
    )
    (explained,) = api.get("/v1/events/one", source="respan", id="contested")["refusals"]
    assert explained == found
    amended = {"source": "respan", "id": "contested", "data": {"cost_usd": "2"}}
    api.post("/v1/events/amend", amended, 200)
    sent(api, {**one, "customer_params": {"customer_identifier": "contested", **first, "name": "Eve"}})
    found = api.get("/v1/rejected", outcome="conflict", limit=1)["data"][0]
    assert [one["member"] for one in found["differences"]] == ["data.cost_usd", "facts.name"]


def test_a_log_is_usage_of_the_customer_that_it_names(api: Api) -> None:
    answer = api.send("POST", CREATE, 200, json=log("plain", cost=0.25, unique_id="one"))
    body = answer.json()
    assert body == {
        "message": "log successful",
        "unique_id": "one",
        "position": body["position"],
        "counts": {"counted": 1, "duplicate": 0, "conflict": 0, "rejected": 0},
        "outcomes": [],
        "outcomes_truncated": False,
        "warnings": [],
    }
    assert answer.headers["Meterfold-Position"] == str(body["position"])
    assert user(api, "plain")["total_period_usage"] == 0.25
    assert native(api, "plain")["origin"] == "usage"
    event = api.get("/v1/events/one", source="respan", id="one")["event"]
    assert (event["customer"], event["cost_usd"], event["status"]) == ("plain", "0.25", "succeeded")


@pytest.mark.parametrize("path", ["/create/", "/create", "/", ""])
def test_logs_are_taken_on_every_documented_path(api: Api, path: str) -> None:
    body = api.send("POST", f"/respan/api/request-logs{path}", 200, json=log("paths")).json()
    assert body["counts"]["counted"] == 1


def test_a_customer_identifier_may_be_a_number(api: Api) -> None:
    sent(api, log(4711), log(..., customer_params={"customer_identifier": 4711, "name": "Number"}))
    assert (user(api, "4711")["name"], user(api, "4711")["total_period_usage"]) == ("Number", 2.0)


def test_every_member_of_customer_params_is_stored_and_shown(api: Api) -> None:
    sent(api, log("all", days=30, customer_params={"customer_identifier": "all", **ALL_PARAMS}))
    shown = native(api, "all")
    profile = {name: shown[name] for name in ("name", "email", "group_identifier", "metadata", "markup_percentage")}
    assert profile == {
        "name": "Ada",
        "email": "ada@example.com",
        "group_identifier": "team/7",
        "metadata": {"plan": "gold"},
        "markup_percentage": "20",
    }
    assert shown["origin"] == "explicit"
    budget = {name: value for name, value in shown["budget"].items() if value}
    assert budget == {
        "period_limit_usd": "100",
        "total_limit_usd": "1000.5",
        "duration": "weekly",
        "alignment": "anchored",
        "period_start": "2026-03-01T00:00:00.000000Z",
        "period_end": "2026-03-31T00:00:00.000000Z",
        "requests_per_minute": 60,
    }
    found = user(api, "all")
    assert {
        name: found[name] for name in ("name", "period_budget", "total_budget", "budget_duration", "period_start")
    } == {
        "name": "Ada",
        "period_budget": 100.0,
        "total_budget": 1000.5,
        "budget_duration": "weekly",
        "period_start": "2026-03-01T00:00:00Z",
    }


def test_lists_know_what_logs_said(api: Api) -> None:
    sent(api, log("listed", customer_params={"name": "Listed", "period_budget": 3}))
    filters = {"filters": {"name": {"operator": "iexact", "value": ["listed"]}}}
    found = api.send("POST", f"{USERS}/list/", 200, json=filters).json()["results"]
    assert [(one["customer_identifier"], one["name"], one["period_budget"]) for one in found] == [
        ("listed", "Listed", 3.0)
    ]


def test_access_tells_the_rate_limit(api: Api) -> None:
    sent(api, log("rated", customer_params={"rate_limit": 60}))
    assert api.get(customer_path("rated", "/access"))["requests_per_minute"] == 60


def test_facts_hold_from_the_time_of_their_log_on_and_before_its_own_usage(api: Api) -> None:
    sent(api, log("timed", days=5))
    sent(api, log("timed", days=3, customer_params={"markup_percentage": 100, "name": "Later"}))
    sent(api, log("timed", days=4))
    assert spent(api, "timed") == "3"
    asked = {"from": "2026-03-20T00:00:00Z", "to": "2026-03-26T00:00:00Z", "window": "day"}
    days = api.get(customer_path("timed", "/usage"), **asked)["data"]
    assert [row["reported_cost_usd"] for row in days] == ["1", "1", "2"]
    [fact] = described(api, "timed")
    assert (fact["effective_at"], fact["recorded_at"]) == ("2026-03-22T10:24:37.000000Z", "2026-03-25T10:24:37.000000Z")
    assert (fact["fields"], fact["dialect"]) == ({"markup_percentage": "100", "name": "Later"}, "respan")


def test_logs_in_whatever_order_they_come_leave_what_the_latest_one_said(api: Api) -> None:
    logs = [log("shuffled", days=day, customer_params={"name": f"{day} days ago"}) for day in (2, 9, 1, 5)]
    for one in logs:
        sent(api, one)
    assert native(api, "shuffled")["name"] == "1 days ago"
    sent(
        api, *[{**one, "customer_identifier": "in-one-list", "unique_id": f"{one['unique_id']}/again"} for one in logs]
    )
    assert native(api, "in-one-list")["name"] == "1 days ago"
    assert names(api, "in-one-list") == ["9 days ago", "5 days ago", "2 days ago", "1 days ago"]


def test_facts_of_one_list_and_instant_hold_in_the_order_of_the_list(api: Api) -> None:
    sent(
        api,
        log("rows", customer_params={"name": "first", "email": "a@b.example"}),
        log("rows", customer_params={"name": "second"}),
        log("rows", customer_params={"group_identifier": "g"}),
    )
    shown = native(api, "rows")
    assert (shown["name"], shown["email"], shown["group_identifier"]) == ("second", "a@b.example", "g")


def test_a_duplicate_applies_neither_usage_nor_facts_again(api: Api) -> None:
    first = log("twice", customer_params={"name": "Ada"})
    sent(api, first)
    updated(api, "twice", name="Changed")
    assert sent(api, first, first)["counts"] == {"counted": 0, "duplicate": 2, "conflict": 0, "rejected": 0}
    assert api.send("POST", CREATE, 200, json=first).json()["counts"]["duplicate"] == 1
    assert (native(api, "twice")["name"], names(api, "twice"), spent(api, "twice")) == ("Changed", ["Ada"], "1")


def test_the_same_log_with_other_facts_is_a_conflict_and_applies_nothing(api: Api) -> None:
    first = log("conflict", customer_params={"name": "Ada"})
    other = {**first, "customer_params": {"name": "Bob"}}
    none = {name: value for name, value in first.items() if name != "customer_params"}
    sent(api, first)
    assert sent(api, other, none)["counts"]["conflict"] == 2
    assert api.send("POST", CREATE, 409, json=other).json().keys() == {"detail"}
    assert names(api, "conflict") == ["Ada"]


def test_a_void_withdraws_the_usage_and_never_the_facts(api: Api) -> None:
    one = log("voided", days=1, customer_params={"name": "Ada", "period_budget": 5})
    sent(api, one)
    identity = {"source": "respan", "id": one["unique_id"]}
    api.post("/v1/events/void", identity, 200)
    shown = user(api, "voided")
    assert (shown["name"], shown["period_budget"], shown["total_period_usage"]) == ("Ada", 5.0, 0.0)
    assert updated(api, "voided", email="a@b.example")["email"] == "a@b.example"
    assert "voided" in [found["id"] for found in api.pages("/v1/customers")]
    api.post("/v1/events/unvoid", identity, 200)
    assert user(api, "voided")["total_period_usage"] == 1.0
    api.send("DELETE", f"{USERS}/voided/", 204)
    api.send("GET", f"{USERS}/voided/", 404)


def test_what_a_command_says_after_a_log_holds_though_it_said_the_same_before(api: Api) -> None:
    updated_at = log("said again", days=1)
    sent(api, updated_at)
    updated(api, "said again", name="Ada")
    api.send("POST", CREATE, 200, json=log("said again", customer_params={"name": "Bob"}))
    assert native(api, "said again")["name"] == "Bob"
    assert updated(api, "said again", name="Ada")["name"] == "Ada"


def test_facts_of_a_log_after_a_deletion_begin_the_next_life(
    api: Api, engine: EmbeddedEngine, clock: SettableClock
) -> None:
    sent(api, log("reborn", days=1, customer_params={"name": "Ada", "period_budget": 5}))
    api.send("DELETE", f"{USERS}/reborn/", 204)
    sent(api, log("reborn", days=2, customer_params={"name": "Late", "period_budget": 7}))
    api.send("GET", f"{USERS}/reborn/", 404)
    clock.advance(minutes=1)
    now = clock().isoformat()
    sent(api, log("reborn", timestamp=now, customer_params={"name": "Bob"}))
    shown = user(api, "reborn")
    assert (shown["name"], shown["period_budget"], shown["total_period_usage"]) == ("Bob", None, 1.0)
    assert names(api, "reborn") == [None, "Ada", "Bob"]


def test_budgets_of_a_log_refuse_access_at_once(api: Api) -> None:
    sent(api, log("over", cost=7, customer_params={"period_budget": 5, "budget_duration": "monthly"}))
    access = api.get(customer_path("over", "/access"))
    assert (access["allowed"], access["reason"]) == (False, "period_limit")


def test_reading_periods_of_a_duration_run_from_the_first_fact_and_no_later_log_moves_them(api: Api) -> None:
    monthly = {"budget_duration": "monthly", "period_budget": 50}
    for days in (40, 20, 3):
        sent(api, log("anchored", days=days, customer_params=monthly))
    shown = user(api, "anchored")
    assert (shown["period_start"], shown["period_end"]) == ("2026-03-13T10:24:37Z", "2026-04-13T10:24:37Z")
    assert shown["total_period_usage"] == 1.0


def test_a_bad_log_is_rejected_by_itself_with_field_and_rule(api: Api) -> None:
    answer = sent(
        api,
        log("good", customer_params={"name": "Good"}),
        log("bad", customer_params={"email": "nobody"}),
        "no object",
        log(...),
        log("late", timestamp="soon"),
        log("good", cost=2),
    )
    assert answer["counts"] == {"counted": 2, "duplicate": 0, "conflict": 0, "rejected": 4}
    assert [(one["reason"], one["detail"].partition(": ")[0]) for one in answer["outcomes"]] == [
        ("facts_invalid", "customer_params.email"),
        ("not_an_object", "event"),
        ("subject_missing", "subject"),
        ("time_invalid", "time"),
    ]
    assert (native(api, "good")["name"], spent(api, "good")) == ("Good", "3")
    rejected = [one for one in api.pages("/v1/rejected", outcome="rejected") if one["reason"] == "facts_invalid"]
    assert '"customer_params":{"email":"nobody"}' in str(rejected[0]["original"]).replace(" ", "")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"customer_identifier": "x", "customer_params": {"email": "nobody"}}, "customer_params"),
        ({"customer_identifier": "x", "cost": -1}, "data"),
        ({"model": "m"}, "subject"),
    ],
)
def test_one_log_alone_that_breaks_a_rule_is_a_bad_request(api: Api, body: dict[str, Any], field: str) -> None:
    answer = api.send("POST", CREATE, 400, json=body).json()
    assert answer.keys() == {field, "detail"}


def test_what_is_no_json_is_a_bad_request(api: Api) -> None:
    assert "JSON" in api.send("POST", CREATE, 400, content=b"{oops").json()["detail"]


def test_a_log_needs_a_key_that_may_ingest(api: Api, engine: EmbeddedEngine) -> None:
    replace(api, key="sk-unknown").send("POST", CREATE, 401, json=log())
    replace(api, key=key_for(engine, DEFAULT_SCOPE, "read")).send("POST", CREATE, 403, json=log())
    replace(api, key=key_for(engine, DEFAULT_SCOPE, "ingest")).send("POST", CREATE, 200, json=log("by ingest"))


def test_facts_stay_in_the_tenant_and_environment_of_their_key(api: Api, engine: EmbeddedEngine) -> None:
    other = replace(api, key=key_for(engine, Scope("other", "test")))
    sent(other, log("shared", customer_params={"name": "Other"}))
    sent(api, log("shared", customer_params={"name": "Mine"}))
    assert (user(other, "shared")["name"], user(api, "shared")["name"]) == ("Other", "Mine")
    sent(api, log("elsewhere"), status=200)
    api.send("POST", f"{CREATE}?environment=test", 404, json=log("elsewhere"))


def test_an_answer_as_of_an_earlier_position_knows_only_the_facts_until_then(api: Api) -> None:
    sent(api, log("as of", days=2, customer_params={"name": "Ada"}))
    before = native(api, "as of")
    sent(api, log("as of", days=1, customer_params={"name": "Bob"}))
    known = api.get(customer_path("as of"), as_of=before["position"], at=before["now"])
    assert {**known, "position": 0} == {**before, "position": 0}
    assert native(api, "as of")["name"] == "Bob"


def test_erasing_a_life_leaves_no_personal_fact_in_a_rebuilt_store(api: Api, engine: EmbeddedEngine) -> None:
    sent(api, log("erased", customer_params={"name": "Ada", "markup_percentage": 5}))
    sent(api, log("kept", customer_params={"name": "Bob"}))
    position = engine.log.head_position()
    stored = b"".join(record.state for record in engine.log.read(0, position))
    assert b"Ada" not in stored
    engine.keys.destroy(personal_key_id(customer_stream(DEFAULT_SCOPE, "erased"), 1))
    assert [step.findings for step in engine.replay() if isinstance(step, OperationResult)] == [()]
    shown = native(api, "erased")
    assert (shown["name"], shown["markup_percentage"]) == (None, "5")
    assert native(api, "kept")["name"] == "Bob"
    # The life goes on without its key: usage counts, what is personal is left out.
    assert (
        sent(api, log("erased", customer_params={"name": "Again", "group_identifier": "g"}))["counts"]["counted"] == 1
    )
    assert (native(api, "erased")["name"], native(api, "erased")["group_identifier"]) == (None, "g")


def test_hostile_customers_and_texts_come_back_as_they_were(api: Api) -> None:
    hostile = "a/b%2F 💸'\"\\" + "x" * 900
    params = {"name": "Ünï \\u0000'; --"[:20], "metadata": {"<script>": ["💸", {"deep": [1, 2.5, None]}]}}
    sent(api, log(hostile, customer_params={"customer_identifier": hostile, **params}))
    shown = native(api, hostile)
    assert {name: shown[name] for name in params} == params
