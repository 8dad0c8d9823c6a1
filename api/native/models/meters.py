"""Request bodies and responses of meters."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from api.native.models.field_types import Instant, InstantGiven, ReadingView, RequestBody


class MeterPatch(RequestBody):
    """The body of PATCH /v1/meters/{code}, a merge patch. What a meter measures cannot be changed."""

    name: str | None = None
    description: str | None = None
    group_by: list[str] | dict[str, str] | None = Field(
        None, description="Dotted paths into `data` to group by; or an object of such paths by group name."
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
    aggregation: str = Field(description="count, sum, max, min, latest or unique_count")
    value_property: str | None = Field(None, description="Dotted path into `data`; not given for count.")


class MeterView(ReadingView):
    """A built-in or custom meter."""

    code: str
    event_type: str
    aggregation: str = Field(description="The built-in meter `requests` counts the events without a `parent_request`.")
    value_property: str | None
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
