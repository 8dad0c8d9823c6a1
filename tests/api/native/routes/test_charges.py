"""Charges of a customer through the API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import pytest

from tests.api.native.routes.test_customers import without_position
from tests.api.native.routes.test_plans import plan
from tests.engine_fixtures import Api, JsonObject, customer_path, llm_request

JANUARY: Final = "2026-01-01T00:00:00.000000Z"
FEBRUARY: Final = "2026-02-01T00:00:00.000000Z"
MARCH: Final = "2026-03-01T00:00:00.000000Z"
APRIL: Final = "2026-04-01T00:00:00.000000Z"
TOKENS: Final = {
    "code": "tokens",
    "name": "Tokens",
    "meter": "total_tokens",
    "price": {"model": "standard", "amount": "0.015"},
}
DISK: Final = {
    "code": "disk",
    "meter": "gb",
    "group_by": ["region"],
    "minimum_amount": "31",
    "price": {"model": "package", "amount": "2", "package_size": 10},
}
SEATS: Final = {"code": "seats", "meter": "seats", "price": {"model": "standard", "amount": "9"}}


@pytest.fixture(autouse=True, scope="module")
def told(api: Api) -> None:
    """Usage of February and March by ann; she has a plan for tokens and storage from 15 February on."""
    api.post("/v1/meters", {"code": "gb", "event_type": "disk", "aggregation": "sum", "value_property": "gb"})
    api.post("/v1/plans", plan("startup", charges=[TOKENS, DISK], effective_at=JANUARY))
    subscribe(api, "ann", "sub-ann", effective_at="2026-02-15T00:00:00Z")
    use(api, "ann", 2, 20, 30)
    use(api, "ann", 3, 5, 101)
    store(api, "ann", 2, 20, 12, "eu")
    store(api, "ann", 2, 21, 3, None)
    store(api, "ann", 3, 5, 1, "eu")


def subscribe(api: Api, customer: str, name: str, code: str = "startup", **more: Any) -> None:
    api.post("/v1/subscriptions", {"id": name, "customer": customer, "plan": code, **more})


def use(api: Api, customer: str, month: int, day: int, tokens: int, **data: Any) -> None:
    time = datetime(2026, month, day, 12, tzinfo=UTC)
    event = llm_request(f"{customer} {month} {day} {data}", customer, time, output_tokens=0, cost_usd="1", **data)
    event["data"]["input_tokens"] = tokens
    assert api.deliver([event])["counts"]["counted"] == 1


def store(api: Api, customer: str, month: int, day: int, gb: int, region: str | None) -> None:
    event = llm_request(f"disk {customer} {month} {day}", customer, datetime(2026, month, day, 12, tzinfo=UTC))
    event |= {"type": "disk", "data": {"gb": gb} | ({} if region is None else {"region": region})}
    assert api.deliver([event])["counts"]["counted"] == 1


def charges(api: Api, customer: str, **asked: str) -> Any:
    return api.get(customer_path(customer, "/charges"), **asked)


def group(amount: str, units: str, events: int, exact: str | None = None, **values: str | None) -> JsonObject:
    used = {"units": units, "total_units": None, "events": events}
    return {
        "group": values,
        **used,
        "exact_amount": exact or amount,
        "amount": amount,
        "filters": [],
        "cost_unknown_events": None,
    }


def charged(code: str, units: str | None, events: int | None, amount: str | None, **more: Any) -> JsonObject:
    """A charge of the plan as it is answered."""
    rest = {
        "tokens": {"name": "Tokens", "meter": "total_tokens", "model": "standard", "minimum_amount": None},
        "disk": {"name": None, "meter": "gb", "model": "package", "minimum_amount": "31"},
        "seats": {"name": None, "meter": "seats", "model": "standard", "minimum_amount": None},
    }[code]
    added = {"added_to_minimum": "0", "cost_unknown_events": None, "unknown_because": None}
    used = {"units": units, "total_units": None, "events": events}
    return {"code": code, **rest, **used, "amount": amount, "filters": [], **added, **more}


def of_subscription(name: str, amount: str | None, charges: list[JsonObject], **more: Any) -> JsonObject:
    """The charges of one subscription, by default in the open month."""
    return {
        "subscription": name,
        "name": None,
        "plan": "startup",
        "interval": "monthly",
        "billing": "calendar",
        "currency": "USD",
        "start": MARCH,
        "end": APRIL,
        "ended": False,
        "charges": charges,
        "amount": amount,
        "coupons": [],
        "amount_off": "0",
        "amount_after_coupons": amount,
        "closed": False,
        "amount_at_closing": None,
        "restated": False,
        **more,
    }


#: A period that nothing was known of when it closed.
TOLD_LATER: Final = {"ended": True, "closed": True, "restated": True}
NOTHING: Final = [charged("tokens", "0", 0, "0", groups=[group("0", "0", 0)]), charged("disk", "0", 0, "0", groups=[])]
OF_MARCH: Final = of_subscription(
    "sub-ann",
    "3.52",
    [
        charged("tokens", "101", 1, "1.52", groups=[group("1.52", "101", 1, "1.515")]),
        charged("disk", "1", 1, "2", groups=[group("2", "1", 1, region="eu")]),
    ],
)


def test_charges_are_those_of_the_open_period(api: Api) -> None:
    assert without_position(charges(api, "ann")) == {"customer": "ann", "time_zone": "UTC", "data": [OF_MARCH]}


def test_a_period_that_has_ended_is_cut_to_the_subscription_and_has_its_share_of_a_minimum(api: Api) -> None:
    groups = [group("2", "3", 1, region=None), group("4", "12", 1, region="eu")]
    expected = of_subscription(
        "sub-ann",
        "15.95",
        [
            charged("tokens", "30", 1, "0.45", groups=[group("0.45", "30", 1)]),
            charged("disk", "15", 2, "15.5", groups=groups, added_to_minimum="9.5"),
        ],
        start="2026-02-15T00:00:00.000000Z",
        end=MARCH,
        **TOLD_LATER,
    )
    for period in ("2026-02-15", "2026-02-20T13:00:00Z", "2026-02-28"):
        assert charges(api, "ann", period=period)["data"] == [expected]


def test_there_are_no_charges_in_a_period_without_a_subscription(api: Api) -> None:
    assert charges(api, "ann", period="2026-02-14")["data"] == []
    use(api, "unsubscribed", 3, 5, 1)
    assert charges(api, "unsubscribed")["data"] == []


def test_a_period_is_a_day_in_the_zone_of_the_customer(api: Api) -> None:
    api.post("/v1/customers", {"id": "far", "time_zone": "Pacific/Auckland"})
    subscribe(api, "far", "sub-far", effective_at=JANUARY)
    answer = charges(api, "far", period="2026-03-01")
    assert answer["time_zone"] == "Pacific/Auckland"
    assert answer["data"] == [
        of_subscription("sub-far", "0", NOTHING, start="2026-02-28T11:00:00.000000Z", end="2026-03-31T11:00:00.000000Z")
    ]


def test_events_belong_to_the_subscription_that_they_name(api: Api) -> None:
    for name in ("one", "two"):
        subscribe(api, "both", name, effective_at=MARCH)
    use(api, "both", 3, 5, 100, subscription="two")
    use(api, "both", 3, 6, 1000)
    two = [charged("tokens", "100", 1, "1.5", groups=[group("1.5", "100", 1)]), NOTHING[1]]
    every = [of_subscription("one", "0", NOTHING), of_subscription("two", "1.5", two)]
    assert charges(api, "both")["data"] == every
    assert charges(api, "both", subscription="two")["data"] == every[1:]


def test_a_subscription_that_the_customer_never_had_is_not_found(api: Api) -> None:
    refused = api.refused("GET", customer_path("ann", "/charges?subscription=sub-far"), 404)
    assert refused["detail"] == "customer 'ann' has no subscription 'sub-far'"


def test_a_customer_that_nothing_is_known_of_is_not_found(api: Api) -> None:
    refused = api.refused("GET", customer_path("nobody", "/charges"), 404)
    assert (refused["type"], refused["detail"]) == ("/problems/not_found", "customer 'nobody' does not exist")


def test_a_customer_without_any_usage_has_charges_of_0(api: Api) -> None:
    subscribe(api, "idle", "sub-idle", effective_at=MARCH)
    assert without_position(charges(api, "idle")) == {
        "customer": "idle",
        "time_zone": "UTC",
        "data": [of_subscription("sub-idle", "0", NOTHING)],
    }


def test_a_meter_that_does_not_exist_makes_its_charge_and_the_total_unknown(api: Api) -> None:
    api.post("/v1/plans", plan("seated", charges=[TOKENS, SEATS], effective_at=JANUARY))
    subscribe(api, "seated", "sub-seated", "seated", effective_at=MARCH)
    unknown = charged("seats", None, None, None, groups=[], unknown_because="there is no meter 'seats'")
    assert charges(api, "seated")["data"] == [of_subscription("sub-seated", None, [NOTHING[0], unknown], plan="seated")]


def test_a_meter_of_money_tells_how_many_costs_are_unknown(api: Api) -> None:
    money = {"code": "money", "meter": "cost_usd", "price": {"model": "percentage", "rate": "10"}}
    api.post("/v1/plans", plan("money", charges=[money], effective_at=JANUARY))
    subscribe(api, "spender", "sub-spender", "money", effective_at=MARCH)
    time = datetime(2026, 3, 5, 12, tzinfo=UTC)
    api.deliver([llm_request("known", "spender", time, cost_usd="5"), llm_request("unknown", "spender", time)])
    shown = charges(api, "spender")["data"][0]["charges"]
    assert shown == [
        {
            "code": "money",
            "name": None,
            "meter": "cost_usd",
            "model": "percentage",
            "units": "5",
            "total_units": None,
            "events": 2,
            "groups": [group("0.5", "5", 2) | {"cost_unknown_events": 1}],
            "filters": [],
            "minimum_amount": None,
            "added_to_minimum": "0",
            "amount": "0.5",
            "cost_unknown_events": 1,
            "unknown_because": None,
        }
    ]


def test_each_filter_is_shown_with_what_it_costs(api: Api) -> None:
    eu = {"values": {"region": ["eu"], "tier": []}, "price": {"model": "standard", "amount": "3"}, "name": "Europe"}
    us = {"values": {"region": ["us"]}, "price": {"model": "package", "amount": "1", "package_size": 10}}
    plain = {"code": "disk", "meter": "gb", "price": {"model": "standard", "amount": "0.001"}, "filters": [eu, us]}
    grouped = {**plain, "code": "grouped", "group_by": ["region"]}
    api.post("/v1/plans", plan("filtered", charges=[plain, grouped], effective_at=JANUARY))
    subscribe(api, "filter", "sub-filter", "filtered", effective_at=MARCH)
    store(api, "filter", 3, 5, 4, "eu")
    tiered = llm_request("tiered", "filter", datetime(2026, 3, 5, 12, tzinfo=UTC))
    api.deliver([tiered | {"type": "disk", "data": {"gb": 2, "region": "eu", "tier": 1}}])

    (ungrouped, by_region) = charges(api, "filter")["data"][0]["charges"]

    def shown(values: JsonObject, model: str, units: str, amount: str, **more: Any) -> JsonObject:
        events = 0 if units == "0" else 1
        used = {
            "units": units,
            "total_units": None,
            "events": events,
            "exact_amount": amount,
            "amount": amount,
            "cost_unknown_events": None,
        }
        return {"values": values, "name": None, "model": model, **used, **more}

    europe = shown({"region": ["eu"], "tier": []}, "standard", "2", "6", name="Europe")
    america = shown({"region": ["us"]}, "package", "0", "0")
    others = shown({}, "standard", "4", "0", exact_amount="0.004")
    assert [ungrouped["filters"], by_region["filters"]] == [[europe, america, others]] * 2
    assert ungrouped["groups"] == [group("6", "6", 2, "6.004")]
    assert by_region["groups"] == [{**group("6", "6", 2, "6.004", region="eu"), "filters": [europe, others]}]


def test_a_deleted_plan_has_no_charges_but_in_the_periods_that_had_ended(api: Api) -> None:
    api.post("/v1/plans", plan("gone", charges=[TOKENS], effective_at=JANUARY))
    subscribe(api, "orphan", "sub-orphan", "gone", effective_at=FEBRUARY)
    api.send("DELETE", "/v1/plans/gone", 204, params={"effective_at": "2026-03-05T00:00:00Z"})
    unpriced = {"plan": "gone", "interval": None, "currency": None, "start": FEBRUARY, "end": None}
    assert charges(api, "orphan")["data"] == [of_subscription("sub-orphan", None, [], **unpriced)]
    ended = of_subscription("sub-orphan", "0", NOTHING[:1], plan="gone", start=FEBRUARY, end=MARCH, **TOLD_LATER)
    assert charges(api, "orphan", period="2026-02-10")["data"] == [ended]


def test_a_change_of_plan_ends_the_period(api: Api) -> None:
    api.post("/v1/plans", plan("growth", charges=[TOKENS], effective_at=JANUARY))
    subscribe(api, "grower", "sub-grower", effective_at=MARCH)
    changed_at = "2026-03-04T06:00:00.000000Z"
    api.patch("/v1/subscriptions/sub-grower", {"plan": "growth", "effective_at": changed_at})
    before, after = (charges(api, "grower", **asked)["data"] for asked in ({"period": "2026-03-04"}, {}))
    # Of the minimum for 31 days, 3.25 days are due.
    disk = {**NOTHING[1], "amount": "3.25", "added_to_minimum": "3.25"}
    assert before == [of_subscription("sub-grower", "3.25", [NOTHING[0], disk], end=changed_at, **TOLD_LATER)]
    assert after == [of_subscription("sub-grower", "0", NOTHING[:1], plan="growth", start=changed_at)]


def test_charges_can_be_asked_as_they_were_known(api: Api) -> None:
    subscribe(api, "late", "sub-late", effective_at=MARCH)
    before = charges(api, "late")
    use(api, "late", 3, 5, 100)
    after = charges(api, "late")
    assert after["data"][0]["amount"] == "1.5"
    assert charges(api, "late", as_of=str(before["position"]), at=before["now"]) == before


def test_a_customer_id_with_a_slash_is_asked_by_query(api: Api) -> None:
    subscribe(api, "a/b", "sub-a/b", effective_at=MARCH)
    assert api.get("/v1/customer/charges", customer="a/b")["data"] == [of_subscription("sub-a/b", "0", NOTHING)]


@pytest.mark.parametrize("period", ["soon", "2026-13-01", ""])
def test_a_period_that_is_no_day_or_instant_is_refused(api: Api, period: str) -> None:
    assert api.refused("GET", customer_path("ann", f"/charges?period={period}"), 422)["field"] == "period"


def test_coupons_take_something_off_and_say_what_is_left(api: Api) -> None:
    api.post(
        "/v1/coupons", {"code": "one", "amount": "1", "currency": "USD", "frequency": "once", "effective_at": JANUARY}
    )
    api.post(
        "/v1/coupons", {"code": "half", "percentage": "50", "frequency": "recurring", "periods": 3, "meters": ["gb"]}
    )
    subscribe(api, "cora", "sub-cora", effective_at="2026-02-01T00:00:00Z")
    use(api, "cora", 2, 20, 30)
    use(api, "cora", 3, 5, 101)
    for coupon in ("one", "half"):
        api.post(customer_path("cora", "/coupons"), {"coupon": coupon, "effective_at": FEBRUARY})
    (february,) = charges(api, "cora", period="2026-02-10")["data"]
    half = {"number": 2, "coupon": "half", "amount_remaining": None}
    assert [february[name] for name in ("amount", "amount_off", "amount_after_coupons", "coupons")] == [
        "31.45",
        "16.5",
        "14.95",
        [
            {**half, "amount_off": "15.5", "charges": [{"code": "disk", "amount_off": "15.5"}], "periods_remaining": 2},
            {
                "number": 1,
                "coupon": "one",
                "amount_off": "1",
                "charges": [{"code": "tokens", "amount_off": "0.03"}, {"code": "disk", "amount_off": "0.97"}],
                "amount_remaining": "0",
                "periods_remaining": None,
            },
        ],
    ]
    (march,) = charges(api, "cora")["data"]
    assert (march["amount"], march["coupons"], march["amount_after_coupons"]) == ("1.52", [], "1.52")
    left = api.get("/v1/applied-coupons", customer="cora")["data"]
    assert [(one["status"], one["end"], one["amount_remaining"], one["periods_remaining"]) for one in left] == [
        ("terminated", MARCH, "0", None),
        ("active", None, None, 2),
    ]
