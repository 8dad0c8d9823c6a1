"""Access in LiteLLM's shape, right after a block, an unblock, or the event that spends the budget."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.dialects.conftest import Spend
from tests.api.dialects.litellm.conftest import made
from tests.engine_fixtures import Api, SettableClock, engine_on, http, llm_request


def asked(api: Api, customer: str, **params: str) -> tuple[int, Any]:
    answer = api.send("GET", f"/v1/customers/{customer}/access", None, params={"as": "litellm", **params})
    return answer.status_code, answer.json()


def over_budget(message: str, status: int = 422) -> tuple[int, Any]:
    error = {"message": message, "type": "budget_exceeded", "param": None, "code": str(status)}
    return status, {"error": error}


def test_a_customer_over_its_budget_is_refused_at_once(api: Api, spend: Spend) -> None:
    made(api, "over", max_budget=1, budget_duration="1d")
    spend("over", "0.75")
    assert asked(api, "over")[0] == 200
    spend("over", "0.25")
    assert asked(api, "over") == over_budget("ExceededBudget: End User=over over budget. Spend=1.0, Budget=1.0")
    assert api.get("/v1/customers/over/access")["reason"] == "period_limit"


@pytest.mark.parametrize(("customer", "budget"), [("zero", 0), ("below", -1)])
def test_a_budget_of_nothing_refuses_everything(api: Api, customer: str, budget: int) -> None:
    made(api, customer, max_budget=budget)
    assert asked(api, customer)[0] == 422


def test_a_block_refuses_at_once_and_an_unblock_allows_again(api: Api) -> None:
    made(api, "loud")
    api.post("/user/block", {"user_ids": ["loud", "never-seen"]}, 200)
    message = "User blocked from making LLM API Calls. User={}"
    assert asked(api, "loud") == (400, {"detail": {"error": message.format("loud")}})
    assert asked(api, "never-seen") == (400, {"detail": {"error": message.format("never-seen")}})
    assert "loud" not in api.post("/user/unblock", {"user_ids": ["loud"]}, 200)["blocked_users"]
    assert asked(api, "loud")[0] == 200
    api.post("/customer/update", {"user_id": "never-seen", "blocked": False}, 200)
    assert asked(api, "never-seen")[0] == 200


def test_a_model_has_a_budget_of_its_own(api: Api, spend: Spend) -> None:
    made(api, "picky", model_max_budget={"gpt-4o": {"budget_limit": 0.5, "time_period": "1d"}})
    spend("picky", "0.5", model="gpt-4o")
    assert asked(api, "picky", model="swift")[0] == 200
    assert asked(api, "picky", model="gpt-4o") == over_budget(
        "LiteLLM End User: picky, exceeded budget for model=gpt-4o"
    )


def test_an_unknown_customer_is_allowed(api: Api) -> None:
    status, body = asked(api, "nobody-yet")
    assert (status, body["allowed"], body["reason"]) == (200, True, "new_customer")


def test_the_answer_shows_the_limits_that_the_caller_enforces(api: Api) -> None:
    limits = {"tpm_limit": 0, "rpm_limit": 10, "max_parallel_requests": 3, "soft_budget": 0.5, "max_budget": 2}
    made(api, "limited", **limits, model_max_budget={"gpt-4o": {"max_budget": 1}})
    status, body = asked(api, "limited")
    assert status == 200
    assert {name: body[name] for name in ("tokens_per_minute", "requests_per_minute", "parallel_requests_max")} == {
        "tokens_per_minute": 0,
        "requests_per_minute": 10,
        "parallel_requests_max": 3,
    }
    assert [(limit["name"], limit["limit"]) for limit in body["limits"]] == [
        ("total", "2"),
        ("soft", "0.5"),
        ("model:gpt-4o", "1"),
    ]


def test_the_status_is_a_setting(tmp_path_factory: pytest.TempPathFactory, clock: SettableClock) -> None:
    folder = tmp_path_factory.mktemp("429")
    with engine_on(folder, clock, litellm_over_budget_status=429) as engine, http(engine) as api:
        made(api, "spent", max_budget=1)
        api.deliver([llm_request("1", "spent", clock(), cost_usd="2.5")])
        message = "ExceededBudget: End User=spent over budget. Spend=2.5, Budget=1.0"
        assert asked(api, "spent") == over_budget(message, 429)
