"""Refused access in PromptShuttle's shape."""

from __future__ import annotations

from typing import Any

import pytest

from api.dialects.promptshuttle.models.errors import ProblemDetails
from tests.api.dialects.conftest import Spend
from tests.engine_fixtures import Api, JsonObject, customer_path


def asked(api: Api, customer: str, **params: str) -> Any:
    return api.send("GET", customer_path(customer, "/access"), None, params={"as": "promptshuttle", **params})


@pytest.mark.parametrize(
    ("customer", "budget", "params", "detail"),
    [
        (
            "p",
            {"period_limit_usd": "1", "duration": "1mo"},
            {},
            "customer 'p' has used 1500000 of 1000000 credits (period)",
        ),
        ("t", {"total_limit_usd": "1.5"}, {}, "customer 't' has used 1500000 of 1500000 credits (total)"),
        (
            "m",
            {"model_limits": {"swift": {"limit_usd": "0.5"}}},
            {"model": "swift"},
            "customer 'm' has used 1500000 of 500000 credits (model:swift)",
        ),
    ],
)
def test_a_customer_over_a_limit_is_refused_with_the_code_of_the_product(
    api: Api, spend: Spend, customer: str, budget: JsonObject, params: dict[str, str], detail: str
) -> None:
    api.post("/v1/customers", {"id": customer, "budget": budget})
    spend(customer, "1.5")
    refused = asked(api, customer, **params)
    assert (refused.status_code, refused.headers["content-type"]) == (402, "application/problem+json")
    assert ProblemDetails.model_validate(refused.json())
    assert refused.json() == {
        "type": "about:blank",
        "title": "Cost limit exceeded",
        "status": 402,
        "detail": detail,
        "code": "COST_LIMIT_EXCEEDED",
    }
    assert refused.headers["meterfold-position"]


def test_a_blocked_customer_is_refused(api: Api) -> None:
    api.post("/v1/customers", {"id": "blocked"})
    api.post(customer_path("blocked", "/block"), status=200)
    refused = asked(api, "blocked")
    assert refused.status_code == 403
    assert (refused.json()["code"], refused.json()["detail"]) == ("CUSTOMER_BLOCKED", "customer 'blocked' is blocked")


def test_allowed_access_is_answered_as_the_native_api_does(api: Api) -> None:
    api.post("/v1/customers", {"id": "free"})
    allowed = asked(api, "free")
    assert allowed.status_code == 200
    assert allowed.json() == api.get(customer_path("free", "/access"))
