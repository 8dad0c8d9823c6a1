"""Access in Respan's shape, right after the event that spends the budget."""

from __future__ import annotations

from typing import Any

from tests.api.dialects.conftest import Spend
from tests.api.dialects.respan.conftest import updated
from tests.engine_fixtures import Api

RESETS_AT = "2026-04-01T00:00:00Z"


def asked(api: Api, customer: str, **params: str) -> tuple[int, Any]:
    answer = api.send("GET", f"/v1/customers/{customer}/access", None, params={"as": "respan", **params})
    return answer.status_code, answer.json()


def budget(spent: float, limit: float, which: str = "period", resets_at: str | None = RESETS_AT) -> dict[str, Any]:
    return {
        "name": "customer_budget",
        "budget": which,
        "current_value": spent,
        "new_value": spent,
        "limit_value": limit,
        "is_within_limit": spent < limit,
        "resets_at": resets_at,
    }


def told(is_allowed: bool, *limits: dict[str, Any], rate_limit: int | None = None, **detail: str) -> dict[str, Any]:
    return {**detail, "limit_info": {"is_allowed": is_allowed, "limits": list(limits)}, "rate_limit": rate_limit}


def test_a_customer_over_its_budget_is_refused_at_once(api: Api, spend: Spend) -> None:
    spend("over", "0.75")
    updated(api, "over", period_budget=1, total_budget=10)
    assert asked(api, "over") == (200, told(True, budget(0.75, 1.0), budget(0.75, 10.0, "total", None)))
    spend("over", "0.25")
    refused = told(False, budget(1.0, 1.0), budget(1.0, 10.0, "total", None))
    assert asked(api, "over") == (429, {"detail": "The budget of this customer is used up.", **refused})


def test_a_budget_of_nothing_refuses_everything_and_none_refuses_nothing(api: Api, spend: Spend) -> None:
    spend("zero", "0")
    updated(api, "zero", period_budget=0)
    assert asked(api, "zero")[0] == 429
    updated(api, "zero", period_budget=None)
    assert asked(api, "zero") == (200, told(True))


def test_a_lifetime_budget_never_resets(api: Api, spend: Spend) -> None:
    spend("life", "3")
    updated(api, "life", total_budget=3)
    assert asked(api, "life")[1]["limit_info"] == {"is_allowed": False, "limits": [budget(3.0, 3.0, "total", None)]}


def test_limits_that_cannot_refuse_are_left_out(api: Api) -> None:
    limits = {"soft_limit_usd": "0", "model_limits": {"swift": {"limit_usd": "0"}}}
    api.post("/v1/customers", {"id": "soft", "budget": {**limits, "requests_per_minute": 7}})
    assert asked(api, "soft") == (200, told(True, rate_limit=7))
    status, answer = asked(api, "soft", model="swift")
    assert (status, answer["limit_info"]["limits"]) == (429, [budget(0.0, 0.0, "model:swift")])


def test_a_blocked_customer_is_refused_and_an_unknown_one_allowed(api: Api) -> None:
    api.post("/v1/customers", {"id": "barred"})
    api.post("/v1/customers/barred/block", None, 200)
    assert asked(api, "barred") == (403, {"detail": "This customer is blocked.", **told(False)})
    assert asked(api, "nobody-yet") == (200, told(True))


def test_the_answer_names_what_it_is_true_for(api: Api) -> None:
    answer = api.send("GET", "/v1/customers/nobody/access?as=respan", 200)
    assert answer.headers["Meterfold-Now"] == "2026-03-25T10:24:37.000000Z"
