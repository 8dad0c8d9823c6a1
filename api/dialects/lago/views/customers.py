"""A customer as Lago shows it."""

from __future__ import annotations

from typing import Any

from api.dialects.lago.formats import shown_instant
from api.dialects.lago.lago_ids import lago_id
from domain.scope import Scope
from projections.views.customers import CustomerHistory


def customer_object(scope: Scope, history: CustomerHistory) -> dict[str, Any]:
    """Convert a customer that exists to its JSON object."""
    view = history.view()
    created_at = view.created_at or view.first_seen_at or view.life.span.start
    return {
        "lago_id": customer_lago_id(scope, history),
        "external_id": view.customer_id,
        "name": view.fields.get("name"),
        "email": view.fields.get("email"),
        "currency": view.fields.get("currency"),
        "timezone": view.fields.get("time_zone"),
        "applicable_timezone": view.time_zone,
        "created_at": shown_instant(created_at),
        "updated_at": shown_instant(created_at),
    }


def customer_lago_id(scope: Scope, history: CustomerHistory) -> str:
    """The id of the present life of a customer, which begins with the deletion of the one before."""
    return lago_id(scope, "customer", history.record.customer_id, history.life.start)
