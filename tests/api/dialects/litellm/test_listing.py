"""GET /customer/list: all customers at once, or page by page."""

from __future__ import annotations

from typing import Any

import pytest

from api.dialects.litellm.models.responses import CustomerResponse
from api.dialects.litellm.routes.customer_list import STREAMED_ROWS
from tests.api.dialects.conftest import Spend
from tests.api.dialects.litellm.conftest import FRIDAY, made
from tests.engine_fixtures import Api, SettableClock, llm_request

MANY = STREAMED_ROWS + 250


@pytest.fixture(scope="module", autouse=True)
def many(api: Api) -> None:
    events = [llm_request(f"many-{n}", f"many-{n:05d}", FRIDAY, cost_usd=str(n)) for n in range(MANY)]
    api.deliver(events)


def ids(found: Any) -> list[str]:
    return [one["user_id"] for one in found]


def test_without_pages_all_customers_come_in_order(api: Api) -> None:
    found = api.get("/customer/list")
    everybody = ids(found)
    assert len(everybody) == len(set(everybody)) >= MANY
    assert everybody == sorted(everybody)
    spent = {one["user_id"]: one["spend"] for one in found}
    assert [spent[f"many-{n:05d}"] for n in range(MANY)] == [float(n) for n in range(MANY)]


def test_pages_are_pieces_of_the_whole(api: Api) -> None:
    whole = api.get("/end_user/list")
    paged = [api.get("/customer/list", page=page, page_size=100) for page in range(1, len(whole) // 100 + 2)]
    assert [one for page in paged for one in page] == whole
    assert api.get("/customer/list", page=2) == whole[50:100]
    assert api.get("/customer/list", page_size=3) == whole[:3]
    assert api.get("/customer/list", page=1_000_000) == []


def test_a_search_finds_ids_and_aliases_in_any_case(api: Api) -> None:
    made(api, "findable", alias="The Quick FOX")
    made(api, "renamed", alias="fox once")
    api.post("/customer/update", {"user_id": "renamed", "alias": "now a hare"}, 200)
    api.post("/customer/update", {"user_id": "findable", "metadata": {"name": "of something else"}}, 200)
    for params in ({}, {"page": 1}):
        assert ids(api.get("/customer/list", search="quick fOx", **params)) == ["findable"]
        assert ids(api.get("/customer/list", search="FINDAB", **params)) == ["findable"]
        assert ids(api.get("/customer/list", search="fox", **params)) == ["findable"]
        assert api.get("/customer/list", search="%", **params) == []


def test_a_deleted_customer_is_not_listed_until_seen_again(api: Api, spend: Spend, clock: SettableClock) -> None:
    for customer in ("del-1", "del-2", "del-3"):
        made(api, customer)
    clock.advance(seconds=1)
    api.post("/customer/delete", {"user_ids": ["del-1", "del-2", "del-3"]}, 200)
    clock.advance(seconds=1)
    spend("del-2", "1")
    made(api, "del-3")
    for params in ({}, {"page": 1}):
        assert ids(api.get("/customer/list", search="del-", **params)) == ["del-2", "del-3"]


def test_list_and_info_agree(api: Api, spend: Spend, clock: SettableClock) -> None:
    api.post("/budget/new", {"budget_id": "same", "max_budget": 3, "budget_duration": "5h"}, 200)
    made(api, "same-1", budget_id="same", spend=0.5)
    made(api, "same-2", max_budget=1, budget_duration="30d", metadata={"a": 1})
    api.patch("/v1/customers/same-2", {"markup_percentage": "10", "time_zone": "Asia/Kolkata"})
    clock.advance(minutes=5)
    for customer in ("same-1", "same-2"):
        spend(customer, "0.125")
    listed = api.get("/customer/list", search="same-", page=1)
    assert listed == [api.get("/customer/info", end_user_id=customer) for customer in ("same-1", "same-2")]
    assert [one["spend"] for one in listed] == [0.625, 0.1375]
    budgets = [api.get(f"/v1/customers/{customer}/budget") for customer in ("same-1", "same-2")]
    assert [one["period_spent_usd"] for one in budgets] == ["0.625", "0.1375"]
    assert all(CustomerResponse.model_validate(one) for one in listed)
