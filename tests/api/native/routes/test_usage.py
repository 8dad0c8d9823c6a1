"""Usage, budget state and access as the JSON of the native API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.values.instants import instant_text
from tests.engine_fixtures import Api, JsonObject, SettableClock, customer_path, llm_request

MEASURES: JsonObject = {
    "requests": 1,
    "input_tokens": 100,
    "cached_input_tokens": 0,
    "cache_write_tokens": 0,
    "output_tokens": 10,
    "reasoning_tokens": 0,
    "total_tokens": 110,
    "cost_usd": "1.5",
    "reported_cost_usd": "1.5",
    "cost_unknown_events": 0,
    "units": {},
}
MARCH = {"start": "2026-03-01T00:00:00.000000Z", "end": "2026-04-01T00:00:00.000000Z"}


def event(event_id: str, customer: str, time: str, cost_usd: str = "1.5", **data: Any) -> JsonObject:
    return {**llm_request(event_id, customer, cost_usd=cost_usd, **data), "time": time}


def test_usage_is_cut_into_windows_and_groups(api: Api, clock: SettableClock) -> None:
    position = api.deliver(
        [
            event("w1", "wanda", "2026-03-01T23:30:00Z"),
            event("w2", "wanda", "2026-03-02T00:30:00Z", model="swift"),
            event("w3", "wanda", "2026-03-02T00:45:00Z", model="slow"),
        ]
    )["position"]
    asked = {"from": "2026-03-01", "to": "2026-03-03T00:00:00 01:00", "window": "day", "timezone": "Europe/Berlin"}
    assert api.get("/v1/customers/wanda/usage", group_by="model", **asked) == {
        "position": position,
        "now": instant_text(clock()),
        "customer": "wanda",
        "meter": None,
        "from": "2026-02-28T23:00:00.000000Z",
        "to": "2026-03-02T23:00:00.000000Z",
        "window": "day",
        "timezone": "Europe/Berlin",
        "group_by": ["model"],
        "data": [
            {
                "window_start": "2026-03-01T23:00:00.000000Z",
                "window_end": "2026-03-02T23:00:00.000000Z",
                "group": {"model": "slow"},
                **MEASURES,
            },
            {
                "window_start": "2026-03-01T23:00:00.000000Z",
                "window_end": "2026-03-02T23:00:00.000000Z",
                "group": {"model": "swift"},
                **MEASURES,
                "requests": 2,
                "input_tokens": 200,
                "output_tokens": 20,
                "total_tokens": 220,
                "cost_usd": "3",
                "reported_cost_usd": "3",
            },
        ],
    }


def test_measures_show_the_sums_of_all_units(api: Api) -> None:
    sent = [
        event("u1", "una", "2026-03-10T09:00:00Z", web_searches=2, units={"gpu_seconds": 0.25}),
        event("u2", "una", "2026-03-10T10:00:00Z", web_searches=40, model="slow"),
        event("u3", "una", "2026-03-10T11:00:00Z", model="slow"),
    ]
    api.deliver(sent)
    total = {"gpu_seconds": "0.25", "web_searches": "42"}
    path = "/v1/customers/una"
    asked = {"from": "2026-03-10T08:30:00Z", "to": "2026-03-11T00:00:00Z"}
    assert [row["units"] for row in api.get(f"{path}/usage", **asked)["data"]] == [total]
    assert [row["units"] for row in api.get("/v1/usage", **asked, customer="una")["data"]] == [total]
    for more in ({}, {"at": "2026-03-10T12:00:00Z"}):
        current = api.get(f"{path}/current-usage", **more)
        assert current["usage"]["units"] == total
        assert {one["model"]: one["units"] for one in current["by_model"]} == {
            "slow": {"web_searches": "40"},
            sent[0]["data"]["model"]: {"gpu_seconds": "0.25", "web_searches": "2"},
        }
    metered = api.get(f"{path}/usage", **asked, meter="web_searches", group_by="model")
    assert {row["group"]["model"]: row["value"] for row in metered["data"]} == {
        "slow": "40",
        sent[0]["data"]["model"]: "2",
    }
    assert api.refused("GET", f"{path}/usage?meter=web_serches", 404)["status"] == 404


def test_a_meter_answers_with_values(api: Api) -> None:
    body = {
        "code": "disk",
        "event_type": "disk.read",
        "aggregation": "max",
        "value_property": "gb",
        "group_by": {"where": "zone.name"},
    }
    api.post("/v1/meters", body)
    for number, zone in enumerate(("eu", "us", "eu")):
        data = {"gb": number, "zone": {"name": zone}}
        api.deliver([{**llm_request(f"m{number}", "mia"), "type": "disk.read", "data": data}])
    asked = {"from": "2025-06-01", "to": "2025-06-02"}
    rows = api.get("/v1/customers/mia/usage", meter="disk", **asked)["data"]
    assert [(row["group"], row["value"]) for row in rows] == [({}, "2")]
    rows = api.get("/v1/customers/mia/usage", meter="disk", group_by="where", **asked)["data"]
    assert [(row["group"], row["value"]) for row in rows] == [({"where": "eu"}, "2"), ({"where": "us"}, "1")]


def test_usage_over_all_customers_may_be_of_one(api: Api) -> None:
    api.deliver([event("all 1", "all/one", "2026-03-05T00:00:00Z"), event("all 2", "all/two", "2026-03-05T00:00:00Z")])
    assert api.get("/v1/usage", customer="all/one") == api.get(customer_path("all/one", "/usage"))
    groups = [row["group"]["customer"] for row in api.get("/v1/usage", group_by="customer")["data"]]
    assert {"all/one", "all/two"} <= set(groups)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=yesterday", "from"),
        ("from=2026-02-30", "from"),
        ("to=2026-03-01T00:00:00", "to"),
        ("from=2026-03-02&to=2026-03-01", "to"),
        ("window=week", "window"),
        ("timezone=Mars/Olympus", "timezone"),
        ("group_by=colour", "group_by"),
        ("as_of=soon", "as_of"),
        ("as_of=999999999", "as_of"),
        ("as_of=2026-02-30", "as_of"),
        ("from=1990-01-01&window=minute", "window"),
    ],
)
def test_an_invalid_query_names_the_field(api: Api, query: str, field: str) -> None:
    assert api.refused("GET", f"/v1/usage?{query}", 422)["field"] == field


def test_an_unknown_meter_is_not_found(api: Api) -> None:
    assert api.refused("GET", "/v1/usage?meter=nope", 404)["type"] == "/problems/not_found"


def test_current_usage_is_that_of_the_open_period_by_model(api: Api, clock: SettableClock) -> None:
    api.post("/v1/customers", {"id": "cora", "markup_percentage": "10", "effective_at": "2026-01-01T00:00:00Z"})
    position = api.deliver(
        [event("c1", "cora", "2026-03-01T00:00:00Z"), event("c2", "cora", "2026-02-28T23:59:59.999999Z")]
    )["position"]
    measures = {**MEASURES, "reported_cost_usd": "1.65"}
    assert api.get("/v1/customers/cora/current-usage") == {
        "position": position,
        "now": instant_text(clock()),
        "customer": "cora",
        "period": MARCH,
        "usage": measures,
        "by_model": [{"provider": "acme", "model": "swift", **measures}],
    }


def test_a_day_in_as_of_is_its_midnight_in_the_zone_of_the_customer(api: Api, clock: SettableClock) -> None:
    api.post("/v1/customers", {"id": "bert", "time_zone": "Europe/Berlin"})
    api.deliver([event("bert 1", "bert", "2026-03-03T00:00:00Z")])
    clock.set(datetime(2026, 3, 10, 23, 30, tzinfo=UTC))  # the eleventh in Berlin, still the tenth in UTC
    api.deliver([event("bert 2", "bert", "2026-03-03T00:00:00Z")])
    asked = {"as_of": "2026-03-11"}
    assert api.get("/v1/customers/bert/usage", **asked)["data"][0]["requests"] == 1
    assert api.get("/v1/customers/bert/usage", **asked, timezone="UTC")["data"][0]["requests"] == 2
    assert api.get("/v1/customers/bert/current-usage", **asked)["usage"]["requests"] == 1
    assert api.get("/v1/customers/bert/budget", **asked)["total_spent_usd"] == "1.5"


def test_who_was_not_known_then_is_told_from_who_does_not_exist(api: Api) -> None:
    before = api.deliver([event("o1", "some-other", "2026-03-03T00:00:00Z")])["position"]
    api.deliver([event("n1", "newer", "2026-03-03T00:00:00Z")])
    for rest in ("/usage", "/current-usage", "/past-usage", "/budget"):
        refused = api.refused("GET", f"/v1/customers/newer{rest}?as_of={before}", 404)
        assert refused["detail"] == "customer 'newer' was not yet known then"
        refused = api.refused("GET", f"/v1/customers/nobody{rest}?as_of={before}", 404)
        assert refused["detail"] == "customer 'nobody' does not exist"


def test_whom_later_usage_brought_back_does_not_exist_as_of_the_deletion(api: Api, clock: SettableClock) -> None:
    api.deliver([event("r1", "revived", "2026-03-03T00:00:00Z")])
    api.delete("/v1/customers/revived")
    deleted = api.get("/readyz")["position"]
    assert api.refused("GET", "/v1/customers/revived/budget", 404)["status"] == 404
    clock.set(clock() + timedelta(minutes=5))
    api.deliver([event("r2", "revived", clock().isoformat())])
    assert api.get("/v1/customers/revived/budget")["total_spent_usd"] == "1.5"
    for rest in ("/current-usage", "/past-usage", "/budget"):
        assert api.refused("GET", f"/v1/customers/revived{rest}?as_of={deleted}", 404)["status"] == 404


def test_a_report_as_of_a_position_has_the_zone_and_the_meter_of_then(api: Api) -> None:
    api.post("/v1/customers", {"id": "zoned"})
    api.post("/v1/meters", {"code": "seen", "event_type": "llm.request", "aggregation": "count", "group_by": ["model"]})
    first = api.deliver([event("z1", "zoned", "2026-03-03T00:00:00Z")])["position"]
    asked = {
        "from": "2026-03-01T00:00:00Z",
        "to": "2026-03-05T00:00:00Z",
        "meter": "seen",
        "window": "day",
        "group_by": "model",
    }
    then = api.get("/v1/customers/zoned/usage", **asked)
    api.patch("/v1/customers/zoned", {"time_zone": "Asia/Tokyo"})
    api.patch("/v1/meters/seen", {"group_by": {"model": "provider"}})
    now = api.get("/v1/customers/zoned/usage", **asked)
    assert (then["timezone"], now["timezone"]) == ("UTC", "Asia/Tokyo")
    assert api.get("/v1/customers/zoned/usage", **asked, as_of=first) == then
    assert now["data"] != then["data"]
    api.delete("/v1/meters/seen")
    assert api.get("/v1/customers/zoned/usage", **asked, as_of=first) == then


def test_usage_can_be_asked_for_as_it_was_known(api: Api) -> None:
    first = api.deliver([event("k1", "kim", "2026-03-03T00:00:00Z")])["position"]
    api.post("/v1/customers", {"id": "kim", "budget": {"period_limit_usd": "10"}})
    second = api.deliver([event("k2", "kim", "2026-03-04T00:00:00Z")])["position"]
    for rest in ("/current-usage", "/current-usage?period=usage"):
        found = api.send(
            "GET", f"/v1/customers/kim{rest}", 200, params={"as_of": first} if "?" not in rest else None
        ).json()
        expected = (first, 1) if "?" not in rest else (second, 2)
        assert (found["position"], found["usage"]["requests"]) == expected
    assert api.get("/v1/customers/kim/usage", as_of=first)["data"][0]["requests"] == 1
    then, now = api.get("/v1/customers/kim/budget", as_of=first), api.get("/v1/customers/kim/budget")
    assert (then["total_spent_usd"], then["period_limit_usd"]) == ("1.5", None)
    assert (now["total_spent_usd"], now["period_limit_usd"], now["period_remaining_usd"]) == ("3", "10", "7")
    assert api.refused("GET", f"/v1/customers/kim/current-usage?as_of={first - 1}", 404)["status"] == 404


def test_current_usage_may_be_that_of_the_budgets_period(api: Api) -> None:
    api.post("/v1/customers", {"id": "buck", "budget": {"period_limit_usd": "10", "duration": "1d"}})
    api.deliver([event("b1", "buck", "2026-03-10T01:00:00Z"), event("b2", "buck", "2026-03-09T01:00:00Z")])
    found = api.get("/v1/customers/buck/current-usage", period="budget")
    assert found["period"] == {"start": "2026-03-10T00:00:00.000000Z", "end": "2026-03-11T00:00:00.000000Z"}
    assert (found["usage"]["requests"], found["by_model"][0]["model"]) == (1, "swift")
    assert api.refused("GET", "/v1/customers/buck/current-usage?period=lunar", 422)["field"] == "period"


def test_past_usage_shows_what_changed_after_closing(api: Api, clock: SettableClock) -> None:
    api.deliver([event("p1", "pat", "2026-03-07T00:00:00Z")])
    clock.advance(days=25)  # 4 April: March is closed
    api.deliver([event("p2", "pat", "2026-03-08T00:00:00Z", cost_usd="0.25")])
    past = api.get("/v1/customers/pat/past-usage", periods=1)["periods"]
    late = {**MEASURES, "cost_usd": "0.25", "reported_cost_usd": "0.25"}
    both: JsonObject = {name: 2 * value if isinstance(value, int) else "1.75" for name, value in MEASURES.items()}
    both["units"] = {}
    sums = {"at_closing": MEASURES, "now": both, "difference": late}
    assert past == [{**MARCH, "closed": True, **sums, "restated": True, "period_at_closing": MARCH}]


def test_budget_and_access_show_limits_and_what_is_left(api: Api, clock: SettableClock) -> None:
    limits = {
        "period_limit_usd": "2",
        "total_limit_usd": "100",
        "soft_limit_usd": "1",
        "model_limits": {"swift": {"limit_usd": "1.5"}},
    }
    api.post("/v1/budgets", {"id": "tier", "duration": "1mo", **limits})
    api.post("/v1/customers", {"id": "lim", "budget": {"budget_id": "tier", "period_limit_usd": "3"}})
    position = api.deliver([{**event("l1", "lim", "2026-03-01T00:00:00Z"), "time": None}])["position"]
    budget = api.get("/v1/customers/lim/budget")
    period = budget.pop("period")
    resets_at = period["end"]
    assert (period["duration"], period["alignment"]) == ("1mo", "calendar")
    assert budget == {
        "position": position,
        "now": instant_text(clock()),
        "customer": "lim",
        "budget_id": "tier",
        "currency": "USD",
        "period_limit_usd": "3",
        "period_spent_usd": "1.5",
        "period_remaining_usd": "1.5",
        "total_limit_usd": "100",
        "total_spent_usd": "1.5",
        "total_remaining_usd": "98.5",
        "cost_unknown_events": 0,
        "period_cost_unknown_events": 0,
        "spend_is_lower_bound": False,
        "soft_limit_usd": "1",
        "soft_limit_reached": True,
        "model_limits": [
            {
                "model": "swift",
                "limit_usd": "1.5",
                "spent_usd": "1.5",
                "remaining_usd": "0",
                "duration": None,
                "resets_at": resets_at,
                "cost_unknown_events": 0,
                "spend_is_lower_bound": False,
            }
        ],
        "requests_per_minute": None,
        "tokens_per_minute": None,
        "parallel_requests_max": None,
        "resets_at": resets_at,
        "ignored_fields": [],
    }
    access = api.get("/v1/customers/lim/access")
    assert (access["allowed"], access["reason"], access["position"]) == (True, "ok", position)
    assert access["limits"][0] == {
        "name": "period",
        "limit": "3",
        "spent": "1.5",
        "remaining": "1.5",
        "resets_at": resets_at,
        "cost_unknown_events": 0,
        "spend_is_lower_bound": False,
    }
    of_model = api.get("/v1/customers/lim/access", model="swift")
    assert (of_model["allowed"], of_model["reason"]) == (False, "model_limit")


def test_access_refuses_an_unknown_dialect(api: Api) -> None:
    assert api.get("/v1/customers/anybody/access", **{"as": "native"})["allowed"] is True
    problem = api.refused("GET", "/v1/customers/anybody/access?as=openmeter", 400)
    assert (problem["type"], "native" in problem["detail"]) == ("/problems/dialect_unknown", True)
