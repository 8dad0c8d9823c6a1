"""Customers as PromptShuttle shows them: JSON objects in camelCase, instants in milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from domain.customers.derived_id import derived_id
from domain.customers.events import CUSTOMER_DELETED
from domain.scope import Scope
from domain.values.money import MONEY
from projections.views.customers import CustomerHistory, CustomerView

#: A dollar is 1,000,000 credits: ten to this power.
_CREDIT_DECIMALS: Final = 6


def credits_of(usd: Decimal) -> int:
    """Convert an exact sum to whole credits, rounded half-even. Convert sums, not what they are made of."""
    return int(usd.scaleb(_CREDIT_DECIMALS, MONEY).to_integral_value(ROUND_HALF_EVEN, MONEY))


def customer_object(scope: Scope, history: CustomerHistory) -> dict[str, Any]:
    """Convert a customer to its JSON object."""
    view = history.view()
    created_at = _created_at(view)
    return {
        "id": derived_id(scope, view.customer_id),
        "externalId": view.customer_id,
        "name": view.fields.get("name"),
        "email": view.fields.get("email"),
        "metadata": view.fields.get("metadata") or {},
        "isActive": view.active,
        "createdAt": shown_instant(created_at),
        "updatedAt": shown_instant(_updated_at(history, created_at)),
    }


def _created_at(view: CustomerView) -> datetime:
    """When the customer was created, or first used."""
    return view.created_at or view.first_seen_at or view.life.span.start


def _updated_at(history: CustomerHistory, created_at: datetime) -> datetime:
    """When a change of the present life was last recorded that is in effect; else when the customer began."""
    in_effect = (
        fact.recorded_at
        for fact in history.facts
        if fact.kind != CUSTOMER_DELETED
        and history.life.contains(fact.effective_at)
        and fact.effective_at <= history.until
    )
    return max((*in_effect, created_at))


def shown_instant(instant: datetime) -> str:
    """Format an instant in UTC, cut off below the millisecond."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
