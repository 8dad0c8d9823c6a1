"""Applied coupons through the API: apply, list, terminate, and what ends them."""

from __future__ import annotations

from typing import Any, Final

import pytest

from consumers.embedded.engine import EmbeddedEngine
from domain.scope import Scope
from tests.api.native.routes.test_customers import without_position
from tests.engine_fixtures import Api, JsonObject, customer_path, key_for

NOW: Final = "2026-03-10T12:00:00.000000Z"
FEBRUARY: Final = "2026-02-01T00:00:00.000000Z"


@pytest.fixture
def fresh(engine: EmbeddedEngine, api: Api, request: pytest.FixtureRequest) -> Api:
    """The API with a tenant of its own, which has the coupons `five` (once) and `tenth` (recurring)."""
    own = Api(api.client, key_for(engine, Scope(f"of {abs(hash(request.node.name))}", "prod")))
    own.post("/v1/coupons", {"code": "five", "amount": "5", "currency": "USD", "frequency": "once"})
    own.post("/v1/coupons", {"code": "tenth", "percentage": "10", "frequency": "recurring", "periods": 3})
    return own


def apply(api: Api, customer: str, coupon: str, **more: Any) -> Any:
    return api.post(customer_path(customer, "/coupons"), {"coupon": coupon, **more})


def shown(customer: str, number: int, **more: Any) -> JsonObject:
    return {
        "customer": customer,
        "number": number,
        "coupon": "five",
        "amount": "5",
        "currency": "USD",
        "percentage": None,
        "frequency": "once",
        "periods": None,
        "plans": [],
        "meters": [],
        "status": "active",
        "start": NOW,
        "end": None,
        "amount_remaining": "5",
        "periods_remaining": None,
        "remaining_known": True,
        **more,
    }


def tenth(customer: str, number: int, **more: Any) -> JsonObject:
    terms = {"coupon": "tenth", "amount": None, "currency": None, "percentage": "10", "frequency": "recurring"}
    left = {"periods": 3, "amount_remaining": None, "periods_remaining": 3}
    return shown(customer, number, **{**terms, **left, **more})


def listed(api: Api, **params: Any) -> list[JsonObject]:
    return [without_position(one) for one in api.pages("/v1/applied-coupons", **params)]


def test_what_is_applied_has_the_terms_of_the_coupon_or_its_own(fresh: Api) -> None:
    first = apply(fresh, "ada/ö", "five", effective_at=FEBRUARY)
    second = apply(fresh, "ada/ö", "tenth", percentage=12.5, periods=2)
    assert without_position(first) == shown("ada/ö", 1, start=FEBRUARY)
    own = {"percentage": "12.5", "periods": 2, "periods_remaining": 2}
    assert without_position(second) == tenth("ada/ö", 2, **own)
    assert listed(fresh) == [without_position(first), without_position(second)]


def test_a_change_of_the_coupon_leaves_what_was_applied(fresh: Api) -> None:
    apply(fresh, "ada", "five")
    fresh.patch("/v1/coupons/five", {"amount": "9"})
    assert [one["amount"] for one in (*listed(fresh), apply(fresh, "ada", "five"))] == ["5", "9"]


def test_a_coupon_that_does_not_exist_has_expired_or_is_used_up_is_refused(fresh: Api) -> None:
    fresh.post("/v1/coupons", {"code": "old", "percentage": "5", "frequency": "once", "expires_at": FEBRUARY})
    fresh.post("/v1/coupons", {"code": "single", "percentage": "5", "frequency": "once", "reusable": False})
    apply(fresh, "ada", "single")
    path = customer_path("ada", "/coupons")
    refused = [fresh.refused("POST", path, 422, {"coupon": code}) for code in ("none", "old", "single")]
    assert [(one["field"], one["rule"]) for one in refused] == [
        ("coupon", "must be the code of a coupon; there is no coupon 'none'"),
        ("coupon", f"expired at {FEBRUARY}"),
        ("coupon", "must be reusable to be applied again"),
    ]
    assert fresh.refused("POST", path, 422, {"coupon": "a" * 300})["field"] == "coupon"
    assert apply(fresh, "bob", "single")["number"] == 1


def test_what_is_terminated_is_shown_as_such_and_a_repetition_changes_nothing(fresh: Api) -> None:
    apply(fresh, "ada", "five", effective_at=FEBRUARY)
    apply(fresh, "ada", "tenth")
    path = customer_path("ada", "/coupons/1")
    fresh.send("DELETE", path, 204, params={"effective_at": "2026-03-01T00:00:00Z"})
    fresh.delete(path)
    ended = shown("ada", 1, start=FEBRUARY, end="2026-03-01T00:00:00.000000Z", status="terminated")
    assert listed(fresh) == [ended, tenth("ada", 2)]
    assert listed(fresh, at="2026-02-10T00:00:00Z") == [
        {**ended, "status": "active"},
        tenth("ada", 2, status="pending"),
    ]


def test_what_was_never_applied_is_not_found(fresh: Api) -> None:
    apply(fresh, "ada", "five")
    refused = fresh.refused("DELETE", customer_path("ada", "/coupons/2"), 404)
    assert (refused["type"], refused["detail"]) == ("/problems/not_found", "customer 'ada' has no applied coupon 2")
    assert fresh.refused("DELETE", customer_path("bob", "/coupons/1"), 404)["status"] == 404
    assert fresh.refused("DELETE", customer_path("ada", "/coupons/one"), 422)["field"] == "number"


def test_the_deletion_of_the_coupon_or_the_customer_ends_what_was_applied(fresh: Api) -> None:
    for customer in ("ada", "bob"):
        fresh.post("/v1/customers", {"id": customer, "effective_at": FEBRUARY})
        for coupon in ("five", "tenth"):
            apply(fresh, customer, coupon, effective_at=FEBRUARY)
    fresh.send("DELETE", customer_path("bob"), 204, params={"effective_at": "2026-03-01T00:00:00Z"})
    fresh.delete("/v1/coupons/five")
    end = {"start": FEBRUARY, "status": "terminated", "end": "2026-03-01T00:00:00.000000Z"}
    assert listed(fresh) == [
        shown("ada", 1, **{**end, "end": NOW}),
        tenth("ada", 2, start=FEBRUARY),
        shown("bob", 1, **end),
        tenth("bob", 2, **end),
    ]
    fresh.post("/v1/coupons", {"code": "five", "amount": "5", "currency": "USD", "frequency": "once"})
    assert without_position(apply(fresh, "bob", "five")) == shown("bob", 3)


def test_a_deletion_ends_what_lies_ahead_and_not_what_is_applied_after_it(fresh: Api) -> None:
    ahead = "2026-05-01T00:00:00.000000Z"
    for customer in ("ada", "bob"):
        fresh.post("/v1/customers", {"id": customer, "effective_at": FEBRUARY})
    apply(fresh, "ada", "five", effective_at=ahead)
    apply(fresh, "bob", "tenth", effective_at=ahead)
    fresh.delete("/v1/coupons/five")
    fresh.delete(customer_path("bob"))
    apply(fresh, "bob", "tenth", effective_at=ahead)
    assert listed(fresh, at="2026-06-01T00:00:00Z") == [
        shown("ada", 1, start=ahead, end=ahead, status="terminated"),
        tenth("bob", 1, start=ahead, end=ahead, status="terminated"),
        tenth("bob", 2, start=ahead),
    ]


def test_applied_coupons_are_listed_page_by_page_and_filtered(fresh: Api) -> None:
    for customer in ("b", "a", "ä", "b"):
        for coupon in ("five", "tenth"):
            apply(fresh, customer, coupon)
    fresh.delete(customer_path("b", "/coupons/2"))
    every = [("a", 1), ("a", 2), ("b", 1), ("b", 2), ("b", 3), ("b", 4), ("ä", 1), ("ä", 2)]

    def found(**params: Any) -> list[tuple[str, int]]:
        return [(one["customer"], one["number"]) for one in listed(fresh, **params)]

    for limit in (1, 2, 3, 100):
        assert found(limit=limit) == every
        assert found(limit=limit, customer="b") == every[2:6]
        assert found(limit=limit, coupon="five") == every[::2]
        assert found(limit=limit, status="terminated", customer="b") == [("b", 2)]
        assert found(limit=limit, customer="nobody") == []
    fresh.send("GET", "/v1/applied-coupons", 422, params={"status": "lost"})
