"""Requests and answers of billable metrics."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from api.dialects.lago.error_shapes import INVALID, MANDATORY
from api.dialects.lago.models.field_types import broken
from api.dialects.lago.models.meta import PaginationMeta
from api.dialects.lago.models.rules import RESERVED_PROPERTY, Mandatory, OptionalText, Whole, is_usable_property
from api.dialects.lago.request_reading import Input
from domain.errors import InvalidInput
from domain.meters.expressions.evaluation import expression
from domain.meters.fields import PRECISION_MAX, RECURRING_AGGREGATIONS
from domain.meters.rounding import ROUNDINGS

#: The native names of Lago's aggregations.
AGGREGATIONS: Final = {
    "count_agg": "count",
    "sum_agg": "sum",
    "max_agg": "max",
    "latest_agg": "latest",
    "unique_count_agg": "unique_count",
    "weighted_sum_agg": "weighted_sum",
}
WEIGHTED_INTERVAL: Final = "seconds"


def checked_expression(text: str) -> str:
    """Return an expression that can be parsed, and reads what is there."""
    try:
        paths = expression(text).paths
    except InvalidInput:
        raise broken("invalid_expression") from None
    if any(path.partition(".")[0] == RESERVED_PROPERTY for path in paths):
        raise broken(INVALID)
    return text


class MetricFilterInput(Input):
    """A property of events by which charges may have prices of their own, and its values."""

    key: Mandatory
    values: list[str] = Field(min_length=1)

    @field_validator("key")
    @classmethod
    def _usable(cls, value: str) -> str:
        if value == RESERVED_PROPERTY:
            raise broken(INVALID)
        return value


class BillableMetricInput(Input):
    """A billable metric."""

    name: Mandatory
    code: Mandatory
    description: OptionalText = None
    aggregation_type: Mandatory = Field(description=", ".join(AGGREGATIONS))
    field_name: OptionalText = Field(None, validate_default=True, description="The property that is aggregated.")
    recurring: bool | None = Field(None, validate_default=True)
    rounding_function: OptionalText = Field(None, description=", ".join(ROUNDINGS))
    rounding_precision: Whole | None = Field(None, ge=-PRECISION_MAX, le=PRECISION_MAX)
    expression: OptionalText = None
    weighted_interval: OptionalText = Field(None, description=f"{WEIGHTED_INTERVAL}: of weighted sums alone.")
    filters: list[MetricFilterInput] | None = None

    @field_validator("aggregation_type")
    @classmethod
    def _known_aggregation(cls, value: str) -> str:
        if value not in AGGREGATIONS:
            raise broken(INVALID)
        return value

    @field_validator("field_name")
    @classmethod
    def _field_where_needed(cls, value: str | None, info: ValidationInfo) -> str | None:
        """A count has no field. All others have one, at the top of the properties."""
        aggregation = info.data.get("aggregation_type")
        if aggregation in (None, "count_agg"):
            return None
        if value is None:
            raise broken(MANDATORY)
        if not is_usable_property(value):
            raise broken(INVALID)
        return value

    @field_validator("recurring")
    @classmethod
    def _recurring_where_possible(cls, value: bool | None, info: ValidationInfo) -> bool | None:
        aggregation = AGGREGATIONS.get(info.data.get("aggregation_type", ""))
        if value and aggregation is not None and aggregation not in RECURRING_AGGREGATIONS:
            raise broken("not_compatible_with_aggregation_type")
        return value

    @field_validator("rounding_function")
    @classmethod
    def _known_rounding(cls, value: str | None) -> str | None:
        if value is not None and value not in ROUNDINGS:
            raise broken(INVALID)
        return value

    @field_validator("expression")
    @classmethod
    def _parsed(cls, value: str | None) -> str | None:
        return None if value is None else checked_expression(value)

    @field_validator("weighted_interval")
    @classmethod
    def _known_interval(cls, value: str | None) -> str | None:
        if value not in (None, WEIGHTED_INTERVAL):
            raise broken(INVALID)
        return value


class BillableMetricPatch(Input):
    """A change of a billable metric: what is left out stays as it is."""

    name: str | None = None
    code: str | None = None
    description: str | None = None
    aggregation_type: str | None = None
    field_name: str | None = None
    recurring: bool | None = None
    rounding_function: str | None = None
    rounding_precision: Whole | None = None
    expression: str | None = None
    weighted_interval: str | None = None
    filters: list[Any] | None = None


class ExpressionEventInput(Input):
    """The event that an expression is tried on."""

    code: OptionalText = None
    timestamp: Any = Field(None, description="Unix seconds, a number or text. Default: now.")
    properties: dict[str, Any] | None = None


class ExpressionInput(Input):
    """An expression to try."""

    expression: Mandatory
    event: ExpressionEventInput

    @field_validator("expression")
    @classmethod
    def _parsed(cls, value: str) -> str:
        return checked_expression(value)


class ExpressionResult(BaseModel):
    """The value of an expression."""

    value: str


class ExpressionAnswer(BaseModel):
    """The answer to an expression that was tried."""

    expression_result: ExpressionResult


class MetricFilterObject(BaseModel):
    """A property of events by which charges may have prices of their own, and its values."""

    key: str
    values: list[str]


class BillableMetricObject(BaseModel):
    """A billable metric. Built-in ones were created in 1970, and cannot be changed."""

    lago_id: str
    name: str
    code: str
    description: str | None
    aggregation_type: str
    field_name: str | None
    weighted_interval: str | None
    recurring: bool
    rounding_function: str | None
    rounding_precision: int | None
    expression: str | None = Field(None, description="Left out where there is none.")
    created_at: str
    filters: list[MetricFilterObject]
    plans_count: int
    active_subscriptions_count: int = Field(description="Left out where there are 1,000 subscriptions or more.")
    draft_invoices_count: int = Field(description="0: there are no invoices.")


class BillableMetricAnswer(BaseModel):
    """The answer about one billable metric."""

    billable_metric: BillableMetricObject


class BillableMetricPage(BaseModel):
    """One page of billable metrics."""

    billable_metrics: list[BillableMetricObject]
    meta: PaginationMeta
