"""Requests and answers of subscriptions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema, field_validator

from api.dialects.lago.error_shapes import INVALID
from api.dialects.lago.models.field_types import Identifier, broken
from api.dialects.lago.models.meta import PaginationMeta
from api.dialects.lago.models.plans import PlanObject
from api.dialects.lago.models.rules import NOT_SUPPORTED, Mandatory, OptionalText
from api.dialects.lago.request_reading import Input
from domain.subscriptions.fields import BILLINGS
from domain.usage.rules import source_of_subscription
from domain.values.identifiers import id_problem


def _instant(value: Any) -> datetime | None:
    """Read ISO 8601; without an offset it is UTC, and a day stands for its beginning. Blank text counts as null."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise broken("invalid_date") from None


IsoInstant = Annotated[
    datetime | None,
    BeforeValidator(_instant),
    WithJsonSchema({"type": ["string", "null"], "format": "date-time"}),
]
#: What a subscription keeps for this dialect alone.
KEPT: Final = ("consolidate_invoice", "purchase_order_number")


class SubscriptionPatch(Input):
    """A change of a subscription: what is left out stays as it is."""

    name: OptionalText = None
    ending_at: IsoInstant = None
    subscription_at: IsoInstant = Field(None, description="Cannot change.")
    consolidate_invoice: bool | None = None
    purchase_order_number: OptionalText = None
    plan_overrides: Any = Field(None, description="Not supported.")
    activation_rules: list[Any] | None = Field(None, description="Not supported.")

    @field_validator("plan_overrides", "activation_rules")
    @classmethod
    def _off(cls, value: Any) -> Any:
        if value:
            raise broken(NOT_SUPPORTED)
        return None


class SubscriptionInput(SubscriptionPatch):
    """A subscription, or a change of plan of one that there is."""

    external_customer_id: Identifier
    external_id: Identifier
    plan_code: Mandatory
    billing_time: OptionalText = Field(None, description=", ".join(BILLINGS))
    subscription_at: IsoInstant = Field(
        None, description="The start, which may lie ahead or in the past. Default: now."
    )

    @field_validator("external_id")
    @classmethod
    def _leaves_room(cls, value: str) -> str:
        """The source of its events has the id behind a prefix, and is no longer than an id."""
        if id_problem(source_of_subscription(value)) is not None:
            raise broken("value_is_too_long")
        return value

    @field_validator("billing_time")
    @classmethod
    def _known_billing(cls, value: str | None) -> str | None:
        if value is not None and value not in BILLINGS:
            raise broken(INVALID)
        return value


class SubscriptionObject(BaseModel):
    """A subscription during one plan."""

    lago_id: str
    external_id: str
    lago_customer_id: str
    external_customer_id: str
    billing_entity_code: str
    billing_time: str
    name: str | None
    plan_code: str
    plan_amount_cents: int = Field(description="Left out where the plan is deleted, like its currency.")
    plan_amount_currency: str
    status: str
    created_at: str
    subscription_at: str
    started_at: str | None
    ending_at: str | None
    terminated_at: str | None
    canceled_at: str | None
    previous_plan_code: str | None
    next_plan_code: str | None
    downgrade_plan_date: str | None
    trial_ended_at: str | None
    current_billing_period_started_at: str | None
    current_billing_period_ending_at: str | None
    on_termination_credit_note: str | None
    on_termination_invoice: str
    applied_invoice_custom_sections: list[Any]
    payment_method: dict[str, str]
    consolidate_invoice: bool
    cancellation_reason: str | None = None
    activated_at: str | None
    activation_rules: list[Any]
    purchase_order_number: str | None


class SubscriptionObjectExtended(SubscriptionObject):
    """A subscription with its plan."""

    plan: PlanObject = Field(description="Left out where it is deleted.")


class SubscriptionAnswer(BaseModel):
    """The answer about one subscription that was ended."""

    subscription: SubscriptionObject


class SubscriptionExtendedAnswer(BaseModel):
    """The answer about one subscription."""

    subscription: SubscriptionObjectExtended


class SubscriptionsPage(BaseModel):
    """One page of subscriptions."""

    subscriptions: list[SubscriptionObject]
    meta: PaginationMeta
