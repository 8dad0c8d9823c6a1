"""Questions of the native API: usage, events, periods, budgets, access, and who exists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from tests.engine_fixtures import JsonObject, customer_path
from tests.laws.machine.events import Event
from tests.laws.machine.facts import Identity
from tests.laws.machine.known import Known, Span, Totals
from tests.laws.machine.questions import Question

EVER: Final = {"from": "2025-03-01", "to": "2026-03-01", "timezone": "UTC"}
NOTHING: Final = Totals()
PERIODS: Final = 3


def totals(row: JsonObject) -> Totals:
    """The numbers of a row, exactly."""
    counts = (row["requests"], row["input_tokens"], row["output_tokens"])
    assert row["total_tokens"] == row["input_tokens"] + row["output_tokens"]
    return Totals(*counts, Decimal(row["cost_usd"]), Decimal(row["reported_cost_usd"]), row["cost_unknown_events"])


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def dollars(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def day(event: Event) -> str:
    return event.time.date().isoformat()


def of_everybody() -> list[Question]:
    return [
        Question(
            "usage by customer, model and day",
            "/v1/usage",
            {**EVER, "group_by": "customer,model", "window": "day"},
            lambda answer: {
                (row["group"]["customer"], row["group"]["model"], row["window_start"][:10]): totals(row)
                for row in answer["data"]
            },
            lambda known: known.totals_by(known.counted, lambda one: (one.sent.customer, one.sent.model, day(one))),
        ),
        Question(
            "usage by source",
            "/v1/usage",
            {**EVER, "group_by": "source"},
            lambda answer: {row["group"]["source"]: totals(row) for row in answer["data"]},
            lambda known: known.totals_by(known.counted, lambda one: one.sent.source),
        ),
        Question(
            "events",
            "/v1/events",
            {"limit": "1000", "voided": "true"},
            lambda answer: {(one["source"], one["id"]): event(one) for one in answer["data"]},
            lambda known: {one.sent.identity: plain_event(one) for one in known.events},
        ),
        Question(
            "customers",
            "/v1/customers",
            {"limit": "1000"},
            lambda answer: sorted((one["id"], one["blocked"]) for one in answer["data"]),
            lambda known: [(one, bool(known.field(one, "blocked", known.now))) for one in known.customers()],
        ),
    ]


def event(shown: JsonObject) -> tuple[Any, ...]:
    numbers = shown["input_tokens"], shown["output_tokens"], dollars(shown["cost_usd"])
    return (shown["customer"], instant(shown["time"]), shown["model"], *numbers, shown["voided"])


def plain_event(one: Event) -> tuple[Any, ...]:
    sent = one.sent
    return (sent.customer, one.time, sent.model, sent.input_tokens, sent.output_tokens, one.cost_usd, one.is_void)


def of_event(identity: Identity) -> Question:
    source, number = identity

    def expected(known: Known) -> Any:
        found = [one for one in known.events if one.sent.identity == identity]
        if not found:
            return None
        return plain_event(found[0]), known.reported(found[0])

    return Question(
        "one event",
        "/v1/events/one",
        {"source": source, "id": number},
        lambda answer: (
            None
            if answer["outcome"] != "counted"
            else (event(answer["event"]), dollars(answer["cost"]["reported_cost_usd"]))
        ),
        expected,
    )


def of_customer(customer: str) -> list[Question]:
    def path(rest: str) -> str:
        return customer_path(customer, rest)

    def current(known: Known) -> Any:
        if not known.exists(customer):
            return None
        span = known.month(customer)
        events = known.lived(customer, span)
        return span, known.total(events), known.totals_by(events, lambda one: one.sent.model)

    def budget(known: Known) -> Any:
        if not known.exists(customer):
            return None
        span, lived = known.budget_span(customer), known.total(known.lived(customer))
        in_period = known.total(known.lived(customer, span)) if span else NOTHING
        limits = [known.field(customer, name, known.now) for name in ("total_limit", "period_limit")]
        return span, lived.reported_usd, lived.unknown, in_period.reported_usd, limits

    return [
        Question(
            "current usage",
            path("/current-usage"),
            {},
            lambda answer: (
                span_of(answer["period"]),
                totals(answer["usage"]),
                {row["model"]: totals(row) for row in answer["by_model"]},
            ),
            current,
        ),
        Question(
            "past usage",
            path("/past-usage"),
            {"periods": str(PERIODS)},
            lambda answer: past(answer["periods"]),
            lambda known: plain_past(known, customer) if known.exists(customer) else None,
        ),
        Question(
            "budget",
            path("/budget"),
            {},
            lambda answer: (
                span_of(answer["period"]) if answer["period"] else None,
                Decimal(answer["total_spent_usd"]),
                answer["cost_unknown_events"],
                Decimal(answer["period_spent_usd"]),
                [dollars(answer[name]) for name in ("total_limit_usd", "period_limit_usd")],
            ),
            budget,
        ),
        Question(
            "access", path("/access"), {}, lambda answer: answer["allowed"], lambda known: known.is_allowed(customer)
        ),
        Question(
            "markup",
            path(""),
            {},
            lambda answer: (Decimal(answer["markup_percentage"]), answer["blocked"], answer["time_zone"]),
            lambda known: (
                (
                    known.field(customer, "markup", known.now) or Decimal(0),
                    bool(known.field(customer, "blocked", known.now)),
                    known.zone(customer).key,
                )
                if known.exists(customer)
                else None
            ),
        ),
    ]


def span_of(shown: JsonObject) -> Span:
    return instant(shown["start"]), instant(shown["end"])


def past(periods: Sequence[JsonObject]) -> dict[Span, Any]:
    """Of each period with usage: the numbers of now, those at its closing if it is closed, and whether they differ."""
    shown = {}
    for one in periods:
        now, closed = totals(one["now"]), totals(one["at_closing"]) if one["closed"] else None
        if now != NOTHING or closed not in (None, NOTHING):
            shown[span_of(one)] = now, closed
    return shown


def plain_past(known: Known, customer: str) -> dict[Span, Any]:
    expected = {}
    for back in range(1, PERIODS + 1):
        start, end = known.month(customer, back)
        now = known.total(known.lived(customer, (start, end)))
        closed = None
        if known.now >= end + timedelta(hours=1):
            then, begin = known.as_closed(end), known.life_start(customer, known.now)
            closed = then.total(
                one for one in then.counted if one.sent.customer == customer and max(begin, start) <= one.time < end
            )
        if now != NOTHING or closed not in (None, NOTHING):
            expected[start, end] = now, closed
    return expected
