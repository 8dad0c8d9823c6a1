"""A client that speaks Respan's older paths creates, changes and shows customers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.dialects.conftest import Spend
from tests.api.dialects.respan.conftest import user
from tests.engine_fixtures import Api

CREATE = "/respan/api/users/create/"


def made(api: Api, **members: Any) -> Any:
    return api.send("POST", CREATE, 201, json=members).json()


def test_a_customer_is_created_changed_and_shown(api: Api) -> None:
    shown = made(api, customer_identifier="ada/1", name="Ada", period_budget=5, budget_duration="weekly")
    assert (shown["id"], shown["name"], shown["period_budget"]) == ("ada/1", "Ada", 5.0)
    assert (shown["period_start"], shown["period_end"]) == ("2026-03-25T00:00:00Z", "2026-04-01T00:00:00Z")
    for end in ("/", ""):
        changed = api.send("PATCH", f"/respan/api/user/update/ada/1{end}", 200, json={"email": "ada@acme.dev"}).json()
        assert changed["email"] == "ada@acme.dev"
        assert api.get(f"/respan/api/user/detail/ada/1{end}") == changed == user(api, "ada/1")


@pytest.mark.parametrize(("number", "text"), [(42, "42"), (-7, "-7"), (1.5, "1.5"), (10**20, "1" + "0" * 20)])
def test_an_identifier_may_be_a_number_and_is_its_text(api: Api, number: float, text: str) -> None:
    assert made(api, customer_identifier=number)["customer_identifier"] == text
    assert api.get(f"/respan/api/user/detail/{text}")["id"] == text
    logged = {"customer_identifier": number, "cost": 2}
    api.send("POST", "/respan/api/request-logs/create/", 200, json=logged)
    assert user(api, text)["total_usage"] == 2.0


def test_a_customer_is_created_once(api: Api, spend: Spend) -> None:
    spend("seen", "2")
    assert made(api, customer_identifier="seen", markup_percentage=10)["total_period_usage"] == 2.2
    rule = "is one of a customer that was created already"
    refused = api.refused("POST", CREATE, 400, {"customer_identifier": "seen"})
    assert refused == {"customer_identifier": [rule], "detail": f"customer_identifier {rule}"}


def test_an_end_without_a_start_ends_a_period_that_begins_today(api: Api) -> None:
    shown = made(api, customer_identifier="ending", period_end="2026-06-15", name=None)
    assert (shown["period_start"], shown["period_end"]) == ("2026-03-25T00:00:00Z", "2026-06-15T00:00:00Z")


@pytest.mark.parametrize("identifier", ["", ".", "..", "a\x00", "a" * 1_001, None, True, ["a"]])
def test_an_identifier_that_is_none_is_refused_by_name(api: Api, identifier: Any) -> None:
    refused = api.refused("POST", CREATE, 400, {"customer_identifier": identifier})
    assert set(refused) == {"customer_identifier", "detail"}


def test_customers_with_the_names_of_paths_are_shown_by_the_older_path(api: Api) -> None:
    for name in ("list", "create"):
        made(api, customer_identifier=name)
        assert api.get(f"/respan/api/user/detail/{name}/")["id"] == name
    assert user(api, "create")["id"] == "create"
    assert "results" in user(api, "list")
