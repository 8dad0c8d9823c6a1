"""Customers, shared budgets, meters and prices: created, changed and deleted over HTTP."""

from __future__ import annotations

from typing import Any

from tests.engine_fixtures import Api, JsonObject, customer_path
from tests.golden.stage import Stage

HOSTILE = ("a/b c%2F..", "Zoë ☃/\"'<>&?#", "100%")
ACME, TEST = "acme admin", "test admin"


def _prices(given: str, output: str, **more: str) -> dict[str, str]:
    return {"input": given, "output": output, **more}


def open_catalogue(stage: Stage) -> None:
    """Create keys, prices, tiers and meters, before any customer exists."""
    for name, scopes in (("reader", ["read"]), ("ingester", ["ingest"]), ("gone", ["admin"])):
        stage.issue_key(name, *scopes)
    stage.issue_key(ACME, tenant="acme")
    stage.issue_key(TEST, environment="test")
    listed = stage.admin.get("/v1/keys")["data"]
    stage.admin.delete("/v1/keys/" + next(one["id"] for one in listed if one["name"] == "gone"))
    deep = _prices("2.5", "10", cached_input="0.3125", cache_write="3.123456789", reasoning="12.0000001")
    tiers = [
        {"input_tokens_above": 20_000, "unit_prices": _prices("5", "15.5")},
        {"input_tokens_above": 60_000, "unit_prices": _prices("7.7777777", "20", request="0.0001")},
    ]
    swift = _prices("0.4", "1.6", cached_input="0.1")
    _price(stage.admin, "acme", "swift", None, swift)
    _price(stage.admin, "acme", "deep", None, {**deep, "request": "0.001"}, tiers)
    _price(stage.admin, "volt", "dated", "2025-01-01T00:00:00Z", _prices("1", "3"))
    _price(stage.keys_of(ACME), "acme", "swift", None, _prices("9", "9"))
    stage.admin.post("/v1/budgets", {**_BASIC, "id": "basic"})
    stage.admin.post("/v1/budgets", {**_ROLLING, "id": "rolling"})
    stage.admin.post("/v1/budgets", {"id": "a/b %", "name": "hostile", "total_limit_usd": "0.01"})
    stage.admin.post("/v1/budgets", {"id": "doomed", "period_limit_usd": 1, "duration": "1w"})
    for code, aggregation in _METERS.items():
        _meter(stage.admin, code, aggregation)
    stage.admin.refused("POST", "/v1/budgets", 409, {"id": "basic"})


_METERS = {"gb": "sum", "gb_most": "max", "gb_least": "min", "gb_last": "latest", "hosts": "unique_count"}
_BASIC: JsonObject = {
    "name": "Basic",
    "period_limit_usd": "0.75",
    "soft_limit_usd": "0.5",
    "duration": "1mo",
    "requests_per_minute": 60,
    "model_limits": {"deep": {"limit_usd": "0.3"}, "dated": {"limit_usd": "0.05", "duration": "1d"}},
}
_ROLLING: JsonObject = {
    "period_limit_usd": "2",
    "total_limit_usd": "12",
    "duration": "30d",
    "alignment": "anchored",
    "anchor": "2025-01-15T09:15:00Z",
    "parallel_requests_max": 4,
}


def _meter(api: Api, code: str, aggregation: str) -> None:
    value = "host" if aggregation == "unique_count" else "size.gb"
    body = {"code": code, "event_type": "disk.measured", "aggregation": aggregation, "value_property": value}
    api.post("/v1/meters", {**body, "group_by": {"where": "zone", "tier": "size.tier"}, "name": code.upper()})


def _price(
    api: Api, provider: str, model: str, since: str | None, prices: dict[str, str], tiers: list[Any] | None = None
) -> None:
    body = {"provider": provider, "model": model, "unit_prices": prices, "tiers": tiers or []}
    api.post("/v1/prices", {**body, "effective_from": since})


def open_customers(stage: Stage) -> None:
    """Create the customers that exist before their usage."""
    for customer, fields in _PROFILES.items():
        stage.admin.post("/v1/customers", {"id": customer, **fields})
    for customer in HOSTILE:
        fields = {"time_zone": "Europe/Berlin", "markup_percentage": "1.5", "name": customer}
        stage.admin.post("/v1/customers", {"id": customer, **fields})
    stage.keys_of(ACME).post("/v1/customers", {"id": "ada", "markup_percentage": 100, "metadata": {"of": "acme"}})
    stage.keys_of(TEST).post("/v1/customers", {"id": "ada", "name": "Ada in test", "time_zone": "Asia/Tokyo"})
    stage.admin.refused("POST", "/v1/customers", 409, {"id": "ada"})
    stage.admin.post("/v1/customers", {"id": "ahead", "effective_at": "2025-02-15T00:00:00Z", "markup_percentage": 50})
    back = {"id": "back", "effective_at": "2024-12-31T23:00:00Z", "time_zone": "America/Santiago", "name": "Back"}
    stage.admin.post("/v1/customers", back)


def _anchored(day: int, zone: str) -> JsonObject:
    anchor = f"2024-12-{day}T11:22:33Z"
    policy = {"duration": "1mo", "alignment": "anchored", "anchor": anchor}
    return {"time_zone": zone, "usage_period": policy, "budget": {**policy, "period_limit_usd": "1.5"}}


_PROFILES: dict[str, JsonObject] = {
    "ada": {
        "name": "Ada Ltd",
        "email": "ada@example.org",
        "metadata": {"plan": "gold", "seats": 3, "nested": {"a": [1, 2.50, None]}},
        "currency": "EUR",
        "time_zone": "Europe/Berlin",
        "markup_percentage": "15",
        "allowed_region": "eu",
        "default_model": "swift",
        "budget": {"duration": "1mo", "period_limit_usd": "2", "soft_limit_usd": "0.000001", "tokens_per_minute": 9000},
    },
    "eli": {"time_zone": "America/New_York", "budget": {"duration": "1d", "period_limit_usd": "0.05"}},
    "lord": {"time_zone": "Australia/Lord_Howe", "budget": {"duration": "weekly", "period_limit_usd": "0.3"}},
    "kolkata": {"time_zone": "Asia/Kolkata", "usage_period": {"duration": "1w"}},
    "month-end-29": _anchored(29, "Europe/Berlin"),
    "month-end-31": _anchored(31, "America/New_York"),
    "in-the-gap": {
        "time_zone": "America/New_York",
        "usage_period": {"duration": "1w", "alignment": "anchored", "anchor": "2025-01-05T07:30:00Z"},
        "budget": {"duration": "36h", "alignment": "anchored", "anchor": "2025-01-05T07:30:00Z", "period_limit_usd": 1},
    },
    "ivy": {"budget": {"budget_id": "basic"}, "time_zone": "Pacific/Auckland"},
    "own-limit": {"budget": {"budget_id": "basic", "period_limit_usd": "9"}},
    "jon": {"budget": {"budget_id": "rolling"}, "markup_percentage": "33.3333"},
    "doomed": {"budget": {"budget_id": "doomed"}},
    "hostile-tier": {"budget": {"budget_id": "a/b %"}, "markup_percentage": "-100"},
    "kim": {
        "metadata": {"a": 1, "b": {"c": "d"}, "z": "last"},
        "budget": {"duration": "1mo", "model_limits": {"swift": {"limit_usd": "0.2"}, "deep": {"limit_usd": 1}}},
    },
    "lou": {
        "opening_spend_usd": "0.123456",
        "budget": {
            "duration": "1mo",
            "alignment": "anchored",
            "period_start": "2025-01-12T00:00:00Z",
            "period_end": "2025-02-28T12:00:00Z",
            "period_limit_usd": "2",
        },
    },
    "opening-total": {"opening_spend_usd": "2.5", "budget": {"total_limit_usd": "2.75"}},
    "moe": {"budget": {"total_limit_usd": 0}},
    "dora": {"markup_percentage": 8, "budget": {"duration": "1w", "period_limit_usd": 1}, "name": "Dora"},
    "gone": {"budget": {"budget_id": "basic"}, "email": "gone@example.org"},
    "gus": {"budget": {"total_limit_usd": 100}},
    "hal": {},
}


def change_facts(stage: Stage) -> None:
    """Change facts as of now, dated back and dated ahead; adopt customers; merge maps and replace them."""
    admin = stage.admin
    admin.patch(customer_path("seen-1"), {"time_zone": "Asia/Kolkata", "markup_percentage": "4"})
    adopted = {"id": "seen-2", "time_zone": "Europe/Berlin", "markup_percentage": 6}
    admin.post("/v1/customers", {**adopted, "effective_at": "2025-01-12T00:00:00Z"})
    admin.post(customer_path("seen-3", "/block"), {"reason": "unpaid"}, 200)
    _patch(admin, "ada", "2025-01-13T17:00:00Z", markup_percentage="7.25")
    _patch(admin, "ada", "2025-02-20T00:00:00+01:00", markup_percentage="12.5", default_model=None)
    _patch(admin, "jon", None, markup_percentage=None)
    _patch(admin, "jon", "2025-01-20T00:00:00Z", markup_percentage="41.000001")
    _patch(admin, "kim", None, metadata={"b": {"e": "f"}, "a": None}, budget={"model_limits": {"swift": None}})
    _patch(admin, "kim", "2025-01-22T00:00:00Z", metadata={"back": True, "z": "dated back"})
    limits = {"deep": {"limit_usd": "0.4", "duration": "1w"}, "dated": {"limit_usd": "0.01"}}
    _patch(admin, "kim", "2025-03-05T00:00:00Z", budget={"model_limits": limits, "duration": None})
    _patch(admin, "hal", None, active=False)
    admin.post(customer_path("gus", "/block"), {"reason": "looks odd", "effective_at": "2025-01-30T00:00:00Z"}, 200)
    _patch(admin, HOSTILE[0], None, metadata={"kept": "ä/☃"}, name=None)
    admin.patch("/v1/budgets/basic", {"period_limit_usd": "1.25", "soft_limit_usd": None, "name": None})
    admin.patch("/v1/meters/gb", {"name": None, "description": "Gigabytes", "group_by": {"where": "zone"}})
    admin.refused("PATCH", customer_path("ada"), 422, {"markup_percentage": -101})


def _patch(api: Api, customer: str, effective_at: str | None, **fields: Any) -> None:
    dated = {} if effective_at is None else {"effective_at": effective_at}
    api.patch(customer_path(customer), {**fields, **dated})


def end_lives(stage: Stage) -> None:
    """Delete customers (created, or only seen) and what they refer to; give facts at the instant of a deletion."""
    for customer in ("dora", "seen-4"):
        _patch(stage.admin, customer, stage.clock().isoformat(), markup_percentage=77, name="Cut off")
    for customer in ("dora", "gone", "seen-4", HOSTILE[1], "never-heard-of"):
        answer = stage.admin.send("DELETE", customer_path(customer), None)
        assert answer.status_code in (204, 404), answer.text
    stage.admin.delete("/v1/budgets/doomed")
    stage.admin.delete("/v1/meters/gb_least")
    stage.admin.post(customer_path("gus", "/unblock"), {"effective_at": "2025-02-12T00:00:00Z"}, 200)
    _patch(stage.admin, "hal", None, active=True)


def live_again(stage: Stage) -> None:
    """Begin second lives, by a command or by usage; create a deleted tier and meter again."""
    again = {"id": "dora", "time_zone": "Europe/Berlin", "opening_spend_usd": "0.01", "budget": {"total_limit_usd": 5}}
    stage.admin.post("/v1/customers", again)
    stage.admin.post("/v1/budgets", {"id": "doomed", "total_limit_usd": "0.02", "duration": "1d"})
    _meter(stage.admin, "gb_least", "min")
    stage.admin.post("/v1/meters", {"code": "pings", "event_type": "ping", "aggregation": "count"})
    _price(stage.admin, "volt", "later", "2025-01-05T00:00:00Z", _prices("0.7", "2"))
    _price(stage.admin, "volt", "dated", "2025-02-01T00:00:00Z", _prices("1.25", "3.75", reasoning="7"))


def move_periods(stage: Stage) -> None:
    """Change zones, policies and bounds of periods, as of now and dated back."""
    admin = stage.admin
    _patch(admin, "eli", None, time_zone="Europe/Berlin")
    _patch(admin, "kolkata", "2025-02-12T00:00:00Z", usage_period={"duration": "1mo", "alignment": "calendar"})
    _patch(admin, "seen-1", None, usage_period={"duration": "10d", "alignment": "anchored"})
    _patch(admin, "month-end-31", "2025-02-05T00:00:00Z", budget={"duration": "1w", "alignment": "calendar"})
    _patch(admin, "lou", None, budget={"period_start": "2025-03-03T00:00:00Z", "period_end": None})
    _patch(admin, "ivy", None, budget={"budget_id": "rolling"})
    _patch(admin, "own-limit", "2025-03-01T00:00:00Z", budget={"period_limit_usd": None})
    admin.patch("/v1/budgets/basic", {"duration": "weekly"})
    admin.patch("/v1/budgets/rolling", {"total_limit_usd": None, "alignment": "calendar", "anchor": None})


def reach_limits(stage: Stage) -> None:
    """Set limits below what is spent, delete a second life, and deactivate for good."""
    _patch(stage.admin, "ada", None, budget={"total_limit_usd": "0.000000000001"})
    _patch(stage.admin, "back", None, budget={"period_limit_usd": "0.01", "duration": "1mo"})
    stage.admin.delete(customer_path("dora"))
    _patch(stage.admin, "seen-5", None, active=False)
    stage.admin.post(customer_path("lord", "/block"), None, 200)
