"""Facts hold from the instant at which they are effective, in whatever order they arrive."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count, permutations
from typing import Any, Final

import pytest

from tests.api.native.routes.test_customers import BLANK_BUDGET, without_position
from tests.engine_fixtures import Api, JsonObject, SettableClock, customer_path, llm_request

START: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
TODAY: Final = 20
IDS = count()

#: One thing that is said of a customer: the method, the rest of its path, and the body.
Said = tuple[str, str, JsonObject]


@pytest.fixture(scope="module")
def clock() -> SettableClock:
    """It is day 20. Tests may advance the clock: the days before remain in the past."""
    return SettableClock(START + timedelta(days=TODAY))


def day(number: float) -> str:
    return shown(START + timedelta(days=number))


def shown(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def use(api: Api, customer: str, on_day: int, cost_usd: str, **data: Any) -> None:
    event = llm_request(f"event {next(IDS)}", customer, START + timedelta(days=on_day), cost_usd=cost_usd, **data)
    assert api.deliver([event])["counts"]["counted"] == 1


def known_by_usage(api: Api, *events: tuple[int, str]) -> str:
    """A customer that is known by its usage alone, here the day and the cost of each event."""
    customer = f"customer {next(IDS)}"
    for on_day, cost_usd in events or [(1, "3")]:
        use(api, customer, on_day, cost_usd)
    return customer


def patch(**body: Any) -> Said:
    return "PATCH", "", body


def block(on_day: int) -> Said:
    return "POST", "/block", {"effective_at": day(on_day)}


def unblock(on_day: int) -> Said:
    return "POST", "/unblock", {"effective_at": day(on_day)}


def tell(api: Api, customer: str, facts: Sequence[Said]) -> None:
    for method, rest, body in facts:
        path = customer_path(customer, rest)
        if method == "PATCH":
            api.patch(path, body)
        else:
            api.post(path, body, status=200)


def customer_view(api: Api, customer: str) -> JsonObject:
    return without_position(api.get(customer_path(customer)))


def expected(customer: str, **members: Any) -> JsonObject:
    """The view of a customer that is known by usage since day 1, and by what was said of it."""
    return {
        "id": customer,
        "created_at": None,
        "first_seen_at": day(1),
        "origin": "explicit",
        "active": True,
        "blocked": False,
        "life": 1,
        "name": None,
        "email": None,
        "metadata": {},
        "currency": "USD",
        "time_zone": "UTC",
        "group_identifier": None,
        "allowed_region": None,
        "default_model": None,
        "markup_percentage": "0",
        "opening_spend_usd": None,
        "payment_provider": {"name": None, "customer_id": None},
        "usage_period": {"duration": "1mo", "alignment": "calendar", "anchor": None},
        "budget": BLANK_BUDGET,
        **members,
    }


def access(api: Api, customer: str, **asked: str) -> JsonObject:
    return without_position(api.get(customer_path(customer, "/access"), **asked))


def decision(customer: str, reason: str, *limits: JsonObject) -> JsonObject:
    all_known = {"cost_unknown_events": 0, "spend_is_lower_bound": False}
    return {
        "customer": customer,
        "allowed": reason == "ok",
        "reason": reason,
        "reason_text": None,
        **all_known,
        "limits": [{**all_known, **limit} for limit in limits],
        "requests_per_minute": None,
        "tokens_per_minute": None,
        "parallel_requests_max": None,
    }


def costs_by_day(api: Api, customer: str) -> dict[str, tuple[str, str]]:
    """The raw and the reported cost of each day with usage."""
    asked = {"from": day(0), "to": day(100), "window": "day", "timezone": "UTC"}
    rows = api.get(customer_path(customer, "/usage"), **asked)["data"]
    return {row["window_start"][:10]: (row["cost_usd"], row["reported_cost_usd"]) for row in rows}


def test_a_block_holds_from_an_earlier_day_than_the_name_whichever_arrives_first(api: Api) -> None:
    facts = [patch(name="Ann", effective_at=day(10)), block(5)]
    for order in permutations(facts):
        customer = known_by_usage(api)
        tell(api, customer, order)
        assert access(api, customer) == decision(customer, "blocked")
        assert customer_view(api, customer) == expected(customer, name="Ann", blocked=True)


def test_a_markup_marks_up_usage_since_its_day_whenever_a_name_is_given(api: Api) -> None:
    facts = [patch(name="Ann"), patch(markup_percentage="50", effective_at=day(1))]
    for order in permutations(facts):
        customer = known_by_usage(api, (1, "3"))
        tell(api, customer, order)
        assert costs_by_day(api, customer) == {"2026-03-02": ("3", "4.5")}
        assert customer_view(api, customer) == expected(customer, name="Ann", markup_percentage="50")


def test_a_fact_that_is_about_to_hold_leaves_what_is_said_after_it(api: Api, clock: SettableClock) -> None:
    customer = known_by_usage(api)
    tomorrow = shown(clock() + timedelta(days=1))
    tell(api, customer, [patch(name="Ann", metadata={"seats": 2}, effective_at=tomorrow)])
    tell(api, customer, [patch(budget={"total_limit_usd": "5"}, metadata={"crm": 7}), ("POST", "/block", {})])
    limited = {**BLANK_BUDGET, "total_limit_usd": "5"}
    total = {"name": "total", "limit": "5", "spent": "3", "remaining": "2", "resets_at": None}
    today = expected(customer, blocked=True, budget=limited, metadata={"crm": 7})
    assert customer_view(api, customer) == today
    clock.advance(days=1)
    assert customer_view(api, customer) == {**today, "name": "Ann", "metadata": {"crm": 7, "seats": 2}}
    assert access(api, customer) == decision(customer, "blocked", total)


def test_what_was_said_before_a_creation_holds_after_it_too(api: Api, clock: SettableClock) -> None:
    customer = known_by_usage(api, (1, "3"), (15, "1"))
    created_at = shown(clock())
    api.post("/v1/customers", {"id": customer, "name": "Made", "budget": {"total_limit_usd": "5"}})
    said = {"name": "Said", "email": "a@b.example", "markup_percentage": "50", "budget": {"total_limit_usd": "9"}}
    tell(api, customer, [patch(**said, effective_at=day(1))])
    clock.advance(days=1)
    use(api, customer, (clock() - START).days, "2")
    assert customer_view(api, customer) == expected(
        customer,
        created_at=created_at,
        name="Made",
        email="a@b.example",
        markup_percentage="50",
        budget={**BLANK_BUDGET, "total_limit_usd": "5"},
    )
    of_today = shown(clock())[:10]
    assert costs_by_day(api, customer) == {"2026-03-02": ("3", "4.5"), "2026-03-16": ("1", "1.5"), of_today: ("2", "3")}


def test_the_markup_of_a_day_is_that_which_is_effective_last_before_it(api: Api) -> None:
    of_day = {5: "10", 15: "10", 10: "5"}
    facts = [patch(markup_percentage=percentage, effective_at=day(number)) for number, percentage in of_day.items()]
    for order in permutations(facts):
        customer = known_by_usage(api, (1, "1"), (6, "1"), (11, "1"), (16, "1"))
        tell(api, customer, order)
        assert costs_by_day(api, customer) == {
            "2026-03-02": ("1", "1"),
            "2026-03-07": ("1", "1.1"),
            "2026-03-12": ("1", "1.05"),
            "2026-03-17": ("1", "1.1"),
        }


def test_a_customer_is_blocked_by_what_is_effective_last(api: Api) -> None:
    for order in permutations([block(5), block(15), unblock(10)]):
        customer = known_by_usage(api)
        tell(api, customer, order)
        assert access(api, customer) == decision(customer, "blocked")
        assert customer_view(api, customer) == expected(customer, blocked=True)


def test_limits_of_different_models_hold_beside_each_other(api: Api) -> None:
    claude = patch(budget={"model_limits": {"claude": {"limit_usd": "9"}}}, effective_at=day(10))
    gpt = patch(budget={"model_limits": {"gpt-4o": {"limit_usd": "0"}}}, effective_at=day(5))
    for order in permutations([claude, gpt]):
        customer = known_by_usage(api)
        use(api, customer, 12, "2", model="claude")
        tell(api, customer, order)
        both = {"claude": {"limit_usd": "9", "duration": None}, "gpt-4o": {"limit_usd": "0", "duration": None}}
        assert customer_view(api, customer)["budget"] == {**BLANK_BUDGET, "model_limits": both}
        of_claude = {"name": "model:claude", "limit": "9", "spent": "2", "remaining": "7"}
        of_gpt = {"name": "model:gpt-4o", "limit": "0", "spent": "0", "remaining": "0"}
        resets = {"resets_at": "2026-04-01T00:00:00.000000Z"}
        assert access(api, customer, model="claude") == decision(customer, "ok", {**of_claude, **resets})
        assert access(api, customer, model="gpt-4o") == decision(customer, "model_limit", {**of_gpt, **resets})


BLANK_TIER: Final[JsonObject] = {
    "name": None,
    "period_limit_usd": None,
    "total_limit_usd": None,
    "soft_limit_usd": None,
    "model_limits": {},
    "duration": None,
    "alignment": None,
    "anchor": None,
    "requests_per_minute": None,
    "tokens_per_minute": None,
    "parallel_requests_max": None,
}


def test_a_change_of_a_shared_budget_that_arrives_late_does_not_undo_a_later_one(api: Api) -> None:
    customer = known_by_usage(api)
    tell(api, customer, [patch(budget={"budget_id": "late"})])
    api.post("/v1/budgets", {"id": "late", "total_limit_usd": "10", "effective_at": day(1)})
    tier = {"id": "late", "created_at": day(1), **BLANK_TIER}
    for limit, number in (("20", 10), ("30", 5)):
        view = api.patch("/v1/budgets/late", {"total_limit_usd": limit, "effective_at": day(number)})
        assert without_position(view) == {**tier, "updated_at": day(10), "total_limit_usd": "20"}
    of_tier = {"name": "total", "limit": "20", "spent": "3", "remaining": "17", "resets_at": None}
    assert access(api, customer) == decision(customer, "ok", of_tier)


def test_a_deleted_shared_budget_takes_along_what_was_about_to_hold(api: Api, clock: SettableClock) -> None:
    customer, now = known_by_usage(api), clock()
    tell(api, customer, [patch(budget={"budget_id": "brief"})])
    api.post("/v1/budgets", {"id": "brief", "name": "Brief", "total_limit_usd": "1", "effective_at": day(1)})
    api.patch("/v1/budgets/brief", {"total_limit_usd": "2", "effective_at": shown(now + timedelta(hours=1))})
    api.delete("/v1/budgets/brief")
    refusal = api.refused("POST", "/v1/budgets", 422, {"id": "brief", "effective_at": shown(now - timedelta(hours=1))})
    assert refusal["field"] == "effective_at"
    clock.advance(hours=2)
    assert api.refused("GET", "/v1/budgets/brief", 404)["status"] == 404
    assert access(api, customer) == decision(customer, "ok")
    made = {"id": "brief", "soft_limit_usd": "4", "effective_at": shown(now + timedelta(minutes=30))}
    view = api.post("/v1/budgets", made)
    born = {"created_at": made["effective_at"], "updated_at": made["effective_at"]}
    assert without_position(view) == {**BLANK_TIER, "id": "brief", "soft_limit_usd": "4", **born}


def test_a_shared_budget_does_not_exist_before_its_creation(api: Api, clock: SettableClock) -> None:
    customer, then = known_by_usage(api), shown(clock() + timedelta(hours=1))
    tell(api, customer, [patch(budget={"budget_id": "coming"})])
    tier = {**BLANK_TIER, "id": "coming", "total_limit_usd": "1", "created_at": then, "updated_at": then}
    view = api.post("/v1/budgets", {"id": "coming", "total_limit_usd": "1", "effective_at": then})
    assert without_position(view) == tier
    assert api.refused("GET", "/v1/budgets/coming", 404)["status"] == 404
    assert "coming" not in [one["id"] for one in api.pages("/v1/budgets")]
    assert access(api, customer) == decision(customer, "ok")
    assert api.refused("POST", "/v1/budgets", 409, {"id": "coming"})["type"] == "/problems/already_exists"
    clock.advance(hours=1)
    assert without_position(api.get("/v1/budgets/coming")) == tier
    assert [without_position(one) for one in api.pages("/v1/budgets") if one["id"] == "coming"] == [tier]
    limit = {"name": "total", "limit": "1", "spent": "3", "remaining": "0", "resets_at": None}
    assert access(api, customer) == decision(customer, "total_limit", limit)


def test_a_meter_holds_what_was_said_of_it_before_its_creation(api: Api, clock: SettableClock) -> None:
    then = shown(clock() + timedelta(hours=1))
    use(api, "measured", 1, "1", type="unused")
    api.deliver([{**llm_request("sample", "measured", START), "type": "disk", "data": {"gb": 4, "zone": "eu"}}])
    meter = {"code": "disk", "event_type": "disk", "aggregation": "sum", "value_property": "gb", "name": "Disk"}
    view: JsonObject = {
        **meter,
        "group_by": {},
        "description": None,
        "built_in": False,
        "expression": None,
        "filters": [],
        "operation_property": None,
        "recurring": False,
        "rounding": None,
        "created_at": then,
        "updated_at": then,
    }
    asked = {"meter": "disk", "from": day(-1), "to": day(1), "timezone": "UTC"}
    assert without_position(api.post("/v1/meters", {**meter, "effective_at": then})) == view
    before = {"name": "Before", "description": "Gigabytes", "group_by": ["zone"], "effective_at": day(5)}
    headers = {"Content-Type": "application/merge-patch+json"}
    assert api.send("PATCH", "/v1/meters/disk", None, headers, json=before).status_code < 300
    assert api.refused("GET", "/v1/meters/disk", 404)["status"] == 404
    assert "disk" not in [one["code"] for one in api.pages("/v1/meters")]
    assert api.send("GET", "/v1/usage", 404, params=asked).json()["status"] == 404
    clock.advance(hours=1)
    whole = {**view, "description": "Gigabytes", "group_by": {"zone": "zone"}}
    assert without_position(api.get("/v1/meters/disk")) == whole
    assert [without_position(one) for one in api.pages("/v1/meters") if one["code"] == "disk"] == [whole]
    row = {
        "window_start": day(-1),
        "window_end": day(1),
        "group": {"zone": "eu"},
        "value": "4",
        "cost_unknown_events": None,
    }
    assert api.get("/v1/usage", group_by="zone", **asked)["data"] == [row]


def test_a_limit_by_model_is_given_whole(api: Api) -> None:
    customer = known_by_usage(api)
    body = {"budget": {"model_limits": {"claude": {"duration": "1d"}}}}
    problem = api.refused("PATCH", customer_path(customer), 422, body)
    assert (problem["type"], problem["field"]) == ("/problems/invalid", "budget.model_limits.claude.limit_usd")


def test_a_customer_is_created_once_whatever_was_said_of_it_before(api: Api, clock: SettableClock) -> None:
    customer = known_by_usage(api)
    tell(api, customer, [patch(name="Ann", markup_percentage="10")])
    view = without_position(api.post("/v1/customers", {"id": customer, "name": "Made"}, status=201))
    assert view == expected(customer, created_at=shown(clock()), name="Made", markup_percentage="10")
    assert api.refused("POST", "/v1/customers", 409, {"id": customer})["type"] == "/problems/already_exists"
