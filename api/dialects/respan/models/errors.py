"""Error bodies, for the OpenAPI document only."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ErrorBody(BaseModel):
    """An error. 400 has a member for each field that breaks a rule, with its rules in a list."""

    model_config = ConfigDict(extra="allow")

    detail: str


class RateLimitBody(ErrorBody):
    """Too many requests: `retry_after` is in seconds."""

    retry_after: int


class FailureBody(ErrorBody):
    """An error of the engine."""

    error_code: str
