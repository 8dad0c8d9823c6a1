"""Subscriptions: an object for each plan of a chain, made of one native subscription."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from consumers.embedded.engine import EmbeddedEngine
from tests.api.dialects.lago.conftest import APRIL_29, BASE, refusal_of
from tests.api.dialects.lago.test_billable_metrics import create, invalid
from tests.api.dialects.lago.test_plans import charge, created
from tests.engine_fixtures import Api, JsonObject, SettableClock, customer_path, engine_on, http

PATH = f"{BASE}/subscriptions"
MISSING = 404, {"status": 404, "error": "Not Found", "code": "subscription_not_found"}


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(APRIL_29)


@pytest.fixture
def engine(tmp_path: Path, clock: SettableClock) -> Iterator[EmbeddedEngine]:
    with engine_on(tmp_path, clock) as engine:
        yield engine


@pytest.fixture
def api(engine: EmbeddedEngine) -> Iterator[Api]:
    """An engine with a plan for each price: 10, 20 and 30 a month, and 60 a year."""
    with http(engine) as api:
        for code, cents, interval in (
            ("basic", 1000, "monthly"),
            ("plus", 2000, "monthly"),
            ("pro", 3000, "monthly"),
            ("yearly", 6000, "yearly"),
        ):
            created(api, code, amount_cents=cents, interval=interval)
        yield api


def subscribe(api: Api, plan: str = "plus", external_id: str = "sub", customer: str = "ada", **more: Any) -> JsonObject:
    given = {"external_customer_id": customer, "external_id": external_id, "plan_code": plan, **more}
    made: JsonObject = api.post(PATH, {"subscription": given}, 200)["subscription"]
    return made


def found(api: Api, external_id: str = "sub", **query: str) -> JsonObject:
    """A subscription without its plan."""
    shown: JsonObject = api.get(f"{PATH}/{external_id}", **query)["subscription"]
    return {name: value for name, value in shown.items() if name != "plan"}


def codes(api: Api, **query: Any) -> list[tuple[str, str, str]]:
    listed = api.get(PATH, **query)["subscriptions"]
    return [(one["external_id"], one["plan_code"], one["status"]) for one in listed]


def test_many_that_subscribe_at_once_are_all_told_of_the_one_subscription(api: Api) -> None:
    for number in range(5):
        external_id = f"sub-{number}"
        with ThreadPoolExecutor(8) as crowd:
            made = [one.result() for one in [crowd.submit(subscribe, api, "plus", external_id) for _ in range(8)]]
        assert {one["lago_id"] for one in made} == {found(api, external_id)["lago_id"]}


def test_a_new_subscription_creates_its_customer_and_starts_now(api: Api) -> None:
    made = subscribe(api, name="Ada's", purchase_order_number="PO-1", consolidate_invoice=False)
    customer = api.get(f"{BASE}/customers/ada")["customer"]
    assert made == {
        "lago_id": made["lago_id"],
        "external_id": "sub",
        "lago_customer_id": customer["lago_id"],
        "external_customer_id": "ada",
        "billing_entity_code": "default",
        "billing_time": "calendar",
        "name": "Ada's",
        "plan_code": "plus",
        "plan_amount_cents": 2000,
        "plan_amount_currency": "USD",
        "status": "active",
        "created_at": "2026-04-29T08:59:51Z",
        "subscription_at": "2026-04-29T08:59:51Z",
        "started_at": "2026-04-29T08:59:51.123Z",
        "ending_at": None,
        "terminated_at": None,
        "canceled_at": None,
        "previous_plan_code": None,
        "next_plan_code": None,
        "downgrade_plan_date": None,
        "trial_ended_at": None,
        "current_billing_period_started_at": "2026-04-29T08:59:51Z",
        "current_billing_period_ending_at": "2026-04-30T23:59:59Z",
        "on_termination_credit_note": "skip",
        "on_termination_invoice": "generate",
        "applied_invoice_custom_sections": [],
        "payment_method": {"payment_method_type": "provider"},
        "consolidate_invoice": False,
        "activated_at": "2026-04-29T08:59:51Z",
        "activation_rules": [],
        "purchase_order_number": "PO-1",
        "plan": api.get(f"{BASE}/plans/plus")["plan"],
    }
    assert api.get(f"{PATH}/sub") == {"subscription": made}


def test_the_same_request_again_answers_the_subscription_that_there_is(api: Api, clock: SettableClock) -> None:
    made = subscribe(api)
    clock.advance(days=1)
    assert subscribe(api) == made
    assert codes(api) == [("sub", "plus", "active")]


def test_an_external_id_belongs_to_one_customer_at_a_time(api: Api, clock: SettableClock) -> None:
    first = subscribe(api)
    given = {"external_customer_id": "bea", "external_id": "sub", "plan_code": "plus"}
    taken = invalid(external_id=["value_already_exist"])
    assert refusal_of(api, "POST", "/subscriptions", json={"subscription": given}) == taken
    clock.advance(days=1)
    api.send("DELETE", f"{PATH}/sub", 200)
    clock.advance(days=1)
    second = subscribe(api, customer="bea")
    assert second["external_customer_id"] == "bea"
    assert second["lago_id"] != first["lago_id"]


def test_a_start_in_the_past_or_ahead_is_kept(api: Api) -> None:
    past = subscribe(api, subscription_at="2026-01-31T10:00:00Z", billing_time="anniversary", external_id="past")
    assert (past["status"], past["started_at"]) == ("active", "2026-01-31T10:00:00.000Z")
    assert (past["subscription_at"], past["created_at"]) == ("2026-01-31T10:00:00Z", "2026-04-29T08:59:51Z")
    assert past["current_billing_period_started_at"] == "2026-03-31T00:00:00Z"
    assert past["current_billing_period_ending_at"] == "2026-04-29T23:59:59Z"
    ahead = subscribe(api, subscription_at="2026-05-10", ending_at="2026-06-10T00:00:00+02:00", external_id="ahead")
    assert (ahead["status"], ahead["started_at"], ahead["activated_at"]) == ("pending", None, None)
    assert (ahead["subscription_at"], ahead["ending_at"]) == ("2026-05-10T00:00:00Z", "2026-06-09T22:00:00Z")
    assert ahead["current_billing_period_started_at"] is None
    assert refusal_of(api, "GET", "/subscriptions/ahead") == MISSING
    assert found(api, "ahead", status="pending")["lago_id"] == ahead["lago_id"]


def test_a_dearer_plan_takes_effect_at_once(api: Api, clock: SettableClock) -> None:
    before = subscribe(api)
    clock.advance(hours=1)
    after = subscribe(api, "pro")
    assert after["lago_id"] != before["lago_id"]
    assert (after["plan_code"], after["previous_plan_code"], after["next_plan_code"]) == ("pro", "plus", None)
    assert (after["started_at"], after["subscription_at"]) == ("2026-04-29T09:59:51.123Z", before["subscription_at"])
    ended = found(api, status="terminated")
    assert ended["lago_id"] == before["lago_id"]
    assert (ended["plan_code"], ended["next_plan_code"]) == ("plus", "pro")
    assert (ended["terminated_at"], ended["downgrade_plan_date"]) == ("2026-04-29T09:59:51Z", None)


def test_a_cheaper_plan_takes_effect_when_the_period_ends(api: Api, clock: SettableClock) -> None:
    before = subscribe(api)
    waiting = subscribe(api, "basic")
    assert waiting["lago_id"] == before["lago_id"]
    assert (waiting["plan_code"], waiting["next_plan_code"]) == ("plus", "basic")
    assert waiting["downgrade_plan_date"] == "2026-05-01"
    ahead = found(api, status="pending")
    assert (ahead["plan_code"], ahead["previous_plan_code"], ahead["started_at"]) == ("basic", "plus", None)
    clock.advance(days=3)
    after = found(api)
    assert (after["plan_code"], after["started_at"]) == ("basic", "2026-05-01T00:00:00.000Z")
    assert after["lago_id"] == ahead["lago_id"]


def test_prices_are_compared_by_the_year(api: Api) -> None:
    subscribe(api)
    assert subscribe(api, "yearly")["next_plan_code"] == "yearly"
    subscribe(api, "yearly", "other", customer="bea")
    assert subscribe(api, "basic", "other", customer="bea")["plan_code"] == "basic"


def test_a_change_of_plan_takes_the_place_of_one_that_lies_ahead(api: Api, clock: SettableClock) -> None:
    subscribe(api, "pro")
    subscribe(api, "basic")
    assert subscribe(api, "plus")["next_plan_code"] == "plus"
    assert codes(api, **{"status[]": "pending"}) == [("sub", "plus", "pending")]
    clock.advance(hours=1)
    created(api, "max", amount_cents=9000)
    upgraded = subscribe(api, "max")
    assert (upgraded["plan_code"], upgraded["next_plan_code"]) == ("max", None)
    clock.advance(days=5)
    assert found(api)["plan_code"] == "max"


def test_a_change_of_a_subscription_that_has_not_begun_holds_from_its_start(api: Api, clock: SettableClock) -> None:
    subscribe(api, "pro", subscription_at="2026-05-10T00:00:00Z")
    changed = subscribe(api, "basic")
    assert (changed["plan_code"], changed["status"], changed["previous_plan_code"]) == ("basic", "pending", None)
    clock.advance(days=12)
    assert found(api)["plan_code"] == "basic"


def test_a_plan_of_another_currency_is_refused(api: Api) -> None:
    subscribe(api)
    created(api, "euro", amount_currency="EUR", amount_cents=9000)
    given = {"external_customer_id": "ada", "external_id": "sub", "plan_code": "euro"}
    refused = invalid(currency=["currencies_does_not_match"])
    assert refusal_of(api, "POST", "/subscriptions", json={"subscription": given}) == refused


def test_what_is_wrong_with_a_subscription_is_told(api: Api) -> None:
    wrong = {"billing_time": "daily", "subscription_at": "soon", "ending_at": 5, "plan_overrides": {"name": "x"}}
    assert refusal_of(api, "POST", "/subscriptions", json={"subscription": wrong}) == invalid(
        external_customer_id=["value_is_mandatory"],
        external_id=["value_is_mandatory"],
        plan_code=["value_is_mandatory"],
        billing_time=["value_is_invalid"],
        subscription_at=["invalid_date"],
        ending_at=["invalid_date"],
        plan_overrides=["not_supported"],
    )
    given = {"external_customer_id": "ada", "external_id": "sub", "plan_code": "none"}
    missing = 404, {"status": 404, "error": "Not Found", "code": "plan_not_found"}
    assert refusal_of(api, "POST", "/subscriptions", json={"subscription": given}) == missing
    over = {**given, "plan_code": "plus", "ending_at": "2026-04-29T00:00:00Z"}
    date = invalid(ending_at=["invalid_date"])
    assert refusal_of(api, "POST", "/subscriptions", json={"subscription": over}) == date


def test_an_id_leaves_room_for_the_source_of_its_events(api: Api) -> None:
    given = {"external_customer_id": "ada", "external_id": "s" * 996, "plan_code": "plus"}
    refused = invalid(external_id=["value_is_too_long"])
    assert refusal_of(api, "POST", "/subscriptions", json={"subscription": given}) == refused
    longest = subscribe(api, external_id="s" * 995)["external_id"]
    event = {"transaction_id": "t", "code": "calls", "external_subscription_id": longest}
    assert api.post(f"{BASE}/events", {"event": event}, 200)["event"]["external_subscription_id"] == "s" * 995


def test_an_update_changes_name_and_end_and_never_the_start(api: Api) -> None:
    before = subscribe(api, name="Old")
    changes = {"name": "New", "ending_at": "2026-08-01T00:00:00Z", "purchase_order_number": "PO-2"}
    answer = api.send("PUT", f"{PATH}/sub", 200, json={"subscription": changes}).json()
    assert answer == {"subscription": {**before, **changes}}
    cleared = {"name": None, "ending_at": None, "subscription_at": before["subscription_at"]}
    after = api.send("PUT", f"{PATH}/sub", 200, json={"subscription": cleared}).json()["subscription"]
    assert after == {**before, "purchase_order_number": "PO-2", "name": None}
    moved = {"subscription": {"subscription_at": "2026-05-01T00:00:00Z"}}
    refused = invalid(subscription_at=["value_is_invalid"])
    assert refusal_of(api, "PUT", "/subscriptions/sub", json=moved) == refused
    assert refusal_of(api, "PUT", "/subscriptions/none", json=moved) == MISSING


def test_an_update_of_one_that_has_not_begun_holds_when_it_begins(api: Api, clock: SettableClock) -> None:
    subscribe(api, subscription_at="2026-05-10T00:00:00Z", name="Old")
    change = {"subscription": {"name": "New"}}
    answer = api.send("PUT", f"{PATH}/sub?status=pending", 200, json=change).json()["subscription"]
    assert (answer["name"], answer["status"]) == ("New", "pending")
    clock.advance(days=12)
    assert found(api)["name"] == "New"


def test_a_terminated_subscription_is_found_by_that_status_alone(api: Api, clock: SettableClock) -> None:
    made = subscribe(api, ending_at="2026-12-01T00:00:00Z")
    clock.advance(days=2)
    ended = api.send("DELETE", f"{PATH}/sub", 200).json()["subscription"]
    expected = {name: value for name, value in made.items() if name != "plan"} | {
        "status": "terminated",
        "terminated_at": "2026-05-01T08:59:51Z",
        "current_billing_period_started_at": None,
        "current_billing_period_ending_at": None,
    }
    assert ended == expected == found(api, status="terminated")
    for method in ("GET", "DELETE"):
        assert refusal_of(api, method, "/subscriptions/sub") == MISSING


def test_one_that_ends_as_it_begins_is_answered_once(api: Api) -> None:
    made = subscribe(api)
    ended = api.send("DELETE", f"{PATH}/sub", 200).json()["subscription"]
    assert (ended["lago_id"], ended["status"], ended["terminated_at"]) == (
        made["lago_id"],
        "terminated",
        made["subscription_at"],
    )
    assert refusal_of(api, "GET", "/subscriptions/sub?status=terminated") == MISSING


def test_one_that_has_not_begun_is_cancelled(api: Api) -> None:
    subscribe(api, subscription_at="2026-05-10T00:00:00Z")
    assert refusal_of(api, "DELETE", "/subscriptions/sub") == MISSING
    ended = api.send("DELETE", f"{PATH}/sub?status=pending", 200).json()["subscription"]
    assert (ended["status"], ended["canceled_at"]) == ("canceled", "2026-04-29T08:59:51Z")
    assert (ended["terminated_at"], ended["started_at"]) == (None, None)
    assert refusal_of(api, "GET", "/subscriptions/sub?status=pending") == MISSING


def test_a_downgrade_that_lies_ahead_is_cancelled(api: Api, clock: SettableClock) -> None:
    subscribe(api)
    subscribe(api, "basic")
    ended = api.send("DELETE", f"{PATH}/sub?status=pending", 200).json()["subscription"]
    assert (ended["plan_code"], ended["status"]) == ("basic", "canceled")
    assert found(api)["next_plan_code"] is None
    clock.advance(days=5)
    assert found(api)["plan_code"] == "plus"


def test_the_deletion_of_a_customer_ends_its_subscriptions(api: Api, clock: SettableClock) -> None:
    subscribe(api)
    clock.advance(days=1)
    api.delete(customer_path("ada"))
    assert refusal_of(api, "GET", "/subscriptions/sub") == MISSING
    assert found(api, status="terminated")["terminated_at"] == "2026-04-30T08:59:51Z"
    clock.advance(days=1)
    assert subscribe(api)["started_at"] == "2026-05-01T08:59:51.123Z"
    given = {
        "external_customer_id": "ada",
        "external_id": "early",
        "plan_code": "plus",
        "subscription_at": "2026-04-01",
    }
    refused = invalid(subscription_at=["invalid_date"])
    assert refusal_of(api, "POST", "/subscriptions", json={"subscription": given}) == refused


def test_lists_have_active_ones_unless_they_ask_for_others(api: Api, clock: SettableClock) -> None:
    subscribe(api, "plus", "one")
    clock.advance(seconds=1)
    subscribe(api, "basic", "two", customer="bea")
    clock.advance(seconds=1)
    subscribe(api, "pro", "one")
    assert codes(api) == [("one", "pro", "active"), ("two", "basic", "active")]
    both = {"status[]": ["active", "terminated"]}
    assert codes(api, external_customer_id="ada", **both) == [("one", "pro", "active"), ("one", "plus", "terminated")]
    assert codes(api, plan_code="basic") == [("two", "basic", "active")]
    assert codes(api, external_customer_id="nobody") == []
    assert codes(api, currency="USD", plan_code="pro") == [("one", "pro", "active")]
    assert codes(api, currency="EUR") == codes(api, **{"billing_entity_codes[]": "other"}) == []
    of_customer = api.get(f"{BASE}/customers/ada/subscriptions")
    assert of_customer == api.get(PATH, external_customer_id="ada")
    page = api.get(PATH, page=2, per_page=1)
    assert page["subscriptions"] == [found(api, "two")]
    assert page["meta"] == {"current_page": 2, "next_page": None, "prev_page": 1, "total_pages": 2, "total_count": 2}


def test_a_deleted_plan_is_left_out(api: Api) -> None:
    subscribe(api)
    api.send("DELETE", f"{BASE}/plans/plus", 200)
    shown = api.get(f"{PATH}/sub")["subscription"]
    assert shown.keys() & {"plan", "plan_amount_cents", "plan_amount_currency"} == set()
    assert subscribe(api, "basic")["plan_code"] == "basic"


def test_plans_and_metrics_tell_how_many_active_subscriptions_they_have(api: Api, clock: SettableClock) -> None:
    metric = create(api, "storage")["lago_id"]
    for code in ("one", "two"):
        created(api, code, charges=[charge(metric)])
    for number, code in enumerate(("one", "one", "two")):
        subscribe(api, code, f"sub {number}")
    subscribe(api, "two", "ahead", subscription_at="2026-06-01T00:00:00Z")
    clock.advance(seconds=1)
    api.send("DELETE", f"{PATH}/sub 0", 200)
    shown = {one["code"]: one["active_subscriptions_count"] for one in api.get(f"{BASE}/plans")["plans"]}
    assert (shown["one"], shown["two"], shown["basic"]) == (1, 1, 0)
    used = {"plans_count": 2, "active_subscriptions_count": 2, "draft_invoices_count": 0}
    one = api.get(f"{BASE}/billable_metrics/storage")["billable_metric"]
    assert one == api.get(f"{BASE}/billable_metrics")["billable_metrics"][0] == {**one, **used}


@pytest.mark.parametrize("segment", ["team%2Fone", "team/one"])
def test_an_id_may_have_slashes_that_are_not_escaped(api: Api, segment: str) -> None:
    made = subscribe(api, external_id="team/one")
    assert found(api, segment) == {name: value for name, value in made.items() if name != "plan"}
    assert api.send("DELETE", f"{PATH}/{segment}", 200).json()["subscription"]["status"] == "terminated"


def test_an_unknown_customer_has_no_list(api: Api) -> None:
    missing = 404, {"status": 404, "error": "Not Found", "code": "customer_not_found"}
    assert refusal_of(api, "GET", "/customers/nobody/subscriptions") == missing
