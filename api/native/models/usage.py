"""What was used: sums over windows, periods and limits."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from api.native.models.field_types import AsOf, DecimalText, Instant, PositionOnly, Reading

Window = Literal["minute", "hour", "day", "month"]
PERIODS_SHOWN_DEFAULT = 6
PERIODS_SHOWN_MAX = 120


class Measures(BaseModel):
    requests: int
    input_tokens: int = Field(description="Cached ones included.")
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int = Field(description="Reasoning included.")
    reasoning_tokens: int
    total_tokens: int = Field(description="input + output")
    cost_usd: DecimalText = Field(description="USD before markup.")
    reported_cost_usd: DecimalText = Field(description="USD with the markup that was valid at each event's time.")
    cost_unknown_events: int = Field(description="Events whose model has no price yet; their cost is not in the sums.")


class UsageQuery(AsOf):
    from_: str | None = Field(
        None, alias="from", description="Inclusive; RFC 3339 or a day. Default: begin of the current usage period."
    )
    to: str | None = Field(None, description="Exclusive; RFC 3339 or a day. Default: now.")
    window: Window | None = Field(None, description="Cut the time into these; default: one for all of it.")
    timezone: str | None = Field(
        None, max_length=100, description="IANA time zone of windows and days. Default: the customer's."
    )
    group_by: str | None = Field(
        None,
        max_length=4_000,
        description="By comma: customer, type, provider, model, status, source, subscription, tag, property:<path>.",
        examples=["model,status"],
    )
    meter: str | None = Field(None, max_length=255, description="Code of a meter; default: all built-in measures.")


class AllUsageQuery(UsageQuery):
    customer: str | None = Field(None, max_length=1_000, description="Only this customer.")


class UsageRow(BaseModel):
    window_start: Instant
    window_end: Instant
    group: dict[str, str | None]


class MeasuredRow(Measures, UsageRow):
    """One group in one window."""


class MeteredRow(UsageRow):
    value: DecimalText | None = Field(description="Null when no event holds a valid value.")


class UsageView(PositionOnly):
    customer: str | None = None
    meter: str | None = None
    from_: Instant = Field(serialization_alias="from")
    to: Instant
    window: Window | None
    timezone: str
    group_by: list[str]
    data: list[MeasuredRow] | list[MeteredRow] = Field(
        description="Only windows that hold events, by window, then group."
    )


class PeriodView(BaseModel):
    start: Instant
    end: Instant


class ModelName(BaseModel):
    provider: str | None
    model: str | None


class ModelUsage(Measures, ModelName):
    """What one model was used."""


class PeriodQuery(AsOf):
    period: str | None = Field(None, max_length=1_100, description="`usage` (default) or `budget`.")


class CurrentUsageView(PositionOnly):
    customer: str
    period: PeriodView
    usage: Measures
    by_model: list[ModelUsage]


class PastUsageQuery(PeriodQuery):
    periods: int = Field(
        PERIODS_SHOWN_DEFAULT, ge=1, le=PERIODS_SHOWN_MAX, description="How many closed periods at most."
    )


class PastPeriod(PeriodView):
    closed: bool = Field(description="Whether the closing grace is over.")
    at_closing: Measures | None = Field(description="As known when the period closed; null before that.")
    now: Measures
    difference: Measures | None = Field(description="now - at_closing: what came or changed after closing.")


class PastUsageView(PositionOnly):
    customer: str
    periods: list[PastPeriod] = Field(description="Newest first.")


class BudgetPeriod(PeriodView):
    duration: str | None
    alignment: str


class ModelLimitView(BaseModel):
    model: str
    limit_usd: DecimalText
    spent_usd: DecimalText
    remaining_usd: DecimalText
    duration: str | None = Field(description="Null: the budget's period.")
    resets_at: Instant | None


class BudgetStateView(PositionOnly):
    """Limits and what is spent of them, in reported cost (markup included)."""

    customer: str
    budget_id: str | None
    currency: str | None
    period: BudgetPeriod | None
    period_limit_usd: DecimalText | None
    period_spent_usd: DecimalText
    period_remaining_usd: DecimalText | None
    total_limit_usd: DecimalText | None
    total_spent_usd: DecimalText
    total_remaining_usd: DecimalText | None
    soft_limit_usd: DecimalText | None
    soft_limit_reached: bool
    model_limits: list[ModelLimitView]
    requests_per_minute: int | None
    tokens_per_minute: int | None
    parallel_requests_max: int | None
    resets_at: Instant | None


class AccessQuery(Reading):
    model: str | None = Field(None, max_length=256, description="The model that is about to be used.")
    as_: str | None = Field(
        None,
        alias="as",
        max_length=50,
        description="Who asks: `native` or `litellm`, whose clients get their own shape of a refusal.",
    )


class LimitView(BaseModel):
    name: str = Field(description="period, total, soft or model:<model>")
    limit: DecimalText = Field(description="USD")
    spent: DecimalText = Field(description="USD, markup included.")
    remaining: DecimalText = Field(description="USD, never below 0.")
    resets_at: Instant | None


class AccessView(PositionOnly):
    customer: str
    allowed: bool
    reason: str = Field(description="ok, new_customer, blocked, period_limit, total_limit or model_limit")
    limits: list[LimitView]
    requests_per_minute: int | None = Field(description="Stored; told to whoever enforces it.")
    tokens_per_minute: int | None = Field(description="The same.")
    parallel_requests_max: int | None = Field(description="The same.")
