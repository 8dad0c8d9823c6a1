"""Shared budgets through LiteLLM's routes: create, change, list, delete."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from api.dialects.litellm.models.responses import BudgetRow
from tests.api.dialects.litellm.conftest import made, updated
from tests.engine_fixtures import Api, JsonObject

#: How often those who change something at once do it.
ROUNDS = 30


def budget(api: Api, budget_id: str, **members: Any) -> Any:
    return api.post("/budget/new", {"budget_id": budget_id, **members}, 200)


def change(api: Api, budget_id: str, **members: Any) -> Any:
    return api.post("/budget/update", {"budget_id": budget_id, **members}, 200)


def test_a_budget_is_shown_as_the_row_that_it_is(api: Api) -> None:
    row = budget(api, "row", max_budget=1.5, budget_duration="2w")
    assert BudgetRow.model_validate(row)
    assert (row["max_budget"], row["budget_duration"], row["created_by"]) == (1.5, "2w", "default_user_id")
    assert api.post("/budget/info", {"budgets": ["row", "row"]}, 200) == [row]
    assert row in api.get("/budget/list")


def test_null_clears_and_what_is_left_out_stays(api: Api) -> None:
    budget(api, "clearing", max_budget=1, rpm_limit=5, budget_duration="1d", soft_budget=0.5)
    row = change(api, "clearing", rpm_limit=None, budget_duration=None)
    names = ("max_budget", "rpm_limit", "budget_duration", "budget_reset_at", "soft_budget")
    assert [row[name] for name in names] == [1.0, None, None, None, 0.5]
    assert change(api, "clearing", max_budget=None)["max_budget"] is None


def test_a_change_holds_for_every_customer_of_the_budget(api: Api) -> None:
    budget(api, "shared", max_budget=1)
    for customer in ("shared-1", "shared-2"):
        made(api, customer, budget_id="shared")
    updated(api, "shared-1", max_budget=9, rpm_limit=4)
    for customer in ("shared-1", "shared-2"):
        table = api.get("/customer/info", end_user_id=customer)["litellm_budget_table"]
        assert (table["max_budget"], table["rpm_limit"]) == (9.0, 4)
    assert api.get("/v1/budgets/shared")["total_limit_usd"] == "9"


def test_a_customer_of_a_deleted_budget_has_none(api: Api) -> None:
    row = budget(api, "leaving", max_budget=1)
    made(api, "left-behind", budget_id="leaving")
    assert api.post("/budget/delete", {"id": "leaving"}, 200) == row
    shown = api.get("/customer/info", end_user_id="left-behind")
    assert (shown["budget_id"], shown["litellm_budget_table"]) == (None, None)
    assert row["budget_id"] not in {one["budget_id"] for one in api.get("/budget/list")}
    assert updated(api, "left-behind", max_budget=2)["litellm_budget_table"]["max_budget"] == 2.0


def test_changes_at_the_same_time_come_one_after_the_other(api: Api) -> None:
    with ThreadPoolExecutor(2) as crowd:
        for number in range(ROUNDS):
            budget(api, f"raced-{number}", max_budget=1, budget_duration="1d")
            changes: list[JsonObject] = [{"budget_duration": None}, {"max_budget": 5}]
            list(crowd.map(lambda members, name=f"raced-{number}": change(api, name, **members), changes))
            native = api.get(f"/v1/budgets/raced-{number}")
            assert (native["duration"], native["period_limit_usd"], native["total_limit_usd"]) == (None, None, "5")


def test_a_change_names_the_budget_and_one_that_is_not_there_is_null(api: Api) -> None:
    assert api.post("/budget/update", {"budget_id": "not-there", "max_budget": 1}, 200) is None
    for nameless in ({}, {"budget_id": ""}, {"budget_id": None}):
        answer = api.send("POST", "/budget/update", 400, json={"max_budget": 1, **nameless}).json()
        assert answer == {"detail": {"error": "budget_id is required"}}


def test_all_budgets_are_listed_in_the_order_in_which_they_were_made(api: Api) -> None:
    names = [f"listed-{number * 7 % 10}" for number in range(10)]
    rows = [budget(api, name, max_budget=number) for number, name in enumerate(names)]
    rows[3] = change(api, names[3], max_budget=33)
    api.post("/budget/delete", {"id": names[5]}, 200)
    assert [row for row in api.get("/budget/list") if row["budget_id"] in names] == rows[:5] + rows[6:]


def test_models_have_budgets_that_are_replaced_as_a_whole(api: Api) -> None:
    models: JsonObject = {"a": {"max_budget": 0.1, "budget_duration": "30d", "tpm_limit": 7}, "b": {"rpm_limit": 1}}
    assert budget(api, "by-model", model_max_budget=models)["model_max_budget"] == models
    assert api.get("/v1/budgets/by-model")["model_limits"] == {"a": {"limit_usd": "0.1", "duration": "1mo"}}
    assert change(api, "by-model", model_max_budget={"c": {"max_budget": 2}})["model_max_budget"] == {
        "c": {"max_budget": 2.0}
    }
    assert change(api, "by-model", model_max_budget=None)["model_max_budget"] is None


def test_a_change_through_another_api_is_what_is_shown(api: Api) -> None:
    budget(api, "elsewhere", max_budget=1, budget_duration="30d", model_max_budget={"a": {"max_budget": 1}})
    api.patch(
        "/v1/budgets/elsewhere",
        {"duration": "1w", "period_limit_usd": "2", "model_limits": {"a": {"limit_usd": "3", "duration": "1d"}}},
    )
    (row,) = api.post("/budget/info", {"budgets": ["elsewhere"]}, 200)
    assert (row["budget_duration"], row["max_budget"]) == ("1w", 2.0)
    assert row["model_max_budget"] == {"a": {"max_budget": 3.0, "budget_duration": "1d"}}


def test_a_reset_can_be_moved(api: Api) -> None:
    row = budget(api, "moved", max_budget=1, budget_duration="7d", budget_reset_at="2026-11-26T06:00:00+01:00")
    assert row["budget_reset_at"] == "2026-11-26T05:00:00Z"
    assert change(api, "moved", budget_duration="7d")["budget_reset_at"] == "2026-11-23T00:00:00Z"


def test_setting_the_same_duration_moves_no_reset(api: Api) -> None:
    row = budget(api, "again", budget_duration="28d")
    before = datetime.fromisoformat(row["budget_reset_at"])
    assert datetime.fromisoformat(change(api, "again", budget_duration="28d")["budget_reset_at"]) == before


@pytest.mark.parametrize(
    ("members", "status", "detail"),
    [
        ({"budget_duration": "0d"}, 400, {"error": "Invalid budget_duration '0d'. Use a format like '1h', '24h', '7d',"
            " or '30d'."}),
        ({"soft_budget": -1}, 400, {"error": "soft_budget must be a non-negative finite number. Received: -1.0"}),
        ({"model_max_budget": {"m": {"max_budget": 1, "budget_duration": "x"}}}, 400, {"error": "Invalid"
            " budget_duration 'x'. Use a format like '1h', '24h', '7d', or '30d'."}),
        ({"tpm_limit": -1}, 422, [{"type": "greater_than_equal", "loc": ["body", "tpm_limit"],
            "msg": "Input should be greater than or equal to 0"}]),
        ({"max_budget": 1e15}, 422, [{"type": "value_error", "loc": ["body", "max_budget"],
            "msg": "Value error, must be less than 10^15"}]),
    ],
)  # fmt: skip
def test_an_invalid_budget_is_refused(api: Api, members: JsonObject, status: int, detail: Any) -> None:
    for path in ("/budget/new", "/budget/update"):
        budget_id = {"budget_id": "row"} if path == "/budget/update" else {}
        assert api.send("POST", path, status, json={**budget_id, **members}).json() == {"detail": detail}


def test_a_reset_out_of_range_is_refused(api: Api) -> None:
    members = {"budget_duration": "1mo", "budget_reset_at": "0001-01-01T00:00:00+14:00"}
    answer = api.send("POST", "/budget/new", 422, json=members).json()
    assert [breach["loc"] for breach in answer["detail"]] == [["body", "budget_reset_at"]]


@pytest.mark.parametrize("member", ["max_budget", "soft_budget"])
def test_an_amount_too_large_is_refused(api: Api, member: str) -> None:
    kept, customer = f"sized-{member}", f"sized-by-{member}"
    budget(api, kept, max_budget=1)
    made(api, customer)
    headers = {"Content-Type": "application/json"}
    for amount in ("1e9999999", "-1e9999999", "1e15", '"1e9999999"', "1e-9999999"):
        bodies = {
            "/customer/new": f'{{"user_id": "sized", "{member}": {amount}}}',
            "/budget/new": f'{{"budget_id": "other", "{member}": {amount}}}',
            "/budget/update": f'{{"budget_id": "{kept}", "{member}": {amount}}}',
            "/customer/update": f'{{"user_id": "{customer}", "model_max_budget": {{"m": {{"max_budget": {amount}}}}}}}',
        }
        for path, body in bodies.items():
            answer = api.send("POST", path, None, headers, content=body)
            assert answer.status_code in (400, 422), (path, amount, answer.status_code, answer.text[:300])
            assert len(answer.text) < 2_000
    assert change(api, kept)["max_budget"] == 1.0


@pytest.mark.parametrize("members", [{}, {"budget_duration": None}, {"max_budget": 1}])
def test_a_reset_of_a_budget_without_a_duration_is_refused_not_dropped(api: Api, members: dict[str, Any]) -> None:
    name = f"lone reset {len(str(members))}"
    lone = {"budget_id": name, "budget_reset_at": "2027-01-01T00:00:00Z", **members}
    for path, body in (("/budget/new", lone), ("/customer/new", {"user_id": name, **lone, "budget_id": None})):
        (breach,) = api.refused("POST", path, 422, body)["detail"]
        assert breach["loc"] == ["body", "budget_reset_at"]
        assert breach["msg"] == ("Value error, needs a budget_duration: without one a budget has no periods to reset")
    budget(api, name, max_budget=1)
    assert api.refused("POST", "/budget/update", 422, lone)["detail"][0]["loc"] == ["body", "budget_reset_at"]
    assert change(api, name, budget_duration="90m", budget_reset_at="2027-01-01T00:00:00Z")["budget_reset_at"]
