"""What four of the APIs say of a month, each quantity by the API and its route, beside what plain sums say."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from tests.engine_fixtures import Api, JsonObject, customer_path
from tests.laws.four_voices.months import MOMENTS, MONTH, NOW
from tests.oracle.plain_lives import PlainMonth, Totals, reported

#: By quantity, what a voice says and what the plain sums say.
Answers = dict[str, tuple[Any, Any]]

#: Later than all usage.
AFTERWARDS: Final = NOW + timedelta(days=2)
SHUTTLE: Final = "/promptshuttle/api/v1"


def text(instant: datetime) -> str:
    return instant.isoformat()


def period(length: timedelta) -> str:
    """The length as PromptShuttle's clients write it: days, hours, minutes, seconds and ticks."""
    clock = datetime.combine(date.min, time.min) + timedelta(seconds=length.seconds, microseconds=length.microseconds)
    return f"{length.days}.{clock:%H:%M:%S.%f}0"


def shuttle_path(customer: str) -> str:
    return f"{SHUTTLE}/customers/{quote(customer, safe='')}"


def respan_path(customer: str) -> str:
    """The path as Respan's clients write it: slashes are not escaped, unless clients of HTTP would drop segments."""
    if customer == "list":
        return "/respan/api/user/detail/list/"
    drops = any(part in (".", "..") for part in customer.split("/"))
    return f"/respan/api/users/{quote(customer, safe='' if drops else '/')}/"


def native_rows(api: Api, path: str, start: datetime, end: datetime, **more: str) -> list[JsonObject]:
    """The sums of a span; none for a span without an instant."""
    if start >= end:
        return []
    asked = {"from": text(start), "to": text(end), "timezone": "UTC", **more}
    rows: list[JsonObject] = api.get(path, **asked)["data"]
    return rows


def money_and_requests(row: JsonObject | None) -> tuple[Decimal, int]:
    """What the native API says, exactly."""
    return (Decimal(row["reported_cost_usd"]), row["requests"]) if row is not None else (Decimal(0), 0)


def native_sum(api: Api, customer: str, start: datetime, end: datetime) -> tuple[Decimal, int]:
    rows = native_rows(api, customer_path(customer, "/usage"), start, end)
    return money_and_requests(rows[0] if rows else None)


def shuttle_usage(api: Api, customer: str, start: datetime) -> tuple[int, int, float]:
    row = api.get(f"{shuttle_path(customer)}/usage", period=period(NOW - start))
    assert row["externalId"] == customer
    return row["creditsUsed"], row["requestCount"], row["costUsd"]


def in_credits(totals: Totals) -> tuple[int, int, float]:
    return totals.credits(), totals.requests, float(totals.reported_usd)


def differing(said: Answers) -> Answers:
    """Where a voice says something else than the plain sums; what it says comes first."""
    return {name: both for name, both in said.items() if both[0] != both[1]}


def of_everybody(api: Api, plain: PlainMonth) -> Answers:
    """Who exists, and the spending and the requests of each present life."""
    existing = plain.existing()
    lived = {one: plain.of_life(one) for one in existing}
    native = api.pages("/v1/customers", limit=1000)
    lite = api.get("/customer/list")
    shuttle = api.get(f"{SHUTTLE}/customers")
    respan = api.send("POST", "/respan/api/users/list/", 200, json={"page_size": 1000}).json()["results"]
    without_budget = [one for one in existing if not plain.customers[one].has_budget]
    return {
        "native customers": (sorted(one["id"] for one in native), existing),
        "LiteLLM customers": (sorted(one["user_id"] for one in lite), existing),
        "PromptShuttle customers": (sorted(one["externalId"] for one in shuttle), existing),
        "PromptShuttle active": (
            {one["externalId"]: one["isActive"] for one in shuttle},
            {one: plain.customers[one].is_active for one in existing},
        ),
        "Respan customers": (sorted(one["customer_identifier"] for one in respan), existing),
        "LiteLLM list spend": (
            {one["user_id"]: one["spend"] for one in lite if one["user_id"] in without_budget},
            {one: float(lived[one].reported_usd) for one in without_budget},
        ),
        "Respan list total_cost, number_of_requests, total_tokens": (
            {
                one["customer_identifier"]: (one["total_cost"], one["number_of_requests"], one["total_tokens"])
                for one in respan
            },
            {one: (float(of.reported_usd), of.requests, of.tokens) for one, of in lived.items()},
        ),
    }


def of_days(api: Api, plain: PlainMonth) -> Answers:
    """The usage of every customer in the month to now, and by its days in UTC, today to its end."""
    shuttle = api.get(f"{SHUTTLE}/usage/by-customer", period=period(NOW - MONTH))
    of_month = native_rows(api, "/v1/usage", MONTH, NOW, group_by="customer")
    by_day = native_rows(api, "/v1/usage", MONTH, datetime(2025, 11, 29, tzinfo=UTC), group_by="customer", window="day")
    activity = api.get("/customer/daily/activity", start_date="2025-11-01", end_date="2025-11-28", page_size=1000)[
        "results"
    ]
    days = [MONTH + timedelta(days=number) for number in range(28)]
    used = {
        (one, day.date().isoformat()): totals
        for one in plain.customers
        for day in days
        for totals in (plain.of_all_lives(one, day, day + timedelta(days=1)),)
        if totals.events
    }
    active = {one.id for one in plain.customers.values() if one.is_active}
    monthly = {one: plain.of_all_lives(one, MONTH, NOW) for one in plain.customers}
    return {
        "PromptShuttle by-customer": (
            {one["externalId"]: (one["creditsUsed"], one["requestCount"], one["costUsd"]) for one in shuttle},
            {
                one: in_credits(plain.of_life(one, MONTH, NOW))
                for one in plain.existing()
                if plain.customers[one].is_active
            },
        ),
        "native usage by customer": (
            {row["group"]["customer"]: money_and_requests(row) for row in of_month},
            {one: (of.reported_usd, of.requests) for one, of in monthly.items() if of.events and one in active},
        ),
        "native usage by day": (
            {(row["group"]["customer"], row["window_start"][:10]): money_and_requests(row) for row in by_day},
            {of: (totals.reported_usd, totals.requests) for of, totals in used.items() if of[0] in active},
        ),
        "LiteLLM daily activity": (
            {
                (one, day["date"]): (
                    of["metrics"]["spend"],
                    of["metrics"]["api_requests"],
                    of["metrics"]["total_tokens"],
                )
                for day in activity
                for one, of in day["breakdown"]["entities"].items()
            },
            {of: (float(totals.reported_usd), totals.requests, totals.tokens) for of, totals in used.items()},
        ),
    }


def of_requests(api: Api, plain: PlainMonth) -> Answers:
    """Every request, with its customer, cost and place in a tree."""
    native = [one for one in api.pages("/v1/events", limit=1000) if one["type"] == "llm.request"]
    lite = api.get("/spend/logs/v2", page_size=100)
    shuttle = api.get(f"{SHUTTLE}/llm-logs", pageSize=1000)["items"]
    requests = {one.id: one for one in plain.used if one.is_request}
    costs = {one.id: reported(one, plain.customers[one.customer]) for one in requests.values()}
    return {
        "native events": (
            {
                one["id"]: (
                    one["customer"],
                    None if one["cost_usd"] is None else Decimal(one["cost_usd"]),
                    one["parent_request"] is None,
                )
                for one in native
            },
            {name: (one.customer, one.cost_usd, one.is_root) for name, one in requests.items()},
        ),
        "LiteLLM spend logs": (
            {one["request_id"]: (one["end_user"], one["spend"]) for one in lite["data"]},
            {name: (one.customer, float(costs[name] or 0)) for name, one in requests.items()},
        ),
        "PromptShuttle logs": (
            {
                one["id"]: (
                    one["customer"]["externalId"],
                    one["usage"]["costUsd"],
                    one["usage"]["costCredits"],
                    one["hierarchy"]["parentRequestId"] is None,
                )
                for one in shuttle
            },
            {
                name: (
                    one.customer,
                    None if (cost := costs[name]) is None else float(cost),
                    None if cost is None else Totals(cost).credits(),
                    one.is_root,
                )
                for name, one in requests.items()
            },
        ),
    }


def of_one(api: Api, plain: PlainMonth, name: str) -> Answers:
    """The spending of a customer in its life, in the month to now, and in its open period."""
    customer, lived = plain.customers[name], plain.of_life(name)
    begin = max((*customer.deletions, MOMENTS[0] - timedelta(days=1)))
    budget = api.get(customer_path(name, "/budget"))
    current = api.get(customer_path(name, "/current-usage"))
    user = api.send("GET", respan_path(name), 200).json()
    spend = api.get("/customer/info", end_user_id=name)["spend"]
    in_month = plain.of_life(name, MONTH, NOW)
    said = {
        "native budget in total": (Decimal(budget["total_spent_usd"]), lived.reported_usd),
        "native usage of the life": (
            native_sum(api, name, begin, AFTERWARDS),
            (lived.reported_usd, lived.requests),
        ),
        "Respan total_usage, total_requests": (
            (user["customer_identifier"], user["total_usage"], user["total_requests"], user["total_tokens"]),
            (name, float(lived.reported_usd), lived.requests, lived.tokens),
        ),
        "native month to now": (
            native_sum(api, name, max(begin, MONTH), NOW),
            (in_month.reported_usd, in_month.requests),
        ),
        "PromptShuttle month to now": (shuttle_usage(api, name, MONTH), in_credits(in_month)),
        "PromptShuttle life to now": (
            shuttle_usage(api, name, NOW - timedelta(days=3_650)),
            in_credits(plain.of_life(name, None, NOW)),
        ),
        **of_open_period(api, plain, name, current["period"]),
    }
    in_period = plain.of_life(name, *bounds(current["period"]))
    said["native current usage"] = (money_and_requests(current["usage"]), (in_period.reported_usd, in_period.requests))
    if customer.has_budget:
        budgeted = plain.of_life(name, *bounds(budget["period"]))
        said["native budget in its period"] = (Decimal(budget["period_spent_usd"]), budgeted.reported_usd)
        said["LiteLLM spend"] = (spend, float(budgeted.reported_usd))
        shown, expected = budget["period"], budgeted
    else:
        said["LiteLLM spend"] = (spend, float(lived.reported_usd))
        shown, expected = current["period"], in_period
    said["Respan total_period_usage"] = (
        (user["total_period_usage"], bounds({"start": user["period_start"], "end": user["period_end"]})),
        (float(expected.reported_usd), bounds(shown)),
    )
    return said


def of_open_period(api: Api, plain: PlainMonth, name: str, shown: JsonObject) -> Answers:
    """PromptShuttle's window from the start of the open usage period to now, and that start by the customer's zone."""
    start, _ = bounds(shown)
    said: Answers = {}
    if start < NOW:
        said["PromptShuttle open period to now"] = (
            shuttle_usage(api, name, start),
            in_credits(plain.of_life(name, start, NOW)),
        )
    zone = plain.customers[name].time_zone
    if zone is not None:
        local = NOW.astimezone(ZoneInfo(zone))
        first = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
        said["native start of the period"] = (start, first.astimezone(UTC))
    return said


def bounds(shown: JsonObject) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(shown["start"]), datetime.fromisoformat(shown["end"])
