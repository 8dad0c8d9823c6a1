"""Answers about the usage of customers."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from api.dialects.lago.models.meta import PaginationMeta


class ChargeSummary(BaseModel):
    """What usage tells of a charge."""

    lago_id: str
    code: str
    charge_model: str
    invoice_display_name: str | None


class MetricSummary(BaseModel):
    """What usage tells of a billable metric."""

    lago_id: str
    name: str
    code: str
    aggregation_type: str


class UsageNumbers(BaseModel):
    """Units, events and what they cost."""

    units: str
    total_aggregated_units: str = Field(description="Of a weighted sum: the sum of its values, not weighed.")
    events_count: int
    amount_cents: int
    pricing_unit_details: None
    presentation_breakdowns: list[Any]


class FilterUsage(UsageNumbers):
    """The usage of one filter; the last one is of events that match none, and has neither name nor values."""

    invoice_display_name: str
    values: dict[str, list[str]]


class GroupedUsage(UsageNumbers):
    """The usage of one combination of values."""

    grouped_by: dict[str, str | None]
    filters: list[FilterUsage]


class ChargeUsage(UsageNumbers):
    """The usage of one charge."""

    amount_currency: str
    charge: ChargeSummary
    billable_metric: MetricSummary
    filters: list[FilterUsage]
    grouped_usage: list[GroupedUsage]
    groups: list[Any] = Field(description="Always empty: older clients require it.")


class CustomerUsageObject(BaseModel):
    """The usage of a subscription in one billing period."""

    from_datetime: str
    to_datetime: str = Field(description="The last second of the period.")
    issuing_date: str
    currency: str
    amount_cents: int
    total_amount_cents: int
    taxes_amount_cents: int
    lago_invoice_id: None
    charges_usage: list[ChargeUsage]


class CustomerUsageAnswer(BaseModel):
    """The answer about current usage."""

    customer_usage: CustomerUsageObject


class PastUsageObject(CustomerUsageObject):
    """The usage of an ended period, twice: newer clients read the members, older ones the object among them."""

    customer_usage: CustomerUsageObject


class PastUsagePage(BaseModel):
    """One page of past usage."""

    usage_periods: list[PastUsageObject]
    meta: PaginationMeta
