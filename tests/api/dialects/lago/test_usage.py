"""Current and past usage: whole bodies, which every client of Lago can read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from consumers.embedded.engine import EmbeddedEngine
from tests.api.dialects.lago.conftest import APRIL_29, BASE, refusal_of
from tests.api.dialects.lago.test_billable_metrics import create, invalid
from tests.api.dialects.lago.test_plans import charge, created
from tests.api.dialects.lago.test_subscriptions import subscribe
from tests.engine_fixtures import Api, JsonObject, SettableClock, customer_path, engine_on, http

USAGE = f"{BASE}/customers/ada"
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
NO_SUBSCRIPTION = 405, {"status": 405, "error": "Method Not Allowed", "code": "no_active_subscription"}
NO_CUSTOMER = 404, {"status": 404, "error": "Not Found", "code": "customer_not_found"}
NO_CHARGE = 404, {"status": 404, "error": "Not Found", "code": "charge_not_found"}
NO_METRIC = 404, {"status": 404, "error": "Not Found", "code": "billable_metric_not_found"}
EMPTY_META = {"current_page": 0, "next_page": None, "prev_page": None, "total_pages": 0, "total_count": 0}


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(APRIL_29)


@pytest.fixture
def engine(tmp_path: Path, clock: SettableClock) -> Iterator[EmbeddedEngine]:
    with engine_on(tmp_path, clock) as engine:
        yield engine


@pytest.fixture
def api(engine: EmbeddedEngine) -> Iterator[Api]:
    """An engine with a metric, and a subscription since March to a plan that charges for it."""
    with http(engine) as api:
        storage = create(api, "storage", name="Storage")["lago_id"]
        calls = create(api, "calls", name="api calls", aggregation_type="count_agg")["lago_id"]
        grouped = {"amount": "2", "pricing_group_keys": ["user"]}
        created(
            api,
            "plus",
            charges=[
                charge(storage, properties={"amount": "0.125"}, invoice_display_name="GB", min_amount_cents=500),
                charge(calls, properties=grouped, code="by_user"),
            ],
        )
        subscribe(api, subscription_at="2026-03-10T12:00:00.5Z")
        yield api


def event(event_id: str, code: str, at: datetime, subscription: str = "sub", **data: Any) -> JsonObject:
    """An event as Lago's clients send it, in native words: its customer is that of its subscription."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": f"lago/{subscription}",
        "type": code,
        "time": at.isoformat(),
        "data": {"subscription": subscription, **data},
    }


def april(day: int) -> datetime:
    return datetime(2026, 4, day, tzinfo=UTC)


def current(api: Api, **query: str) -> JsonObject:
    shown: JsonObject = api.get(f"{USAGE}/current_usage", external_subscription_id="sub", **query)["customer_usage"]
    return shown


def past(api: Api, subscription: str = "sub", **query: Any) -> JsonObject:
    shown: JsonObject = api.get(f"{USAGE}/past_usage", external_subscription_id=subscription, **query)
    return shown


def numbers(units: str, events: int, amount_cents: int) -> JsonObject:
    return {
        "units": units,
        "total_aggregated_units": units,
        "events_count": events,
        "amount_cents": amount_cents,
        "pricing_unit_details": None,
        "presentation_breakdowns": [],
    }


def of_charge(api: Api, number: int, metric: str, name: str, aggregation: str) -> JsonObject:
    """What stands in usage of a charge besides its numbers and groups."""
    shown = api.get(f"{BASE}/plans/plus")["plan"]["charges"][number]
    return {
        "amount_currency": "USD",
        "charge": {
            "lago_id": shown["lago_id"],
            "code": shown["code"],
            "charge_model": "standard",
            "invoice_display_name": shown["invoice_display_name"],
        },
        "billable_metric": {
            "lago_id": shown["lago_billable_metric_id"],
            "name": name,
            "code": metric,
            "aggregation_type": aggregation,
        },
        "filters": [],
        "groups": [],
    }


def of_storage(api: Api, units: str, events: int, amount_cents: int) -> JsonObject:
    shown = of_charge(api, 0, "storage", "Storage", "sum_agg")
    return {**numbers(units, events, amount_cents), **shown, "grouped_usage": []}


def of_calls(api: Api, groups: list[tuple[str | None, int]]) -> JsonObject:
    """Calls by user, 2 dollars each."""
    calls = sum(each for _, each in groups)
    shown = of_charge(api, 1, "calls", "api calls", "count_agg")
    return {
        **numbers(f"{calls}.0", calls, 200 * calls),
        **shown,
        "grouped_usage": [
            {**numbers(f"{each}.0", each, 200 * each), "grouped_by": {"user": user}, "filters": []}
            for user, each in groups
        ],
    }


def test_current_usage_is_of_the_open_period_and_sorted_by_the_names_of_metrics(api: Api) -> None:
    api.deliver(
        [
            event("1", "storage", april(1), gb=1),
            event("2", "storage", april(28), gb="0.5"),
            event("3", "storage", datetime(2026, 3, 31, 23, tzinfo=UTC), gb=64),
            event("4", "calls", april(2), user="u1"),
            event("5", "calls", april(3), user="u1"),
            event("6", "calls", april(4)),
        ]
    )
    assert current(api) == {
        "from_datetime": "2026-04-01T00:00:00Z",
        "to_datetime": "2026-04-30T23:59:59Z",
        "issuing_date": "2026-04-30",
        "currency": "USD",
        "amount_cents": 619,
        "total_amount_cents": 619,
        "taxes_amount_cents": 0,
        "lago_invoice_id": None,
        "charges_usage": [of_calls(api, [(None, 1), ("u1", 2)]), of_storage(api, "1.5", 2, 19)],
    }


def test_charges_without_usage_are_shown_as_nothing(api: Api) -> None:
    shown = current(api)
    assert shown["amount_cents"] == 0
    calls, storage = shown["charges_usage"]
    assert storage == of_storage(api, "0.0", 0, 0)
    assert calls == of_calls(api, [(None, 0)])


def test_without_an_active_subscription_there_is_no_current_usage(api: Api, clock: SettableClock) -> None:
    path = "/customers/ada/current_usage"
    assert refusal_of(api, "GET", path) == NO_SUBSCRIPTION
    assert refusal_of(api, "GET", f"{path}?external_subscription_id=other") == NO_SUBSCRIPTION
    assert refusal_of(api, "GET", "/customers/bea/current_usage?external_subscription_id=sub") == NO_CUSTOMER
    subscribe(api, external_id="later", subscription_at="2026-06-01T00:00:00Z")
    assert refusal_of(api, "GET", f"{path}?external_subscription_id=later") == NO_SUBSCRIPTION
    api.send("DELETE", f"{BASE}/subscriptions/sub", 200)
    assert refusal_of(api, "GET", f"{path}?external_subscription_id=sub") == NO_SUBSCRIPTION


def test_one_charge_is_asked_for_by_id_code_or_metric(api: Api) -> None:
    api.deliver([event("1", "storage", april(1), gb=8), event("2", "calls", april(1), user="u1")])
    storage = of_storage(api, "8.0", 1, 100)
    charge_id = storage["charge"]["lago_id"]
    for query in (
        {"charge_id": charge_id},
        {"filter_by_charge_id": charge_id},
        {"charge_code": "storage"},
        {"filter_by_charge_code": "storage"},
        {"billable_metric_code": "storage"},
    ):
        shown = current(api, **query)
        assert (shown["charges_usage"], shown["amount_cents"], shown["total_amount_cents"]) == ([storage], 100, 100)
    path = "/customers/ada/current_usage?external_subscription_id=sub"
    for query_text in ("charge_id=1", "charge_code=x", "billable_metric_code=x", "charge_code=storage&charge_id=1"):
        assert refusal_of(api, "GET", f"{path}&{query_text}") == NO_CHARGE
    refused = 405, {"status": 405, "error": "Method Not Allowed", "code": "full_usage_not_allowed"}
    assert refusal_of(api, "GET", f"{path}&charge_code=storage&full_usage=true") == refused


@pytest.mark.parametrize(
    "query", [{"group[user]": "u1"}, {"filter_by_group[user]": "u1"}, {"filter_by_group": '{"user": "u1"}'}]
)
def test_one_group_is_asked_for_by_its_values(api: Api, query: dict[str, str]) -> None:
    users = ("u1", "u2", "u1")
    api.deliver([event(f"{number}", "calls", april(1), user=user) for number, user in enumerate(users)])
    shown = current(api, **query)
    assert (shown["charges_usage"], shown["amount_cents"]) == ([of_calls(api, [("u1", 2)])], 400)


def test_periods_are_whole_days_of_the_customer(api: Api) -> None:
    api.patch(customer_path("ada"), {"time_zone": "Asia/Kolkata", "effective_at": "2026-03-01T00:00:00Z"})
    shown = current(api)
    assert (shown["from_datetime"], shown["to_datetime"]) == ("2026-03-31T18:30:00Z", "2026-04-30T18:29:59Z")
    assert shown["issuing_date"] == "2026-04-30"


def test_units_are_never_negative(api: Api) -> None:
    api.deliver([event("1", "storage", april(1), gb=-5)])
    assert current(api, charge_code="storage")["charges_usage"] == [of_storage(api, "0.0", 1, 0)]


def test_a_period_is_past_the_moment_it_ends(api: Api, clock: SettableClock) -> None:
    api.deliver(
        [
            event("1", "storage", datetime(2026, 3, 10, 12, tzinfo=UTC), gb=99),
            event("2", "storage", datetime(2026, 3, 11, tzinfo=UTC), gb=8),
            event("3", "calls", april(2), user="u1"),
        ]
    )
    march = past(api)["usage_periods"]
    minimum = 347  # of 500, for 21.5 of 31 days
    of_march = {
        "from_datetime": "2026-03-10T12:00:00Z",
        "to_datetime": "2026-03-31T23:59:59Z",
        "issuing_date": "2026-03-31",
        "currency": "USD",
        "amount_cents": minimum,
        "total_amount_cents": minimum,
        "taxes_amount_cents": 0,
        "lago_invoice_id": None,
        "charges_usage": [of_storage(api, "8.0", 1, minimum)],
    }
    assert march == [{**of_march, "customer_usage": of_march}]
    clock.set(datetime(2026, 4, 30, 23, 59, 59, 999_999, tzinfo=UTC))
    assert past(api)["usage_periods"] == march
    clock.set(datetime(2026, 5, 1, tzinfo=UTC))
    both = past(api)
    assert [one["to_datetime"] for one in both["usage_periods"]] == ["2026-04-30T23:59:59Z", "2026-03-31T23:59:59Z"]
    assert both["usage_periods"][1:] == march
    calls = both["usage_periods"][0]["charges_usage"][0]
    assert calls == of_calls(api, [("u1", 1)])
    assert current(api)["from_datetime"] == "2026-05-01T00:00:00Z"
    assert both["meta"] == {"current_page": 1, "next_page": None, "prev_page": None, "total_pages": 1, "total_count": 2}


def test_past_usage_has_pages(api: Api, clock: SettableClock) -> None:
    clock.set(datetime(2026, 7, 1, tzinfo=UTC))
    second = past(api, page=2, per_page=1)
    assert [one["from_datetime"] for one in second["usage_periods"]] == ["2026-05-01T00:00:00Z"]
    assert second["meta"] == {"current_page": 2, "next_page": 3, "prev_page": 1, "total_pages": 4, "total_count": 4}
    last = past(api, periods_count=3, per_page=1)
    assert [one["issuing_date"] for one in last["usage_periods"]] == ["2026-06-30", "2026-05-31", "2026-04-30"]


def test_past_usage_of_one_metric_keeps_the_amounts_of_all(api: Api, clock: SettableClock) -> None:
    api.deliver([event("1", "storage", april(1), gb=80), event("2", "calls", april(2), user="u1")])
    clock.set(datetime(2026, 5, 1, tzinfo=UTC))
    (shown, _) = past(api, billable_metric_code="calls")["usage_periods"]
    assert [one["billable_metric"]["code"] for one in shown["charges_usage"]] == ["calls"]
    assert shown["amount_cents"] == 1200
    assert past(api, billable_metric_code="") == past(api)
    path = "/customers/ada/past_usage?external_subscription_id=sub&billable_metric_code=none"
    assert refusal_of(api, "GET", path) == NO_METRIC


def test_past_usage_of_an_unknown_subscription_is_empty(api: Api) -> None:
    assert past(api, "unknown") == {"usage_periods": [], "meta": EMPTY_META}
    assert refusal_of(api, "GET", "/customers/bea/past_usage?external_subscription_id=sub") == NO_CUSTOMER
    missing = invalid(external_subscription_id=["value_is_mandatory"])
    assert refusal_of(api, "GET", "/customers/ada/past_usage") == missing


def test_a_new_life_of_a_customer_has_no_past_usage(api: Api, clock: SettableClock) -> None:
    assert past(api)["meta"]["total_count"] == 1
    api.delete(customer_path("ada"))
    clock.advance(seconds=1)
    subscribe(api)
    assert past(api) == {"usage_periods": [], "meta": EMPTY_META}


def test_a_change_of_plan_ends_a_period(api: Api, clock: SettableClock) -> None:
    created(api, "max", amount_cents=90_000)
    subscribe(api, "max")
    shown = current(api)
    assert (shown["from_datetime"], shown["charges_usage"]) == ("2026-04-29T08:59:51Z", [])
    assert [one["to_datetime"] for one in past(api)["usage_periods"]] == [
        "2026-04-29T08:59:51Z",
        "2026-03-31T23:59:59Z",
    ]


def test_a_charge_whose_metric_is_deleted_is_none_any_more(api: Api, clock: SettableClock) -> None:
    api.deliver([event("1", "storage", datetime(2026, 3, 12, tzinfo=UTC), gb=80)])
    clock.advance(seconds=1)
    api.send("DELETE", f"{BASE}/billable_metrics/storage", 200)
    assert [one["charge"]["code"] for one in current(api)["charges_usage"]] == ["by_user"]
    assert past(api)["usage_periods"][0]["amount_cents"] == 1000


def test_a_charge_whose_value_is_unknown_is_told_and_never_shown_as_nothing(api: Api) -> None:
    latest = create(api, "latest", aggregation_type="latest_agg")["lago_id"]
    capped = charge(latest, "percentage", {"rate": "1", "per_transaction_max_amount": "2"})
    calls = api.get(f"{BASE}/billable_metrics/calls")["billable_metric"]["lago_id"]
    api.send("PUT", f"{BASE}/plans/plus", 200, json={"plan": {"charges": [capped, charge(calls)]}})
    reason = "events cannot be priced one by one by meter 'latest', whose aggregation is 'latest'"
    refused = {
        "status": 422,
        "error": "Unprocessable Entity",
        "code": "charge_usage_unknown",
        "error_details": {"latest": [reason]},
    }
    path = "/customers/ada/current_usage?external_subscription_id=sub"
    assert refusal_of(api, "GET", path) == (422, refused)
    assert current(api, charge_code="calls")["amount_cents"] == 0


def test_money_of_unknown_cost_is_told_by_a_header(api: Api) -> None:
    cost = api.get(f"{BASE}/billable_metrics/cost_usd")["billable_metric"]["lago_id"]
    created(api, "resold", charges=[charge(cost, properties={"amount": "1"})])
    subscribe(api, "resold", "cost", "ada", subscription_at="2026-04-01T00:00:00Z")
    usage: JsonObject = {"provider": "p", "model": "m", "input_tokens": 1}
    request = event("1", "llm.request", april(5), "cost", **usage, cost_usd="1.234")
    api.deliver([request, event("2", "llm.request", april(5), "cost", **usage)])
    answer = api.send("GET", f"{USAGE}/current_usage?external_subscription_id=cost", 200)
    shown = answer.json()["customer_usage"]
    assert (shown["amount_cents"], shown["charges_usage"][0]["units"]) == (123, "1.234")
    assert answer.headers["meterfold-cost-unknown-events"] == "1"


def test_each_filter_is_shown_and_what_matches_none_comes_last(api: Api) -> None:
    disk = create(api, "disk", filters=[{"key": "region", "values": ["eu", "us", "asia"]}])["lago_id"]
    filters = [
        {"invoice_display_name": "Europe", "properties": {"amount": "3"}, "values": {"region": ["eu"]}},
        {"properties": {"amount": "4"}, "values": {"region": ["us", "asia"]}},
    ]
    plain = charge(disk, properties={"amount": "1"}, filters=filters)
    grouped = charge(disk, properties={"amount": "1", "pricing_group_keys": ["user"]}, filters=filters, code="by_user")
    created(api, "filtered", charges=[plain, grouped])
    subscribe(api, "filtered", "of_filters", subscription_at="2026-04-01T00:00:00Z")
    regions = (("eu", "u1", 2), ("us", "u1", 1), ("moon", "u2", 5), ("eu", "u2", 1))
    api.deliver(
        [
            event(f"{number}", "disk", april(2), region=region, user=user, gb=gb, subscription="of_filters")
            for number, (region, user, gb) in enumerate(regions)
        ]
    )
    shown = api.get(f"{USAGE}/current_usage", external_subscription_id="of_filters")["customer_usage"]
    by_user, without_groups = shown["charges_usage"]
    of_all = [
        {**numbers("3.0", 2, 900), "invoice_display_name": "Europe", "values": {"region": ["eu"]}},
        {**numbers("1.0", 1, 400), "values": {"region": ["us", "asia"]}},
        numbers("5.0", 1, 500),
    ]
    assert without_groups["filters"] == of_all == by_user["filters"]
    assert (without_groups["units"], without_groups["amount_cents"], shown["amount_cents"]) == ("9.0", 1800, 3600)
    assert by_user["grouped_usage"] == [
        {
            **numbers("3.0", 2, 1000),
            "grouped_by": {"user": "u1"},
            "filters": [{**of_all[0], **numbers("2.0", 1, 600)}, {**of_all[1], **numbers("1.0", 1, 400)}],
        },
        {
            **numbers("6.0", 2, 800),
            "grouped_by": {"user": "u2"},
            "filters": [{**of_all[0], **numbers("1.0", 1, 300)}, numbers("5.0", 1, 500)],
        },
    ]
    of_one = api.get(f"{USAGE}/current_usage", external_subscription_id="of_filters", **{"group[user]": "u2"})[
        "customer_usage"
    ]
    assert of_one["charges_usage"][0]["filters"] == [
        {**of_all[0], **numbers("1.0", 1, 300)},
        {**of_all[1], **numbers("0.0", 0, 0)},
        numbers("5.0", 1, 500),
    ]


def test_a_weighted_sum_tells_its_values_and_their_weight(api: Api) -> None:
    seats = create(api, "seats", aggregation_type="weighted_sum_agg")["lago_id"]
    created(api, "seated", charges=[charge(seats, properties={"amount": "10"})])
    subscribe(api, "seated", "of_seats", subscription_at="2026-04-01T00:00:00Z")
    api.deliver([event("1", "seats", april(16), gb=4, subscription="of_seats")])
    shown = api.get(f"{USAGE}/current_usage", external_subscription_id="of_seats")["customer_usage"]
    (one,) = shown["charges_usage"]
    assert (one["units"], one["total_aggregated_units"], one["amount_cents"]) == ("2.0", "4.0", 2000)
