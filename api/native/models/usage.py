"""Queries and responses about usage, budget state and access."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from api.native.models.field_types import AsOfQuery, DecimalText, Instant, ReadingView

Window = Literal["minute", "hour", "day", "month"]
PERIODS_SHOWN_DEFAULT = 6
PERIODS_SHOWN_MAX = 120


class Measures(BaseModel):
    """Sums of usage and cost."""

    requests: int = Field(description="Requests to models, without those that another one made (`parent_request`).")
    input_tokens: int = Field(description="Includes cached input tokens.")
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int = Field(description="Includes reasoning tokens.")
    reasoning_tokens: int
    total_tokens: int = Field(description="Input plus output tokens.")
    cost_usd: DecimalText = Field(description="USD before markup.")
    reported_cost_usd: DecimalText = Field(description="USD including the markup in effect at each event's time.")
    cost_unknown_events: int = Field(
        description="Events without a known cost, as their model has no price yet; they are not in the sums of cost."
    )
    units: dict[str, DecimalText] = Field(
        description="Quantities of all other units, such as `web_searches`, by unit; one that is not named is 0."
    )


class UsageQuery(AsOfQuery):
    """Query parameters of GET /v1/customers/{customer_id}/usage."""

    from_: str | None = Field(
        None, alias="from", description="Inclusive; RFC 3339 or a day. Default: start of the current usage period."
    )
    to: str | None = Field(None, description="Exclusive; RFC 3339 or a day. Default: now.")
    window: Window | None = Field(None, description="Length of the windows. Default: one window for the whole time.")
    timezone: str | None = Field(
        None, max_length=100, description="IANA time zone of windows and days. Default: that of the customer."
    )
    group_by: str | None = Field(
        None,
        max_length=4_000,
        description="Comma-separated names: customer, type, provider, model, status, source, subscription, tag, "
        "property:<path>.",
        examples=["model,status"],
    )
    meter: str | None = Field(
        None, max_length=255, description="Code of a meter, or a unit. Default: all built-in measures."
    )


class AllUsageQuery(UsageQuery):
    """Query parameters of GET /v1/usage."""

    customer: str | None = Field(None, max_length=1_000, description="Only this customer.")


class UsageRow(BaseModel):
    """One group in one window."""

    window_start: Instant
    window_end: Instant
    group: dict[str, str | None]


class MeasuredRow(Measures, UsageRow):
    """The built-in measures of one group in one window."""


class MeteredRow(UsageRow):
    """The value of a meter for one group in one window."""

    value: DecimalText | None = Field(description="Null when no event has a valid value.")
    cost_unknown_events: int | None = Field(
        description="Of the meter `cost_usd`: events of unknown cost, which are not in its value. Null for any other."
    )


class UsageView(ReadingView):
    """A usage report."""

    customer: str | None = None
    meter: str | None = None
    from_: Instant = Field(serialization_alias="from")
    to: Instant
    window: Window | None
    timezone: str
    group_by: list[str]
    data: list[MeasuredRow] | list[MeteredRow] = Field(
        description="Windows that contain events, ordered by window, then group."
    )


class PeriodView(BaseModel):
    """A period: half-open, [start, end)."""

    start: Instant
    end: Instant


class ModelName(BaseModel):
    """A model and its provider."""

    provider: str | None
    model: str | None


class ModelUsage(Measures, ModelName):
    """Usage of one model."""


class PeriodQuery(AsOfQuery):
    """Query parameters of a read that is about a customer's periods."""

    period: str | None = Field(
        None,
        max_length=1_100,
        description="`usage` (default), `budget`, or `subscription:` and the id of one of its subscriptions.",
    )


class CurrentUsageView(ReadingView):
    """Usage of a customer in the open period."""

    customer: str
    period: PeriodView
    usage: Measures
    by_model: list[ModelUsage]


class PastUsageQuery(PeriodQuery):
    """Query parameters of GET /v1/customers/{customer_id}/past-usage."""

    periods: int = Field(
        PERIODS_SHOWN_DEFAULT, ge=1, le=PERIODS_SHOWN_MAX, description="Number of past periods, at most."
    )


class PastPeriod(PeriodView):
    """Usage in a period that has ended."""

    closed: bool = Field(description="Whether the closing grace is over.")
    at_closing: Measures | None = Field(description="As known when the period closed; null until then.")
    now: Measures
    difference: Measures | None = Field(description="`now` minus `at_closing`: what arrived or changed after closing.")
    restated: bool = Field(description="Whether its numbers or its bounds are others than were known when it closed.")
    period_at_closing: PeriodView | None = Field(
        description="The period that contained `start` as known at closing: another one if a later change moved the "
        "bounds; null until closing, and if the customer or its budget was not known then."
    )


class PastUsageView(ReadingView):
    """Usage of a customer in past periods."""

    customer: str
    periods: list[PastPeriod] = Field(description="Newest first.")


class BudgetPeriod(PeriodView):
    """The open period of a budget."""

    duration: str | None
    alignment: str


class SpendBound(BaseModel):
    """Whether what is spent is all that is spent, or a lower bound."""

    cost_unknown_events: int = Field(description="Events of unknown cost, which are not in what is spent.")
    spend_is_lower_bound: bool = Field(
        description="Whether there are such events: then at least this is spent, and at most that remains."
    )


class ModelLimitView(SpendBound):
    """A limit for one model and what is spent of it."""

    model: str
    limit_usd: DecimalText
    spent_usd: DecimalText
    remaining_usd: DecimalText
    duration: str | None = Field(description="Length of the limit's own period; null for the period of the budget.")
    resets_at: Instant | None


class BudgetStateView(ReadingView):
    """The limits in effect and what is spent of them, in reported cost (markup included)."""

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
    cost_unknown_events: int = Field(
        description="Events of unknown cost in the customer's life, which are not in `total_spent_usd`."
    )
    period_cost_unknown_events: int = Field(
        description="Those of them in the open period, which are not in `period_spent_usd`."
    )
    spend_is_lower_bound: bool = Field(
        description="Whether there are events of unknown cost: then at least this is spent, at most that remains, and "
        "a limit may be reached that is not known to be."
    )
    soft_limit_usd: DecimalText | None
    soft_limit_reached: bool
    model_limits: list[ModelLimitView]
    requests_per_minute: int | None
    tokens_per_minute: int | None
    parallel_requests_max: int | None
    resets_at: Instant | None
    ignored_fields: list[str] = Field(
        description="Fields in effect that make no sense beside others and are left out: a `period_end` that is not "
        "after `period_start`."
    )


class AccessQuery(AsOfQuery):
    """Query parameters of GET /v1/customers/{customer_id}/access."""

    model: str | None = Field(None, max_length=256, description="The model that the customer is about to use.")
    as_: str | None = Field(
        None,
        alias="as",
        max_length=50,
        description="Dialect of the response: `native`; `litellm`, `promptshuttle` and `respan` answer as those do.",
    )


class LimitView(SpendBound):
    """A limit and what is spent of it."""

    name: str = Field(description="period, total, soft or model:<model>")
    limit: DecimalText = Field(description="USD")
    spent: DecimalText = Field(description="USD, markup included.")
    remaining: DecimalText = Field(description="USD, never negative.")
    resets_at: Instant | None


class AccessView(ReadingView):
    """Whether a customer may make further requests."""

    customer: str
    allowed: bool
    reason: str = Field(description="ok, new_customer, blocked, period_limit, total_limit or model_limit")
    reason_text: str | None = Field(
        description="What to know about the decision, for people: that it rests on a lower bound. Null otherwise."
    )
    cost_unknown_events: int = Field(
        description="Events of unknown cost that count against the limits shown, each of them once."
    )
    spend_is_lower_bound: bool = Field(
        description="Whether there are such events. The decision rests on the cost that is known: a limit that it "
        "does not reach refuses nobody."
    )
    limits: list[LimitView]
    requests_per_minute: int | None = Field(description="Stored and shown, not enforced: the caller enforces it.")
    tokens_per_minute: int | None = Field(description="Stored and shown, not enforced.")
    parallel_requests_max: int | None = Field(description="Stored and shown, not enforced.")
