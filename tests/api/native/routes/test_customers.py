"""Customers in the native API: create, change, block, deactivate, delete, history."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.engine_fixtures import Api, JsonObject, SettableClock, customer_path, llm_request

BLANK_BUDGET: JsonObject = {
    "budget_id": None,
    "period_limit_usd": None,
    "total_limit_usd": None,
    "soft_limit_usd": None,
    "model_limits": {},
    "duration": None,
    "alignment": None,
    "anchor": None,
    "period_start": None,
    "period_end": None,
    "requests_per_minute": None,
    "tokens_per_minute": None,
    "parallel_requests_max": None,
}


def changed(before: Any, **fields: Any) -> Any:
    return {**before, **fields}


def without_position(view: JsonObject) -> JsonObject:
    return {name: value for name, value in view.items() if name not in ("position", "now")}


def test_a_customer_is_shown_as_it_was_created(api: Api) -> None:
    answer = api.send(
        "POST",
        "/v1/customers",
        201,
        json={
            "id": "full",
            "name": "Full Ltd",
            "email": "a@full.example",
            "metadata": {"crm": 7, "ratio": 0.5},
            "currency": "eur",
            "time_zone": "Europe/Berlin",
            "group_identifier": "team/7",
            "markup_percentage": 12.50,
            "payment_provider": {"name": "stripe", "customer_id": "cus_7"},
            "opening_spend_usd": "3",
            "usage_period": {"duration": "1w"},
            "budget": {
                "period_limit_usd": 0.1,
                "duration": "30d",
                "alignment": "anchored",
                "anchor": "2026-01-31T00:00:00+01:00",
                "model_limits": {"gpt-4o": {"limit_usd": "5.00", "duration": "1d"}},
                "requests_per_minute": 60,
            },
        },
    )
    shown = answer.json()
    assert answer.headers["Meterfold-Position"] == str(shown["position"])
    assert without_position(shown) == {
        "id": "full",
        "created_at": "2026-03-10T12:00:00.000000Z",
        "first_seen_at": None,
        "origin": "explicit",
        "active": True,
        "blocked": False,
        "life": 1,
        "name": "Full Ltd",
        "email": "a@full.example",
        "metadata": {"crm": 7, "ratio": 0.5},
        "currency": "EUR",
        "time_zone": "Europe/Berlin",
        "group_identifier": "team/7",
        "allowed_region": None,
        "default_model": None,
        "markup_percentage": "12.5",
        "opening_spend_usd": "3",
        "payment_provider": {"name": "stripe", "customer_id": "cus_7"},
        "usage_period": {"duration": "1w", "alignment": "calendar", "anchor": None},
        "budget": changed(
            BLANK_BUDGET,
            period_limit_usd="0.1",
            duration="30d",
            alignment="anchored",
            anchor="2026-01-30T23:00:00.000000Z",
            model_limits={"gpt-4o": {"limit_usd": "5", "duration": "1d"}},
            requests_per_minute=60,
        ),
    }
    assert api.get("/v1/customers/full") == shown


def test_creating_an_existing_customer_is_a_conflict(api: Api) -> None:
    api.post("/v1/customers", {"id": "twice"})
    assert api.refused("POST", "/v1/customers", 409, {"id": "twice"})["type"] == "/problems/already_exists"


def test_a_customer_known_by_usage_can_be_created_with_it(api: Api) -> None:
    api.deliver([llm_request("adopt 1", "adopted")])
    seen = api.get("/v1/customers/adopted")
    assert (seen["origin"], seen["created_at"], seen["first_seen_at"]) == ("usage", None, "2025-06-01T12:00:00.000000Z")
    created = api.post("/v1/customers", {"id": "adopted", "name": "A"})
    assert (created["origin"], created["first_seen_at"]) == ("explicit", seen["first_seen_at"])
    assert api.refused("POST", "/v1/customers", 409, {"id": "adopted"})["status"] == 409


def test_a_command_makes_a_customer_known_by_usage_explicit(api: Api) -> None:
    api.deliver([llm_request("patched 1", "patched"), llm_request("blocked 1", "stopped")])
    assert api.patch("/v1/customers/patched", {"name": "P"})["origin"] == "explicit"
    assert api.post("/v1/customers/stopped/block", status=200)["blocked"] is True


def test_a_merge_patch_sets_clears_and_leaves_alone(api: Api) -> None:
    body = {"id": "merge", "name": "M", "email": "m@example.com", "metadata": {"a": 1, "b": {"c": 2, "d": 3}}}
    before = api.post(
        "/v1/customers",
        {**body, "budget": {"period_limit_usd": "5", "total_limit_usd": "50"}, "usage_period": {"duration": "1d"}},
    )
    after = api.patch(
        "/v1/customers/merge",
        {
            "email": None,
            "metadata": {"a": None, "b": {"c": 4}},
            "budget": {"period_limit_usd": None},
            "usage_period": None,
        },
    )
    assert without_position(after) == without_position(
        changed(
            before,
            email=None,
            metadata={"b": {"c": 4, "d": 3}},
            budget=changed(BLANK_BUDGET, total_limit_usd="50"),
            usage_period={"duration": "1mo", "alignment": "calendar", "anchor": None},
        )
    )
    assert without_position(api.patch("/v1/customers/merge", {"budget": None}))["budget"] == BLANK_BUDGET


def test_a_patch_that_changes_nothing_writes_nothing(api: Api) -> None:
    before = api.post("/v1/customers", {"id": "same", "name": "S"})
    assert api.patch("/v1/customers/same", {"name": "S"}) == before
    assert api.patch("/v1/customers/same", {}) == before


def test_a_patch_may_deactivate_and_reactivate(api: Api) -> None:
    api.post("/v1/customers", {"id": "hidden"})
    api.deliver([llm_request("hidden 1", "hidden")])
    assert api.patch("/v1/customers/hidden", {"active": False, "name": "H"})["active"] is False
    asked = {"from": "2025-06-01", "to": "2025-06-02", "group_by": "customer"}
    assert "hidden" not in {row["group"]["customer"] for row in api.get("/v1/usage", **asked)["data"]}
    assert api.patch("/v1/customers/hidden", {"active": True})["active"] is True
    assert "hidden" in {row["group"]["customer"] for row in api.get("/v1/usage", **asked)["data"]}


def test_a_patch_takes_plain_json_too_and_nothing_that_only_a_creation_has(api: Api) -> None:
    api.post("/v1/customers", {"id": "plain"})
    assert api.send("PATCH", "/v1/customers/plain", 200, json={"name": "J"}).json()["name"] == "J"
    for field in ("id", "opening_spend_usd"):
        assert api.refused("PATCH", "/v1/customers/plain", 422, {field: "1"})["field"] == field


def test_an_unknown_customer_can_neither_be_read_nor_changed_but_has_access(api: Api) -> None:
    for rest in ("", "/history", "/usage", "/current-usage", "/past-usage", "/budget"):
        assert api.refused("GET", f"/v1/customers/nobody{rest}", 404)["type"] == "/problems/not_found"
    assert api.refused("DELETE", "/v1/customers/nobody", 404)["status"] == 404
    assert api.refused("POST", "/v1/customers/nobody/block", 404)["status"] == 404
    answer = without_position(api.get("/v1/customers/nobody/access"))
    assert answer == {
        "customer": "nobody",
        "allowed": True,
        "reason": "new_customer",
        "reason_text": None,
        "cost_unknown_events": 0,
        "spend_is_lower_bound": False,
        "limits": [],
        "requests_per_minute": None,
        "tokens_per_minute": None,
        "parallel_requests_max": None,
    }


def test_a_block_refuses_access_until_it_is_taken_back(api: Api) -> None:
    api.post("/v1/customers", {"id": "bad"})
    api.post("/v1/customers/bad/block", {"reason": "fraud"}, status=200)
    assert (api.get("/v1/customers/bad/access")["allowed"], api.get("/v1/customers/bad/access")["reason"]) == (
        False,
        "blocked",
    )
    api.post("/v1/customers/bad/unblock", status=200)
    assert api.get("/v1/customers/bad/access")["allowed"] is True
    reasons = {entry["kind"]: entry["reason"] for entry in api.get("/v1/customers/bad/history")["data"]}
    assert reasons == {"customer.created": None, "customer.blocked": "fraud", "customer.unblocked": None}


def test_a_deleted_customer_is_gone_until_it_lives_again(api: Api, clock: SettableClock) -> None:
    api.post("/v1/customers", {"id": "lives", "name": "First"})
    clock.advance(seconds=1)
    api.delete("/v1/customers/lives")
    assert api.refused("GET", "/v1/customers/lives", 404)["status"] == 404
    assert "lives" not in {customer["id"] for customer in api.pages("/v1/customers", prefix="lives")}
    clock.advance(seconds=1)
    again = api.post("/v1/customers", {"id": "lives"})
    assert (again["life"], again["name"]) == (2, None)


def head_of(api: Api) -> int:
    return int(api.get("/readyz")["head"])


@pytest.mark.parametrize("dialect", ["native", "litellm"])
def test_usage_ahead_of_its_time_revives_nobody_until_it_is_due(api: Api, clock: SettableClock, dialect: str) -> None:
    name = f"ahead {dialect}"
    due = clock() + timedelta(hours=2)
    api.deliver([llm_request(f"{name} 1", name, due)])
    assert api.get(customer_path(name))["origin"] == "usage"

    def delete() -> int:
        clock.advance(seconds=1)
        body = {"user_ids": [name]}
        answers = {
            "native": lambda: api.send("DELETE", customer_path(name), None),
            "litellm": lambda: api.send("POST", "/customer/delete", None, json=body),
        }
        return int(answers[dialect]().status_code // 100)

    before = head_of(api)
    assert delete() == 2
    assert head_of(api) == before + 1
    assert [delete() for _ in range(3)] == [4, 4, 4]
    api.refused("GET", customer_path(name), 404)
    api.refused("GET", f"/customer/info?end_user_id={name}", 404)
    api.refused("PATCH", customer_path(name), 404, {"currency": "EUR"})
    assert name not in {customer["id"] for customer in api.pages("/v1/customers", prefix=name)}
    assert name not in api.send("GET", "/customer/list", 200).text
    assert head_of(api) == before + 1

    clock.set(due)
    assert (api.get(customer_path(name))["life"], api.get(customer_path(name))["origin"]) == (2, "usage")
    assert name in {customer["id"] for customer in api.pages("/v1/customers", prefix=name)}
    assert [delete() for _ in range(2)] == [2, 4]
    assert head_of(api) == before + 2
    api.refused("GET", customer_path(name), 404)


def test_usage_after_a_deletion_begins_a_life_though_later_usage_is_ahead_of_its_time(
    api: Api, clock: SettableClock
) -> None:
    due = clock() + timedelta(hours=2)
    api.deliver([llm_request("again 1", "again", due)])
    api.delete("/v1/customers/again")
    clock.advance(seconds=5)
    api.deliver([llm_request("again 2", "again", clock())])
    clock.advance(seconds=1)
    assert api.get("/v1/customers/again")["life"] == 2
    assert "again" in {customer["id"] for customer in api.pages("/v1/customers", prefix="again")}
    api.delete("/v1/customers/again")
    api.refused("DELETE", "/v1/customers/again", 404)


def test_history_shows_actor_change_and_reason_in_pages(api: Api) -> None:
    api.post("/v1/customers", {"id": "told", "effective_at": "2025-05-01T00:00:00Z"})
    api.send("PATCH", "/v1/customers/told", 200, {"X-Meterfold-Reason": "renamed"}, json={"name": "T"})
    api.deliver([llm_request("told 1", "told")])
    entries = api.pages("/v1/customers/told/history", limit=1)
    assert [(entry["kind"], entry["reason"], entry["derived"]) for entry in entries] == [
        ("customer.created", None, False),
        ("customer.first_seen", None, True),
        ("customer.updated", "renamed", False),
    ]
    assert entries[0]["effective_at"] == "2025-05-01T00:00:00.000000Z"
    assert entries[2]["fields"] == {"name": "T"}
    assert entries[2]["actor"].startswith("key_")


@pytest.mark.parametrize(
    ("sent", "kept"), [("Ablösung → 更新".encode(), "Ablösung → 更新"), (b"Abl\xf6sung", "Ablösung")]
)
def test_a_reason_is_read_as_utf_8_else_as_latin_1(api: Api, sent: bytes, kept: str) -> None:
    api.post("/v1/customers", {"id": f"reason {len(sent)}"})
    api.send("PATCH", customer_path(f"reason {len(sent)}"), 200, {"X-Meterfold-Reason": sent}, json={"name": "T"})
    assert api.pages(f"{customer_path(f'reason {len(sent)}')}/history")[-1]["reason"] == kept


def test_customers_are_listed_by_id_in_pages_that_add_up(api: Api, clock: SettableClock) -> None:
    ids = [f"page {number}" for number in range(7)]
    for customer in reversed(ids):
        api.post("/v1/customers", {"id": customer})
    clock.advance(seconds=1)
    api.delete(customer_path("page 3"))
    for limit in (1, 2, 6, 7, 1000):
        assert [one["id"] for one in api.pages("/v1/customers", prefix="page ", limit=limit)] == [*ids[:3], *ids[4:]]


def test_a_cursor_of_another_list_is_refused(api: Api) -> None:
    for number in range(2):
        api.post("/v1/customers", {"id": f"cursor {number}"})
    cursor = api.get("/v1/customers", limit=1)["next_cursor"]
    assert api.refused("GET", f"/v1/budgets?cursor={cursor}", 422)["field"] == "cursor"


def test_a_markup_set_today_can_be_dated_back_to_what_was_used_before(api: Api, clock: SettableClock) -> None:
    used_at = clock()
    api.deliver([llm_request("used before", customer="late", time=used_at, cost_usd="1")])
    clock.advance(minutes=1)
    api.post("/v1/customers", {"id": "late", "markup_percentage": "10"})
    dated_back = {"markup_percentage": "10", "effective_at": used_at.isoformat()}
    assert api.patch(customer_path("late"), dated_back)["markup_percentage"] == "10"
    explained = api.get("/v1/events/one", source="gateway", id="used before")
    assert explained["cost"]["reported_cost_usd"] == "1.1"


def test_a_block_counts_at_once_though_one_is_scheduled(api: Api, clock: SettableClock) -> None:
    api.post("/v1/customers", {"id": "risky"})
    scheduled = {"effective_at": (clock() + timedelta(days=30)).isoformat()}
    api.post(customer_path("risky", "/block"), scheduled, 200)
    assert api.get(customer_path("risky", "/access"))["reason"] == "ok"
    assert api.post(customer_path("risky", "/block"), None, 200)["blocked"]
    assert api.get(customer_path("risky", "/access"))["reason"] == "blocked"


def test_a_deleted_customer_does_not_come_back_by_what_was_scheduled_for_it(api: Api, clock: SettableClock) -> None:
    api.post("/v1/customers", {"id": "gone"})
    scheduled = {"markup_percentage": "50", "effective_at": (clock() + timedelta(days=1)).isoformat()}
    api.patch(customer_path("gone"), scheduled)
    api.delete(customer_path("gone"))
    clock.advance(days=2)
    assert api.send("GET", customer_path("gone"), 404).json()["type"] == "/problems/not_found"
    api.deliver([llm_request("new life", customer="gone", time=clock(), cost_usd="1")])
    assert api.get(customer_path("gone", "/current-usage"))["usage"]["reported_cost_usd"] == "1"
