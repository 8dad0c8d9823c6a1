"""Questions of the dialects: LiteLLM, PromptShuttle and Respan, in the words of their clients."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from tests.engine_fixtures import JsonObject
from tests.laws.machine.events import Event
from tests.laws.machine.known import Known, Totals
from tests.laws.machine.native_questions import day
from tests.laws.machine.questions import Question

SHUTTLE: Final = "/promptshuttle/api/v1"
WINDOW: Final = timedelta(days=40)


def spend(known: Known, customer: str) -> float:
    """In the period of the budget, else in the life."""
    return float(known.total(known.lived(customer, known.budget_span(customer))).reported_usd)


def rolling(known: Known, customer: str) -> Totals:
    return known.total(known.lived(customer, (known.now - WINDOW, known.now)))


def shuttle_log(known: Known, one: Event) -> tuple[str, float | None, int | None]:
    if known.reported(one) is None:
        return one.sent.customer, None, None
    reported = known.total([one])
    return one.sent.customer, float(reported.reported_usd), reported.credits()


def shuttle_logged(one: JsonObject) -> tuple[Any, ...]:
    return one["customer"]["externalId"], one["usage"]["costUsd"], one["usage"]["costCredits"]


def shuttle_usage(answer: Any) -> dict[str, tuple[Any, ...]]:
    return {one["externalId"]: (one["creditsUsed"], one["requestCount"], one["costUsd"]) for one in answer}


def daily_activity(answer: JsonObject) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Spend, requests and tokens by customer and day."""
    return {
        (customer, one["date"]): tuple(of["metrics"][name] for name in ("spend", "api_requests", "total_tokens"))
        for one in answer["results"]
        for customer, of in one["breakdown"]["entities"].items()
    }


def customer_and_day(one: Event) -> tuple[str, str]:
    return one.sent.customer, day(one)


def of_dialects() -> list[Question]:
    activity = {"start_date": "2025-03-01", "end_date": "2026-03-01", "page_size": "1000"}
    return [
        Question(
            "LiteLLM spend logs",
            "/spend/logs/v2",
            {"page_size": "100"},
            lambda answer: sorted((one["request_id"], one["end_user"], one["spend"]) for one in answer["data"]),
            lambda known: sorted(
                (one.sent.id, one.sent.customer, float(known.reported(one) or 0)) for one in known.counted
            ),
        ),
        Question(
            "LiteLLM daily activity",
            "/customer/daily/activity",
            activity,
            daily_activity,
            lambda known: {
                key: (float(of.reported_usd), of.requests, of.input_tokens + of.output_tokens)
                for key, of in known.totals_by(known.counted, customer_and_day).items()
            },
        ),
        Question(
            "PromptShuttle usage by customer",
            f"{SHUTTLE}/usage/by-customer",
            {"period": f"{WINDOW.days}.00:00:00"},
            shuttle_usage,
            lambda known: {
                one: (of.credits(), of.requests, float(of.reported_usd))
                for one in known.customers()
                for of in (rolling(known, one),)
            },
        ),
        Question(
            "PromptShuttle logs",
            f"{SHUTTLE}/llm-logs",
            {"pageSize": "1000"},
            lambda answer: sorted((one["id"], *map(str, shuttle_logged(one))) for one in answer["items"]),
            lambda known: sorted((one.sent.id, *map(str, shuttle_log(known, one))) for one in known.counted),
        ),
        Question(
            "Respan customers",
            "/respan/api/users/list/",
            {},
            lambda answer: {
                one["customer_identifier"]: (one["total_cost"], one["number_of_requests"], one["total_tokens"])
                for one in answer["results"]
            },
            lambda known: {
                one: (float(of.reported_usd), of.requests, of.input_tokens + of.output_tokens)
                for one in known.customers()
                for of in (known.total(known.lived(one)),)
            },
            body={"page_size": 1000},
        ),
    ]


def of_dialect_customer(customer: str) -> list[Question]:
    return [
        Question(
            "LiteLLM customer",
            "/customer/info",
            {"end_user_id": customer},
            lambda answer: answer["spend"],
            lambda known: spend(known, customer) if known.exists(customer) else None,
        ),
        Question(
            "Respan customer",
            f"/respan/api/users/{customer}/",
            {},
            lambda answer: (answer["total_usage"], answer["total_requests"], answer["total_period_usage"]),
            lambda known: (
                (
                    float(known.total(known.lived(customer)).reported_usd),
                    len(known.lived(customer)),
                    float(known.total(known.lived(customer, known.month(customer))).reported_usd),
                )
                if known.exists(customer)
                else None
            ),
        ),
    ]
