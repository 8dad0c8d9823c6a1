"""How errors look."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class BrokenRule(BaseModel):
    field: str = Field(description="The value, as the caller named it; members are joined by dots.")
    rule: str = Field(description="What would be right.")


class ProblemDocument(BaseModel):
    """A problem (RFC 9457). `type` is stable and also the address of a page about it."""

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
    detail: str = Field(description="What went wrong this time.")
    field: str | None = Field(None, description="Of an invalid value: its name.")
    rule: str | None = Field(None, description="Of an invalid value: the rule it breaks.")
    errors: list[BrokenRule] = Field(default=[], description="All invalid values.")
    instance: str | None = Field(None, description="The path that was asked.")
