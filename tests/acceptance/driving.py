"""Performs the entries of a trace on the real engine, through its HTTP API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from tests.engine_fixtures import Api, SettableClock, customer_path
from tests.oracle.trace_entries import (
    BudgetWasChanged,
    BudgetWasCreated,
    CustomerWasBlocked,
    CustomerWasChanged,
    CustomerWasCreated,
    CustomerWasDeleted,
    CustomerWasUnblocked,
    Delivered,
    DiscountWasGiven,
    JsonObject,
    Prices,
    PriceWasGiven,
    TraceEntry,
    UsageWasRestored,
    UsageWasVoided,
)

USAGE_PERIOD = {"usage_duration": "duration", "usage_alignment": "alignment", "usage_anchor": "anchor"}
BUDGET_PERIOD = {"budget_duration": "duration", "budget_alignment": "alignment", "budget_anchor": "anchor"}
BUDGET_PLAIN = (
    "budget_id",
    "period_limit_usd",
    "total_limit_usd",
    "soft_limit_usd",
    "model_limits",
    "period_start",
    "period_end",
    "requests_per_minute",
    "tokens_per_minute",
    "parallel_requests_max",
)


def nested(fields: Mapping[str, Any]) -> JsonObject:
    """Flat customer fields as the native API names them."""
    body: JsonObject = {}
    for name, value in fields.items():
        if name in USAGE_PERIOD:
            body.setdefault("usage_period", {})[USAGE_PERIOD[name]] = value
        elif name in BUDGET_PERIOD:
            body.setdefault("budget", {})[BUDGET_PERIOD[name]] = value
        elif name in BUDGET_PLAIN:
            body.setdefault("budget", {})[name] = value
        else:
            body[name] = value
    return body


def tier_body(fields: Mapping[str, Any]) -> JsonObject:
    return {BUDGET_PERIOD.get(name, name): value for name, value in fields.items()}


def decimal_text(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def prices_body(prices: Prices) -> JsonObject:
    named = {
        "input": prices.input,
        "output": prices.output,
        "cached_input": prices.cached_input,
        "cache_write": prices.cache_write,
        "reasoning": prices.reasoning,
        "request": prices.request,
    }
    return {name: decimal_text(value) for name, value in named.items() if value is not None}


def price_body(given: PriceWasGiven) -> JsonObject:
    return {
        "provider": given.provider,
        "model": given.model,
        "unit_prices": prices_body(given.prices),
        "tiers": [{"input_tokens_above": above, "unit_prices": prices_body(prices)} for above, prices in given.tiers],
        "effective_from": instant_body(given.effective_from),
        "customer": given.customer,
    }


def discount_body(given: DiscountWasGiven) -> JsonObject:
    return {
        "customer": given.customer,
        "provider": given.provider,
        "model": given.model,
        "percentage": decimal_text(given.percentage),
        "effective_from": instant_body(given.effective_from),
    }


def instant_body(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def give(api: Api, entry: PriceWasGiven | DiscountWasGiven) -> Any:
    """Set a price or a discount; return the answer of the API."""
    if isinstance(entry, PriceWasGiven):
        return api.post("/v1/prices", price_body(entry))
    return api.post("/v1/discounts", discount_body(entry))


def perform(api: Api, clock: SettableClock, entry: TraceEntry) -> Any:
    """Perform one entry at its recorded time; return the answer of the API."""
    clock.set(entry.recorded_at)
    match entry:
        case Delivered(events=events):
            return api.deliver(list(events), as_lines=entry.recorded_at.microsecond % 2 == 0)
        case CustomerWasCreated():
            return api.post("/v1/customers", {"id": entry.customer, **nested(entry.fields)})
        case CustomerWasChanged():
            when = {} if entry.effective_at is None else {"effective_at": instant_body(entry.effective_at)}
            return api.patch(customer_path(entry.customer), {**nested(entry.fields), **when})
        case CustomerWasDeleted():
            return api.delete(customer_path(entry.customer))
        case CustomerWasBlocked():
            return api.post(customer_path(entry.customer, "/block"), status=200)
        case CustomerWasUnblocked():
            return api.post(customer_path(entry.customer, "/unblock"), status=200)
        case BudgetWasCreated():
            return api.post("/v1/budgets", {"id": entry.budget, **tier_body(entry.fields)})
        case BudgetWasChanged():
            return api.patch(f"/v1/budgets/{quote(entry.budget, safe='')}", tier_body(entry.fields))
        case PriceWasGiven() | DiscountWasGiven():
            return give(api, entry)
        case UsageWasVoided(source=source, id=event_id):
            return api.post("/v1/events/void", {"source": source, "id": event_id}, status=200)
        case UsageWasRestored(source=source, id=event_id):
            return api.post("/v1/events/unvoid", {"source": source, "id": event_id}, status=200)
    raise AssertionError(entry)
