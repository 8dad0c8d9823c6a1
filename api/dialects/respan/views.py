"""JSON objects as Respan shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from domain.scope import Scope
from domain.values.durations import Duration, duration_text
from projections.views.accounts.account import Account

DURATION_DEFAULT: Final = "monthly"
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
    }


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
