"""Request bodies and responses of meters."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from api.native.models.field_types import Instant, InstantGiven, ReadingView, RequestBody


class MeterFilterGiven(RequestBody):
    """A path into the data of events, and the values that are expected there."""

    key: str = Field(description="Dotted path into `data`.")
    values: list[str] | None = None


class RoundingGiven(RequestBody):
    """How an aggregated value is rounded."""

    function: str = Field(description="round (half up), ceil or floor")
    precision: int | None = Field(None, description="Decimals; below 0: tens, hundreds ... Default: 0.")


class MeterPatch(RequestBody):
    """The body of PATCH /v1/meters/{code}, a merge patch. What else decides on its value cannot be changed."""

    name: str | None = None
    description: str | None = None
    group_by: list[str] | dict[str, str] | None = Field(
        None, description="Dotted paths into `data` to group by; or an object of such paths by group name."
    )
    filters: list[MeterFilterGiven] | None = Field(
        None, description="Dotted paths into `data`, with the values expected there; for the filters of charges."
    )
    rounding: RoundingGiven | None = Field(None, description="How the aggregated value is rounded.")
    expression: str | None = Field(
        None,
        description="The value of an event, in place of `value_property`. It has + - * / ( ), ROUND, CEIL, FLOOR, "
        "LEAST, GREATEST, CONCAT, event.properties.<path>, event.timestamp and event.code.",
    )
    effective_at: InstantGiven = None


class MeterGiven(MeterPatch):
    """The body of POST /v1/meters."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "code": "storage_gb",
                "event_type": "storage.measured",
                "aggregation": "max",
                "value_property": "gigabytes",
                "group_by": ["region"],
            }
        }
    )

    code: str
    event_type: str = Field(description="`type` of the events that the meter measures.")
    aggregation: str = Field(
        description="count, sum, max, min, latest, unique_count or weighted_sum (the running sum, averaged over time)"
    )
    value_property: str | None = Field(None, description="Dotted path into `data`; not given for count.")
    operation_property: str | None = Field(
        None, description="Of unique_count: dotted path to `remove`, in events that take their value out again."
    )
    recurring: bool | None = Field(
        None,
        description="Of sum, unique_count and weighted_sum: charges count what happened since the subscription "
        "started. Usage reports carry nothing over from before them.",
    )


class MeterFilterView(BaseModel):
    """A path into the data of events, and the values that are expected there."""

    key: str
    values: list[str]


class RoundingView(BaseModel):
    """How an aggregated value is rounded."""

    function: str
    precision: int


class MeterView(ReadingView):
    """A built-in or custom meter."""

    code: str
    event_type: str
    aggregation: str = Field(description="The built-in meter `requests` counts the events without a `parent_request`.")
    value_property: str | None
    operation_property: str | None
    recurring: bool
    rounding: RoundingView | None
    expression: str | None
    filters: list[MeterFilterView]
    group_by: dict[str, str] = Field(description="Dotted paths into `data`, by group name.")
    name: str | None
    description: str | None
    built_in: bool
    created_at: Instant | None
    updated_at: Instant | None


class MeterPage(ReadingView):
    """One page of meters."""

    data: list[MeterView]
    next_cursor: str | None
