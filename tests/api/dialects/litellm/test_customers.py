"""Customers through LiteLLM's routes, beyond the recorded answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.dialects.litellm.models.responses import BlockUsersResponse, CustomerResponse
from consumers.embedded.engine import EmbeddedEngine
from domain.scope import DEFAULT_SCOPE
from tests.api.dialects.conftest import Spend
from tests.api.dialects.litellm.conftest import made, spend_of, updated
from tests.engine_fixtures import Api, JsonObject, SettableClock, key_for

#: How often those who do something at once do it.
ROUNDS = 30
FULL: JsonObject = {
    "alias": "Full Ltd",
    "blocked": True,
    "max_budget": 12.5,
    "soft_budget": 10,
    "budget_duration": "7d",
    "tpm_limit": 1000,
    "rpm_limit": 0,
    "tpd_limit": 5,
    "max_parallel_requests": 2,
    "model_max_budget": {"gpt-4o": {"max_budget": 0.1, "budget_duration": "30d", "rpm_limit": 3}},
    "allowed_region": "eu",
    "default_model": "anything/at-all",
    "models": ["gpt-4o"],
    "metadata": {"crm": 7, "ratio": 0.5},
    "object_permission": {"agents": ["a"]},
    "spend": 0.25,
    "unknown": "ignored",
}


def test_everything_that_is_given_is_stored_and_shown(api: Api) -> None:
    shown = made(api, "full", **FULL)
    assert CustomerResponse.model_validate(shown)
    permission_id = shown["object_permission_id"]
    assert shown == {
        "user_id": "full",
        "blocked": True,
        "alias": "Full Ltd",
        "spend": 0.25,
        "allowed_model_region": "eu",
        "default_model": "anything/at-all",
        "models": ["gpt-4o"],
        "budget_id": shown["budget_id"],
        "litellm_budget_table": {
            "budget_id": shown["budget_id"],
            "soft_budget": 10.0,
            "max_budget": 12.5,
            "max_parallel_requests": 2,
            "tpm_limit": 1000,
            "rpm_limit": 0,
            "tpd_limit": 5,
            "model_max_budget": FULL["model_max_budget"],
            "budget_duration": "7d",
            "allowed_models": [],
            "temp_budget_increase": None,
            "temp_budget_expiry": None,
            "budget_reset_at": "2026-11-23T00:00:00Z",
            "created_at": shown["litellm_budget_table"]["created_at"],
        },
        "object_permission_id": permission_id,
        "object_permission": {"object_permission_id": permission_id, "agents": ["a"]},
        "metadata": {"crm": 7, "ratio": 0.5},
    }
    assert api.get("/end_user/info", end_user_id="full") == shown
    native = api.get("/v1/customers/full")
    assert (native["name"], native["allowed_region"], native["opening_spend_usd"]) == ("Full Ltd", "eu", "0.25")


def test_spend_is_right_at_once_and_holds_what_was_spent_before(api: Api, spend: Spend) -> None:
    made(api, "spender", spend=1.5, max_budget=100, budget_duration="1d")
    spend("spender", "0.1")
    spend("spender", "0.2")
    assert spend_of(api, "spender") == 1.8
    assert api.get("/v1/customers/spender/budget")["period_spent_usd"] == "1.8"


def test_spend_counts_the_open_period_only_and_without_a_duration_everything(
    api: Api, spend: Spend, clock: SettableClock
) -> None:
    for customer, members in (("daily", {"budget_duration": "1d"}), ("always", {})):
        made(api, customer, spend=1, max_budget=100, **members)
        spend(customer, "2")
    clock.set((clock() + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0))
    for customer in ("daily", "always"):
        spend(customer, "0.5", clock() - timedelta(microseconds=1))
        spend(customer, "0.25", clock())
    assert (spend_of(api, "daily"), spend_of(api, "always")) == (0.25, 3.75)


def test_markup_is_part_of_what_was_spent(api: Api, spend: Spend, clock: SettableClock) -> None:
    made(api, "marked", max_budget=100)
    spend("marked", "1")
    clock.advance(minutes=1)
    api.patch("/v1/customers/marked", {"markup_percentage": "50"})
    spend("marked", "1")
    assert spend_of(api, "marked") == 2.5
    assert api.get("/v1/customers/marked/budget")["total_spent_usd"] == "2.5"


def test_a_customer_known_by_its_usage_can_be_read_changed_and_created(api: Api, spend: Spend) -> None:
    spend("seen", "0.5")
    assert spend_of(api, "seen") == 0.5
    assert updated(api, "seen", alias="Seen")["alias"] == "Seen"
    spend("seen-2", "0.5")
    assert made(api, "seen-2", spend=1)["spend"] == 1.5
    assert api.send("POST", "/customer/new", 400, json={"user_id": "seen-2"}).json()["error"]["param"] == "user_id"


def test_an_update_does_what_each_field_says(api: Api) -> None:
    made(api, "changing", alias="One", default_model="a", models=["a"])
    table = updated(
        api,
        "changing",
        max_budget=0,
        soft_budget=3,
        budget_duration="48h",
        tpm_limit=7,
        metadata={"a": 1},
        models=[],
        alias=None,
    )
    assert (table["alias"], table["default_model"], table["models"], table["metadata"]) == ("One", "a", [], {"a": 1})
    shown = table["litellm_budget_table"]
    assert (shown["max_budget"], shown["soft_budget"], shown["tpm_limit"]) == (0.0, 3.0, 7)
    assert shown["budget_duration"] == "48h"
    assert updated(api, "changing", metadata={"b": 2})["metadata"] == {"b": 2}


def test_null_takes_a_customer_off_its_budget(api: Api) -> None:
    api.post("/budget/new", {"budget_id": "tier-off", "max_budget": 3}, 200)
    assert made(api, "leaving", budget_id="tier-off")["litellm_budget_table"]["max_budget"] == 3.0
    left = updated(api, "leaving", budget_id=None)
    assert (left["budget_id"], left["litellm_budget_table"]) == (None, None)


def test_limits_beside_a_budget_id_are_the_customers_own(api: Api) -> None:
    api.post("/budget/new", {"budget_id": "tier-own", "max_budget": 3, "rpm_limit": 5, "tpm_limit": 1}, 200)
    for customer in ("own", "other"):
        made(api, customer, budget_id="tier-own", **({"tpm_limit": 9} if customer == "own" else {}))
    assert updated(api, "own", tpm_limit=10, rpm_limit=6)["litellm_budget_table"]["tpm_limit"] == 10
    other = api.get("/customer/info", end_user_id="other")["litellm_budget_table"]
    assert (other["tpm_limit"], other["rpm_limit"], other["max_budget"]) == (1, 6, 3.0)


def test_tokens_per_day_of_its_own_are_changed_where_they_are(api: Api) -> None:
    api.post("/budget/new", {"budget_id": "tier-tpd", "tpd_limit": 3}, 200)
    for customer in ("own-tpd", "other-tpd"):
        made(api, customer, budget_id="tier-tpd", **({"tpd_limit": 9} if customer == "own-tpd" else {}))
    assert updated(api, "own-tpd", tpd_limit=10)["litellm_budget_table"]["tpd_limit"] == 10
    assert updated(api, "other-tpd", tpd_limit=4)["litellm_budget_table"]["tpd_limit"] == 4
    (row,) = api.post("/budget/info", {"budgets": ["tier-tpd"]}, 200)
    assert row["tpd_limit"] == 4


def test_what_only_this_dialect_knows_is_changed_member_by_member(api: Api) -> None:
    api.post("/budget/new", {"budget_id": "tier-known", "tpd_limit": 3}, 200)
    made(api, "known", budget_id="tier-known", tpd_limit=9, object_permission={"agents": ["a"]})
    updates: list[JsonObject] = [{"models": ["gpt-4o"]}, {"tpd_limit": 10}, {"object_permission": {"agents": ["b"]}}]
    for members in updates:
        updated(api, "known", **members)
    shown = api.get("/customer/info", end_user_id="known")
    permission = {"object_permission_id": shown["object_permission_id"], "agents": ["b"]}
    assert (shown["models"], shown["object_permission"]) == (["gpt-4o"], permission)
    assert (shown["budget_id"], shown["litellm_budget_table"]["tpd_limit"]) == ("tier-known", 10)


def test_an_empty_budget_id_is_one_that_was_not_sent(api: Api) -> None:
    api.post("/budget/new", {"budget_id": "tier-empty", "max_budget": 3}, 200)
    assert made(api, "empty", budget_id="")["litellm_budget_table"] is None
    assert made(api, "empty-limited", budget_id="", max_budget=2)["litellm_budget_table"]["max_budget"] == 2.0
    assert updated(api, "empty", budget_id="tier-empty")["budget_id"] == "tier-empty"
    assert updated(api, "empty", budget_id="", alias="E")["budget_id"] == "tier-empty"


def test_limits_set_through_another_api_are_shown_and_changed_where_they_are(api: Api) -> None:
    api.post("/v1/customers", {"id": "native", "budget": {"period_limit_usd": "5", "duration": "1w"}})
    shown = api.get("/customer/info", end_user_id="native")
    assert (shown["budget_id"], shown["litellm_budget_table"]["max_budget"]) == (None, 5.0)
    assert updated(api, "native", max_budget=6)["budget_id"] is None
    budget = api.get("/v1/customers/native")["budget"]
    assert (budget["period_limit_usd"], budget["duration"]) == ("6", "1w")


def test_a_duration_moves_the_limit_from_the_whole_life_to_the_period_and_back(api: Api) -> None:
    def limits() -> tuple[Any, Any]:
        budget = api.get("/v1/customers/moving/budget")
        return budget["period_limit_usd"], budget["total_limit_usd"]

    budget_id = made(api, "moving", max_budget=4)["budget_id"]
    assert limits() == (None, "4")
    updated(api, "moving", budget_duration="30d")
    assert limits() == ("4", None)
    api.post("/budget/update", {"budget_id": budget_id, "budget_duration": None}, 200)
    assert limits() == (None, "4")


def test_deletion_takes_all_or_nothing_and_the_id_lives_again_with_nothing_spent(
    api: Api, spend: Spend, clock: SettableClock
) -> None:
    made(api, "gone", spend=2)
    spend("gone", "1")
    api.send("POST", "/customer/delete", 404, json={"user_ids": ["gone", "never"]})
    assert spend_of(api, "gone") == 3.0
    clock.advance(seconds=1)
    api.post("/customer/delete", {"user_ids": ["gone", "gone"]}, 200)
    assert api.send("GET", "/customer/info", 404, params={"end_user_id": "gone"})
    assert made(api, "gone")["spend"] == 0.0


def test_of_concurrent_deletions_one_succeeds_and_the_others_are_refused(api: Api, clock: SettableClock) -> None:
    with ThreadPoolExecutor(4) as crowd:
        for number in range(ROUNDS):
            body = {"user_ids": [f"deleted-{number}", f"with-{number}"]}
            for customer in body["user_ids"]:
                made(api, customer)
            clock.advance(seconds=1)
            answers = list(crowd.map(lambda body: api.send("POST", "/customer/delete", None, json=body), [body] * 4))
            assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]


def test_no_change_brings_back_a_customer_that_is_deleted_at_the_same_time(api: Api, clock: SettableClock) -> None:
    changes: list[tuple[str, JsonObject]] = [
        ("/customer/delete", {"user_ids": ["raced"]}),
        ("/customer/update", {"user_id": "raced", "alias": "late"}),
        ("/customer/unblock", {"user_ids": ["raced"]}),
    ]
    with ThreadPoolExecutor(3) as crowd:
        for _ in range(ROUNDS):
            made(api, "raced", blocked=True)
            clock.advance(seconds=1)
            answers = list(crowd.map(lambda one: api.send("POST", one[0], None, json=one[1]), changes))
            assert [answer.status_code for answer in answers] in ([200, 200, 200], [200, 404, 200])
            api.send("GET", "/customer/info", 404, params={"end_user_id": "raced"})
            clock.advance(seconds=1)


def test_blocking_answers_customers_and_unblocking_the_ids_that_remain_blocked(api: Api) -> None:
    blocked = api.post("/end_user/block", {"user_ids": ["b1", "b2", "b1"]}, 200)
    assert [one.user_id for one in BlockUsersResponse.model_validate(blocked).blocked_users] == ["b1", "b2"]
    remaining = api.post("/end_user/unblock", {"user_ids": ["b1", "nobody-at-all"]}, 200)["blocked_users"]
    assert "b2" in remaining
    assert "b1" not in remaining
    api.send("GET", "/customer/info", 404, params={"end_user_id": "nobody-at-all"})


@pytest.mark.parametrize("customer", ["a/b", "é", "?q=1&r", "a b", "%2F", "'; DROP TABLE customers; --"])
def test_an_id_may_hold_anything(api: Api, customer: str) -> None:
    made(api, customer)
    assert api.get("/customer/info", end_user_id=customer)["user_id"] == customer


@pytest.mark.parametrize(
    ("members", "place"),
    [
        ({"user_id": ""}, ["body", "user_id"]),
        ({"user_id": 5}, ["body", "user_id"]),
        ({"user_id": "bad", "alias": "x" * 300}, ["body", "alias"]),
        ({"user_id": "bad", "tpm_limit": -1}, ["body", "tpm_limit"]),
        ({"user_id": "bad", "max_budget": "much"}, ["body", "max_budget"]),
        ({"user_id": "bad", "spend": -1}, ["body", "spend"]),
        ({"user_id": "bad", "model_max_budget": {"": {"max_budget": 1}}}, ["body", "model_max_budget"]),
    ],
)
def test_an_invalid_member_is_named_as_it_was_sent(api: Api, members: JsonObject, place: list[str]) -> None:
    answer = api.send("POST", "/customer/new", 422, json=members).json()
    assert [one["loc"] for one in answer["detail"]] == [place]


def test_a_refused_customer_leaves_no_budget_behind(api: Api) -> None:
    made(api, "twice")
    before = len(api.get("/budget/list"))
    api.send("POST", "/customer/new", 400, json={"user_id": "twice", "max_budget": 1})
    api.send("POST", "/customer/new", 422, json={"user_id": "x", "max_budget": 1, "alias": "x" * 300})
    assert len(api.get("/budget/list")) == before


def test_two_hundred_at_once_make_one_customer(api: Api) -> None:
    def create(number: int) -> tuple[int, Any]:
        body = {"user_id": "crowd", "max_budget": number + 1}
        answer = api.send("POST", "/customer/new", None, json=body)
        return answer.status_code, answer.json()

    with ThreadPoolExecutor(40) as crowd:
        answers = list(crowd.map(create, range(200)))
    assert sorted(status for status, _ in answers) == [200] + [400] * 199
    errors = [body["error"] for status, body in answers if status == 400]
    message = "Customer already exists, passed user_id=crowd. Please pass a new user_id."
    assert errors == [{"message": message, "type": "bad_request", "param": "user_id", "code": "400"}] * 199


def test_only_an_admin_may(api: Api, engine: EmbeddedEngine) -> None:
    reader = Api(api.client, key_for(engine, DEFAULT_SCOPE, "read", "ingest"))
    for method, path in (("GET", "/customer/list"), ("POST", "/budget/new"), ("GET", "/customer/info?end_user_id=x")):
        error = reader.send(method, path, 401).json()["error"]
        assert (error["type"], error["code"]) == ("auth_error", "401")
        assert f"Route={path.partition('?')[0]}." in error["message"]


@pytest.mark.parametrize("header", ["x-goog-api-key", "Ocp-Apim-Subscription-Key", "API-KEY", "X-Api-Key"])
def test_a_key_may_come_in_other_headers(api: Api, header: str) -> None:
    for value in (api.key, f"Bearer {api.key}"):
        assert api.client.get("/customer/list?page=1", headers={header: value}).status_code == 200


def test_liveness_needs_no_key(api: Api) -> None:
    answer = api.client.get("/health/liveliness")
    assert (answer.status_code, answer.json()) == (200, "I'm alive!")


def test_customers_of_another_tenant_are_not_visible(api: Api, engine: EmbeddedEngine) -> None:
    made(api, "ours")
    other = Api(api.client, key_for(engine, type(DEFAULT_SCOPE)("other", "prod")))
    assert other.get("/customer/list") == []
    other.send("GET", "/customer/info", 404, params={"end_user_id": "ours"})


def test_instants_are_utc(api: Api, clock: SettableClock) -> None:
    created = made(api, "instant", max_budget=1)["litellm_budget_table"]["created_at"]
    assert datetime.fromisoformat(created) == clock()
    assert clock().tzinfo is UTC
