"""Requests and answers of usage events."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from pydantic import BaseModel, Field, field_validator

from api.dialects.lago.error_shapes import INVALID
from api.dialects.lago.models.field_types import broken, text_of
from api.dialects.lago.models.meta import PaginationMeta
from api.dialects.lago.models.rules import Mandatory, OptionalText
from api.dialects.lago.request_reading import Input
from domain.values.json_numbers import written_decimal

#: Events of one batch, at most.
BATCH_EVENTS_MAX: Final = 100
_TIMESTAMP_LENGTH_MAX: Final = 40


class EventInput(Input):
    """A usage event of a subscription. Without a subscription, one of the only subscription of its customer."""

    transaction_id: Mandatory = Field(description="The id of the event, unique within its subscription.")
    code: Mandatory = Field(description="The code of the metric; it may be created later.")
    external_subscription_id: OptionalText = None
    external_customer_id: OptionalText = Field(None, description="Read only without a subscription.")
    timestamp: Any = Field(None, description="Unix seconds, with or without a fraction; by default now.")
    precise_total_amount_cents: OptionalText = None
    properties: dict[str, Any] | None = None

    @field_validator("timestamp")
    @classmethod
    def _unix_seconds(cls, value: Any) -> Decimal | None:
        if value is None:
            return None
        text = None if isinstance(value, bool) or not isinstance(value, int | Decimal | str) else text_of(value)
        number = None if text is None or len(text) > _TIMESTAMP_LENGTH_MAX else written_decimal(text.strip())
        if text is None or number is None or abs(number.exponent) > _TIMESTAMP_LENGTH_MAX:
            raise broken("invalid_format")
        return Decimal(text.strip())

    @field_validator("precise_total_amount_cents")
    @classmethod
    def _number(cls, value: str | None) -> str | None:
        if value is not None and written_decimal(value) is None:
            raise broken(INVALID)
        return value


class EventObject(BaseModel):
    """A usage event."""

    lago_id: str
    transaction_id: str
    lago_customer_id: str | None = Field(description="Always null in the answer to an event that was sent.")
    code: str
    timestamp: str
    precise_total_amount_cents: str | None
    properties: dict[str, Any]
    lago_subscription_id: str | None = Field(description="Always null in the answer to an event that was sent.")
    external_subscription_id: str | None
    created_at: str


class EventAnswer(BaseModel):
    """One event."""

    event: EventObject


class EventsAnswer(BaseModel):
    """The events of a batch, in its order."""

    events: list[EventObject]


class EventsPage(BaseModel):
    """A page of events."""

    events: list[EventObject]
    meta: PaginationMeta
