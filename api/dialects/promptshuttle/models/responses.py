"""Models of responses for the dialect's OpenAPI document.

Routes make responses as plain objects; tests check those against these models.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Answer(BaseModel):
    """Base of responses."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)


class CustomerResponse(Answer):
    """A customer."""

    id: str = Field(description="The internal id: 24 hex digits.")
    external_id: str = Field(description="The id that producers use.")
    name: str | None
    email: str | None
    metadata: dict[str, Any]
    is_active: bool
    created_at: str
    updated_at: str


class UsageResponse(Answer):
    """The usage of a customer in a window [from, to) that ends now."""

    customer_id: str = Field(description="The internal id.")
    external_id: str
    name: str | None
    period: str = Field(description="The length of the window, as .NET writes it.")
    from_: str = Field(alias="from")
    to: str
    credits_used: int = Field(description="Reported cost in credits, 1,000,000 to the dollar, rounded half-even.")
    request_count: int = Field(description="Requests without a parent.")
    cost_usd: float = Field(description="Reported cost of all requests, in dollars.")


class LogRequest(Answer):
    """What was asked. Messages and parameters are not stored."""

    provider: str | None
    model: str | None
    environment: Any
    flow: Any
    tags: list[str]


class LogUsage(Answer):
    """Tokens and reported cost, each null where it is unknown."""

    tokens_in: int | None
    tokens_out: int | None
    tokens_total: int | None
    tokens_reasoning: int | None
    tokens_cached_read: int | None
    tokens_cache_write: int | None
    cost_credits: int | None
    cost_usd: float | None


class LogTiming(Answer):
    """Milliseconds, null where they were not reported."""

    milliseconds: int | None
    first_token_milliseconds: int | None


class LogHierarchy(Answer):
    """The place of the request in its tree. The root is known of a root alone."""

    parent_request_id: str | None
    root_request_id: str | None


class LogCustomer(Answer):
    """The customer of the request."""

    id: str
    external_id: str


class LogEntry(Answer):
    """One request."""

    id: str
    source: str
    timestamp: str
    status: str | None
    request: LogRequest
    usage: LogUsage
    timing: LogTiming
    hierarchy: LogHierarchy
    customer: LogCustomer


class LogPage(Answer):
    """A page of the invocation log, newest first."""

    items: list[LogEntry]
    next_cursor: str | None
