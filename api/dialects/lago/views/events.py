"""A usage event as Lago shows it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from msgspec import Raw

from api.dialects.lago.definitions.sent_events import COST_TEXT, PRECISE_AMOUNT, SentEvent, properties_of
from api.dialects.lago.formats import precise_instant, shown_instant
from api.dialects.lago.lago_ids import lago_id
from domain.errors import InvalidInput
from domain.scope import Scope
from domain.usage.block_schema import REQUEST_TYPE, TOKEN_COLUMNS
from domain.usage.rules import SUBSCRIPTION_SOURCE
from domain.values.money import money_text, usd
from projections.queries.events import UsageEventRow

#: Members of data that the store keeps apart from the other properties.
_COLUMNS: Final = ("provider", "model", "parent_request", "hold_id")


def sent_event_object(scope: Scope, event: SentEvent, created_at: datetime) -> dict[str, Any]:
    """Convert an event that was sent. As in Lago, the answer does not tell whose it is."""
    given = event.given
    return {
        "lago_id": _lago_id(scope, event.source, given.transaction_id),
        "transaction_id": given.transaction_id,
        "lago_customer_id": None,
        "code": given.code,
        "timestamp": precise_instant(event.time),
        "precise_total_amount_cents": given.precise_total_amount_cents,
        "properties": given.properties or {},
        "lago_subscription_id": None,
        "external_subscription_id": given.external_subscription_id,
        "created_at": shown_instant(created_at),
    }


def event_object(
    scope: Scope, event: UsageEventRow, customer_lago_id: str | None, subscription_lago_id: str | None
) -> dict[str, Any]:
    """Convert a counted event. The two ids are null while nobody has its subscription at its time."""
    return {
        "lago_id": _lago_id(scope, event.source, event.id),
        "transaction_id": event.id,
        "lago_customer_id": customer_lago_id,
        "code": event.type,
        "timestamp": precise_instant(event.time),
        "precise_total_amount_cents": event.extensions.get(PRECISE_AMOUNT),
        "properties": properties_of(_data(event), event.extensions),
        "lago_subscription_id": subscription_lago_id,
        "external_subscription_id": event.subscription,
        "created_at": shown_instant(event.recorded_at),
    }


def _lago_id(scope: Scope, source: str, transaction_id: str) -> str:
    return lago_id(scope, "event", transaction_id, part=source.removeprefix(SUBSCRIPTION_SOURCE))


def _data(event: UsageEventRow) -> dict[str, Any]:
    """The data of an event, from the columns that have a part of them."""
    data: dict[str, Any] = dict(event.properties)
    data |= {name: value for name in _COLUMNS if (value := getattr(event, name)) is not None}
    if event.tags:
        data["tags"] = list(event.tags)
    if event.cost_origin == "producer" and event.cost_usd is not None:
        data["cost_usd"] = _cost(event.extensions.get(COST_TEXT), event.cost_usd)
    if event.type == REQUEST_TYPE and not event.quantities_unknown:
        data |= {name: getattr(event, name) for name in TOKEN_COLUMNS} | {"status": event.status}
    return data


def _cost(text: object, cost_usd: Decimal) -> str | Raw:
    """A cost as the text that it was sent as, unless an amendment has changed it since; else as a number."""
    try:
        if isinstance(text, str) and usd(text) == cost_usd:
            return text
    except InvalidInput:
        pass  # an attribute that is not of this dialect
    return Raw(money_text(cost_usd).encode())
