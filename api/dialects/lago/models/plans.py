"""Requests and answers of plans and their charges."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, Field, RootModel, ValidationInfo, field_validator

from api.dialects.lago.error_shapes import INVALID
from api.dialects.lago.models.field_types import broken
from api.dialects.lago.models.meta import PaginationMeta
from api.dialects.lago.models.rules import (
    NOT_SUPPORTED,
    Cents,
    CurrencyCode,
    Mandatory,
    Metadata,
    Nonnegative,
    OptionalCents,
    OptionalText,
)
from api.dialects.lago.request_reading import Input
from domain.charges.models import MODEL_NAMES
from domain.plans.fields import INTERVALS

_NOT_SERVED: Final = ("dynamic", "custom")


class ChargeFilterInput(Input):
    """A price of its own for events that have some values."""

    invoice_display_name: OptionalText = None
    properties: dict[str, Any] = Field(description="As those of the charge.")
    values: dict[str, list[str]] = Field(min_length=1, description="By key of a filter of the metric.")


class ChargeInput(Input):
    """What a plan charges for one billable metric."""

    id: OptionalText = Field(None, description="In an update: `lago_id` of the charge that is changed.")
    billable_metric_id: Mandatory = Field(description="`lago_id` of a billable metric.")
    code: OptionalText = Field(None, description="By default that of the metric.")
    charge_model: Mandatory = Field(description=", ".join(MODEL_NAMES))
    invoice_display_name: OptionalText = None
    pay_in_advance: bool | None = None
    invoiceable: bool | None = None
    regroup_paid_fees: OptionalText = None
    prorated: bool | None = Field(None, description="true is not supported.")
    min_amount_cents: OptionalCents = None
    properties: dict[str, Any] | None = None
    filters: list[ChargeFilterInput] | None = None
    group_properties: list[Any] | None = Field(None, description="Not supported; see `filters`.")
    tax_codes: list[Any] | None = Field(None, description="Not supported.")
    applied_pricing_unit: Any = Field(None, description="Not supported.")
    accepts_target_wallet: bool | None = None

    @field_validator("charge_model")
    @classmethod
    def _known_model(cls, value: str) -> str:
        if value in _NOT_SERVED:
            raise broken(NOT_SUPPORTED)
        if value not in MODEL_NAMES:
            raise broken(INVALID)
        return value

    @field_validator("pay_in_advance")
    @classmethod
    def _in_advance_where_possible(cls, value: bool | None, info: ValidationInfo) -> bool | None:
        if value and info.data.get("charge_model") == "volume":
            raise broken("invalid_aggregation_type_or_charge_model")
        return value

    @field_validator("prorated", "group_properties", "tax_codes", "applied_pricing_unit")
    @classmethod
    def _off(cls, value: Any) -> Any:
        if value:
            raise broken(NOT_SUPPORTED)
        return None


class PlanInput(Input):
    """A plan."""

    name: Mandatory
    code: Mandatory
    invoice_display_name: OptionalText = None
    description: OptionalText = None
    interval: Mandatory = Field(description=", ".join(INTERVALS))
    amount_cents: Cents
    amount_currency: CurrencyCode
    trial_period: Nonnegative | None = None
    pay_in_advance: bool | None = None
    bill_charges_monthly: bool | None = Field(None, description="true is not supported for longer intervals.")
    bill_fixed_charges_monthly: bool | None = None
    charges: list[ChargeInput] | None = None
    metadata: Metadata | None = None
    minimum_commitment: Any = Field(None, description="Not supported.")
    usage_thresholds: list[Any] | None = Field(None, description="Not supported.")
    fixed_charges: list[Any] | None = Field(None, description="Not supported.")
    tax_codes: list[Any] | None = Field(None, description="Not supported.")

    @field_validator("interval")
    @classmethod
    def _known_interval(cls, value: str) -> str:
        if value not in INTERVALS:
            raise broken(INVALID)
        return value

    @field_validator("bill_charges_monthly")
    @classmethod
    def _one_interval(cls, value: bool | None, info: ValidationInfo) -> bool | None:
        if value and info.data.get("interval") in ("semiannual", "yearly"):
            raise broken(NOT_SUPPORTED)
        return value

    @field_validator("minimum_commitment", "usage_thresholds", "fixed_charges", "tax_codes")
    @classmethod
    def _off(cls, value: Any) -> Any:
        if value:
            raise broken(NOT_SUPPORTED)
        return None


class ChargePatch(Input):
    """A change of a charge: what is left out stays as it is. Filters are replaced as a whole."""

    billable_metric_id: Any = None
    code: Any = None
    charge_model: Any = None
    invoice_display_name: Any = None
    pay_in_advance: Any = None
    invoiceable: Any = None
    regroup_paid_fees: Any = None
    prorated: Any = None
    min_amount_cents: Any = None
    properties: Any = None
    filters: Any = None
    tax_codes: Any = None
    applied_pricing_unit: Any = None
    accepts_target_wallet: Any = None


class ChargeFilterPatch(Input):
    """A change of a filter: what is left out stays as it is."""

    invoice_display_name: Any = None
    properties: Any = None
    values: Any = None


class PlanPatch(Input):
    """A change of a plan: what is left out stays as it is. Charges are replaced as a whole."""

    name: Any = None
    code: Any = None
    invoice_display_name: Any = None
    description: Any = None
    interval: Any = None
    amount_cents: Any = None
    amount_currency: Any = None
    trial_period: Any = None
    pay_in_advance: Any = None
    bill_charges_monthly: Any = None
    bill_fixed_charges_monthly: Any = None
    charges: list[dict[str, Any]] | None = None
    metadata: Any = None
    minimum_commitment: Any = None
    usage_thresholds: Any = None
    fixed_charges: Any = None
    tax_codes: Any = None


class ChargeFilterObject(BaseModel):
    """A price of its own for events that have some values."""

    lago_id: str
    invoice_display_name: str | None
    properties: dict[str, Any]
    values: dict[str, list[str]]


class ChargeObject(BaseModel):
    """What a plan charges for one billable metric."""

    lago_id: str
    lago_billable_metric_id: str
    billable_metric_code: str
    code: str
    invoice_display_name: str | None
    created_at: str
    charge_model: str
    pay_in_advance: bool
    invoiceable: bool
    regroup_paid_fees: str | None
    prorated: bool
    min_amount_cents: int
    properties: dict[str, Any]
    filters: list[ChargeFilterObject]
    group_properties: list[Any]
    taxes: list[Any]
    applied_pricing_unit: None
    accepts_target_wallet: bool | None
    lago_parent_id: None


class PlanObject(BaseModel):
    """A plan."""

    lago_id: str
    name: str
    code: str
    invoice_display_name: str | None = Field(None, description="Left out where there is none, like the next two.")
    description: str | None = None
    trial_period: float | None = None
    created_at: str
    interval: str
    amount_cents: int
    amount_currency: str
    pay_in_advance: bool
    bill_charges_monthly: bool | None
    bill_fixed_charges_monthly: bool | None
    minimum_commitment: None
    charges: list[ChargeObject]
    fixed_charges: list[Any]
    usage_thresholds: list[Any]
    taxes: list[Any]
    entitlements: list[Any]
    metadata: dict[str, Any] | None
    active_subscriptions_count: int = Field(description="Left out where there are 1,000 subscriptions or more.")
    draft_invoices_count: int = Field(description="0: there are no invoices.")


class ChargeFilterFullObject(ChargeFilterObject):
    """A filter with the code of its charge."""

    charge_code: str


class ChargeAnswer(BaseModel):
    """The answer about one charge."""

    charge: ChargeObject


class ChargesPage(BaseModel):
    """One page of the charges of a plan."""

    charges: list[ChargeObject]
    meta: PaginationMeta


class ChargeFilterAnswer(BaseModel):
    """The answer about one filter."""

    filter: ChargeFilterFullObject


class ChargeFiltersPage(BaseModel):
    """One page of the filters of a charge."""

    filters: list[ChargeFilterFullObject]
    meta: PaginationMeta


class PlanMetadata(RootModel[dict[str, str | None]]):
    """Metadata of a plan: text by key."""


class PlanMetadataAnswer(BaseModel):
    """The answer about the metadata of a plan."""

    metadata: dict[str, str | None] | None


class PlanAnswer(BaseModel):
    """The answer about one plan."""

    plan: PlanObject


class PlanPage(BaseModel):
    """One page of plans."""

    plans: list[PlanObject]
    meta: PaginationMeta
