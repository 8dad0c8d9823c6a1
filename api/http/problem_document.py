"""The error response of the native API as a model, for the OpenAPI document."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class BrokenRule(BaseModel):
    """One invalid value and the rule that it breaks."""

    field: str = Field(description="Name of the value in the request; nested members are joined by dots.")
    rule: str = Field(description="The rule that the value must follow.")


class ProblemDocument(BaseModel):
    """A problem (RFC 9457). `type` is stable, and is the path of a page that explains it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "/problems/invalid",
                "title": "A value breaks a rule",
                "status": 422,
                "detail": "limit should be less than or equal to 1000",
                "field": "limit",
                "rule": "should be less than or equal to 1000",
                "errors": [{"field": "limit", "rule": "should be less than or equal to 1000"}],
                "instance": "/v1/customers",
            }
        }
    )

    type: str = Field(description="/problems/{code}", pattern="^/problems/[a-z_]+$")
    title: str
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What went wrong with this request.")
    field: str | None = Field(None, description="For an invalid value: its name.")
    rule: str | None = Field(None, description="For an invalid value: the rule that it breaks.")
    errors: list[BrokenRule] = Field(default=[], description="All invalid values.")
    reason: str | None = Field(None, description="For a rejected event: the code of its reason.")
    position: int | None = Field(None, description="For an event that was not counted: its log position.")
    instance: str | None = Field(None, description="The path of the request.")
