"""Requests of a LiteLLM client: customers, budgets, blocks, deletions, standard logging payloads."""

from __future__ import annotations

from typing import Any

from tests.engine_fixtures import JsonObject
from tests.golden.history_of_customers import ACME
from tests.golden.stage import Stage


def _post(stage: Stage, path: str, body: Any, status: int = 200) -> Any:
    return stage.admin.send("POST", path, status, json=body).json()


def begin_litellm(stage: Stage) -> None:
    """Create budgets and customers with their own limits, those of a budget, or both; and requests that are refused."""
    _post(stage, "/budget/new", {"budget_id": "free", "max_budget": 0.05, "budget_duration": "1d", "rpm_limit": 7})
    models = {"gpt-4o": {"max_budget": 0.01, "budget_duration": "1d"}, "swift": {"budget_limit": 1}}
    paid = {"budget_id": "paid", "max_budget": 10, "soft_budget": 8.5, "model_max_budget": models, "tpm_limit": 1000}
    _post(stage, "/budget/new", {**paid, "budget_duration": "30d", "tpd_limit": 5, "max_parallel_requests": 2})
    _post(stage, "/budget/new", {"budget_id": "free", "max_budget": 1}, 400)
    new = (
        {"user_id": "lite free", "budget_id": "free", "alias": "Free Ltd"},
        {"user_id": "lite own", "max_budget": 0.1, "budget_duration": "7d", "spend": 0.025, "metadata": {"k": [1, 2]}},
        {"user_id": "lite total", "max_budget": 0.5, "allowed_model_region": "eu", "default_model": "gpt-4o"},
        {"user_id": "lite both", "budget_id": "paid", "soft_budget": 1.25, "models": ["a", "b"]},
        {"user_id": "lite blocked", "blocked": True},
        {"user_id": "lite gone", "budget_id": "paid"},
        {"user_id": "seen-6", "max_budget": 3, "budget_duration": "1mo"},
    )
    for one in new:
        _post(stage, "/customer/new", one)
    _post(stage, "/customer/new", new[0], 400)
    _post(stage, "/customer/new", {"user_id": "lite lost", "budget_id": "no such budget"}, 404)
    _post(stage, "/customer/block", {"user_ids": ["lite total", "lite unheard"]})


def _payload(call: str, customer: str | None, started: float, **members: Any) -> JsonObject:
    return {
        "id": f"chatcmpl-{call}",
        "litellm_call_id": call,
        "call_type": "acompletion",
        "status": "success",
        "custom_llm_provider": "openai",
        "model": "gpt-4o",
        "model_group": "group-4o",
        "startTime": started,
        "endTime": started + 1.5,
        "completionStartTime": started + 0.25,
        "prompt_tokens": 1000,
        "completion_tokens": 20,
        "total_tokens": 1020,
        "response_cost": 0.0027000000000000001,
        "request_tags": ["a"],
        "end_user": customer,
        "metadata": {"user_api_key_hash": "hash", "usage_object": {"prompt_tokens_details": {"cached_tokens": 4}}},
        "model_parameters": {},
        **members,
    }


def log_litellm(stage: Stage) -> None:
    """Update, unblock and delete customers; send logs: counted, repeated, failed, without a cost, refused."""
    _post(stage, "/customer/update", {"user_id": "lite own", "max_budget": 0.2, "metadata": {"other": True}})
    _post(stage, "/customer/update", {"user_id": "lite free", "max_budget": 0.07, "budget_id": "paid"})
    _post(stage, "/customer/update", {"user_id": "lite both", "budget_id": None, "alias": "Both"})
    _post(stage, "/customer/update", {"user_id": "ivy", "rpm_limit": 3})
    _post(stage, "/customer/update", {"user_id": "nobody at all", "alias": "x"}, 404)
    _post(stage, "/budget/update", {"budget_id": "paid", "max_budget": 0.015, "soft_budget": None})
    _post(stage, "/user/unblock", {"user_ids": ["lite total", "lite blocked"]})
    now = stage.clock().timestamp()
    logs = [_payload(f"call-{number}", name, now - 3600 * number) for number, name in enumerate(_LOGGED)]
    failed = _payload("boom", "lite own", now - 50, status="failure", response_cost=0.0, completion_tokens=0)
    dear = _payload("dear", "lite total", now - 70, response_cost=0.6, prompt_tokens=100_000, model="claude-3-opus")
    unpriced = _payload("unpriced", "lite both", now - 60, response_cost=0.0, response_cost_failure_debug_info={"e": 1})
    odd = [_payload("nobody", None, now), _payload("late", "lite own", 1.0, startTime="soon"), "no object"]
    answer = stage.keys_of("ingester").send("POST", "/litellm/logs", 200, json=[*logs, failed, dear, unpriced, *odd])
    assert answer.json()["counts"]["rejected"] == 3
    _post(stage, "/litellm/logs", [logs[0], {**logs[1], "prompt_tokens": 7}])
    _post(stage, "/customer/delete", {"user_ids": ["lite gone"]})
    of_acme = stage.keys_of(ACME)
    of_acme.send("POST", "/customer/new", 200, json={"user_id": "lite own", "max_budget": 4})


_LOGGED = ("lite free", "lite own", "lite total", "lite both", "lite blocked", "lite gone", "a/b c%2F..") * 3


def go_on_with_litellm(stage: Stage) -> None:
    """Change durations of budgets, delete a budget and customers, and use a customer of another dialect."""
    _post(stage, "/budget/update", {"budget_id": "free", "budget_duration": "2mo", "max_budget": 1.5})
    _post(stage, "/customer/update", {"user_id": "lite own", "budget_duration": "48h", "model_max_budget": {}})
    _post(stage, "/customer/update", {"user_id": "lite total", "max_budget": 0, "blocked": True})
    stage.admin.patch("/v1/customers/lite%20both", {"budget": {"total_limit_usd": "0.001"}, "markup_percentage": 25})
    _post(stage, "/budget/delete", {"id": "paid"})
    _post(stage, "/customer/delete", {"user_ids": ["lite gone", "nobody at all"]}, 404)
    _post(stage, "/customer/new", {"user_id": "lite gone", "spend": 0.5, "max_budget": 0.4})
    now = stage.clock().timestamp()
    logs = [_payload(f"later-{number}", name, now - 9000 * number) for number, name in enumerate(_LOGGED)]
    _post(stage, "/litellm/logs", logs)
