"""JSON objects as Respan shows them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5

from domain.scope import Scope
from domain.values.durations import Duration, duration_text
from domain.values.money import MONEY
from projections.queries.usage import UsageSums
from projections.views.accounts.account import Account
from projections.views.accounts.account_list import ListedAccount

DURATION_DEFAULT: Final = "monthly"
MICROSECONDS: Final = 1_000_000
TOP_MODELS_MAX: Final = 5
#: Respan's words for durations of the engine.
_WORDS: Final = {
    Duration(1, "d"): "daily",
    Duration(24, "h"): "daily",
    Duration(1, "w"): "weekly",
    Duration(7, "d"): "weekly",
    Duration(1, "mo"): "monthly",
    Duration(30, "d"): "monthly",
    Duration(1, "y"): "yearly",
}


def user_object(account: Account, scope: Scope) -> dict[str, Any]:
    """Convert an account to its JSON object."""
    view, limits = account.view, account.limits
    return {
        "id": view.customer_id,
        "name": view.fields.get("name"),
        "email": view.fields.get("email"),
        "customer_identifier": view.customer_id,
        "environment": scope.environment,
        "total_budget": shown_amount(limits.total_limit_usd),
        "period_budget": shown_amount(limits.period_limit_usd),
        "organization_name": scope.tenant,
        "total_period_usage": float(account.period_usd),
        "period_start": shown_instant(account.period.start),
        "period_end": shown_instant(account.period.end),
        "budget_duration": shown_duration(limits.duration),
        "updated_at": shown_instant(account.updated_at),
        **_legacy_members(account, scope),
    }


def _legacy_members(account: Account, scope: Scope) -> dict[str, Any]:
    """The members that only older releases of Respan show."""
    view, totals = account.view, account.totals
    seen_at = view.created_at or view.first_seen_at or account.updated_at
    last_at = totals.last_at
    return {
        "unique_organization_id": organization_id(scope),
        "organization": scope.tenant,
        "organization_key": None,
        "total_usage": float(account.total_usd),
        "total_requests": totals.requests,
        "total_prompt_tokens": totals.input_tokens,
        "total_completion_tokens": totals.output_tokens,
        "total_tokens": totals.input_tokens + totals.output_tokens,
        "total_cache_hits": totals.requests_with_cached_input,
        "average_latency": _seconds(totals.average_latency_us),
        "average_ttft": _seconds(totals.average_ttft_us),
        "average_monthly_cost": average_monthly_cost(account.total_usd, totals.first_at, last_at),
        "top_models": _top_models(account.models),
        "last_active": None if last_at is None else shown_instant(last_at),
        "created_at": shown_instant(seen_at),
        "metadata": view.fields.get("metadata") or {},
        "markup_percentage": float(view.markup_percentage),
        "is_test": scope.environment == "test",
        "blurred": False,
    }


def _top_models(models: Mapping[str | None, UsageSums]) -> dict[str, int]:
    """The models with the most requests, and their numbers of requests."""
    named = [(name, sums.root_requests) for name, sums in models.items() if name is not None and sums.root_requests]
    return dict(sorted(named, key=lambda one: (-one[1], one[0]))[:TOP_MODELS_MAX])


def listed_user(listed: ListedAccount, scope: Scope) -> dict[str, Any]:
    """Convert an account of a list to its JSON object."""
    view, limits, usage = listed.view, listed.limits, listed.usage
    organization = organization_id(scope)
    return {
        "id": f"{view.customer_id}{scope.environment}{organization}",
        "customer_identifier": view.customer_id,
        "unique_organization_id": organization,
        "environment": scope.environment,
        "name": view.fields.get("name"),
        "email": view.fields.get("email"),
        "first_seen": shown_instant(listed.first_seen_at),
        "last_active_timeframe": None if usage.last_at is None else shown_instant(usage.last_at),
        "active_days": usage.active_days,
        "number_of_requests": usage.requests,
        "total_requests": usage.requests,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "tokens": usage.input_tokens + usage.output_tokens,
        "total_cost": float(listed.cost_usd),
        "cost": float(listed.cost_usd),
        "average_latency": _seconds(usage.average_latency_us),
        "average_ttft": _seconds(usage.average_ttft_us),
        "average_monthly_cost": average_monthly_cost(listed.cost_usd, usage.first_at, usage.last_at),
        "period_budget": shown_amount(limits.period_limit_usd),
        "budget_duration": shown_duration(limits.duration),
        "total_budget": shown_amount(limits.total_limit_usd),
    }


def organization_id(scope: Scope) -> str:
    """The id of a tenant: always the same, and derived from its name."""
    return str(uuid5(NAMESPACE_OID, f"organization {scope.tenant}"))


def average_monthly_cost(cost: Decimal, first: datetime | None, last: datetime | None) -> float:
    """The cost by calendar month (UTC) from the one of the first usage to that of the last one."""
    if first is None or last is None:
        return 0.0
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    return float(MONEY.divide(cost, Decimal(months)))


def _seconds(microseconds: float | None) -> float | None:
    return None if microseconds is None else microseconds / MICROSECONDS


def shown_amount(amount: Decimal | None) -> float | None:
    """Convert an amount of money, None for none."""
    return None if amount is None else float(amount)


def shown_duration(duration: Duration | None) -> str:
    """Convert a duration to Respan's word for it, or to the text of a duration that it has no word for."""
    if duration is None:
        return DURATION_DEFAULT
    return _WORDS.get(duration) or duration_text(duration)


def shown_instant(instant: datetime) -> str:
    """Format an instant as RFC 3339 in UTC, with microseconds only where they are not 0."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
