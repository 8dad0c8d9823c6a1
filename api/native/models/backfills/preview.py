"""The response of previewing a backfill."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from api.native.models.field_types import AsOfPageQuery, DecimalText, Instant, ReadingView


class BackfillPreviewQuery(AsOfPageQuery):
    """Query parameters of GET /v1/backfills/{name}/preview. `limit` counts customers."""


class ChangedMoneyView(BaseModel):
    """An amount before and after."""

    before_usd: DecimalText
    after_usd: DecimalText
    difference_usd: DecimalText


class ChangedCountView(BaseModel):
    """A number before and after."""

    before: int
    after: int
    difference: int


class MissingEventView(BaseModel):
    """An event that counts now, and that was not loaded again."""

    source: str
    id: str
    customer: str | None
    time: Instant


class BackfilledPeriodView(BaseModel):
    """A usage period of a customer that the backfill would change."""

    customer: str
    life: int = Field(description="The life of the customer, numbered from 1.")
    start: Instant
    end: Instant
    arriving_events: int = Field(description="Loaded events of the period that would count.")
    leaving_events: int = Field(description="Events of the period that would be withdrawn.")
    requests: ChangedCountView
    cost_usd: ChangedMoneyView = Field(description="The cost of all usage in the period, before markup.")
    reported_cost_usd: ChangedMoneyView = Field(description="The same with markup.")
    cost_unknown_events: ChangedCountView = Field(description="Events of the period whose cost is unknown.")


class ExceededLimitView(BaseModel):
    """A limit in money that is not reached now, and would be with the backfill."""

    customer: str
    life: int = Field(description="The life of the customer, numbered from 1.")
    limit: str = Field(description="`period`, `total`, `soft` or `model:<model>`.")
    start: Instant | None = Field(description="The period of the limit; null: it holds for the whole life.")
    end: Instant | None
    limit_usd: DecimalText = Field(description="The limit in force at the end of the period, or now.")
    before_usd: DecimalText = Field(description="What is spent of it, with markup. Unknown costs add nothing.")
    after_usd: DecimalText = Field(description="The same with the backfill: at least so much would be spent.")


class BackfillPreviewView(ReadingView):
    """What the commit of a backfill would do; of one that was committed, what it was to do."""

    name: str
    state: Literal["open", "committed", "reverted", "cancelled"]
    mode: Literal["add", "replace"]
    previewed_at: int = Field(description="Log position of the preview. Commit the backfill with it.")
    counted: int = Field(description="Loaded events that would count.")
    duplicate: int = Field(description="Those that repeat another event.")
    conflict: int = Field(description="Those in conflict with an event that counts.")
    withdrawn: int = Field(description="Events of the range that count now and would be withdrawn.")
    missing: int = Field(description="Those of them whose identity no loaded event has.")
    missing_events: list[MissingEventView] = Field(description="The first of those, at most 100.")
    late_events: int = Field(
        description="Events in the range that came one by one, not loaded, after the backfill was opened. Those that "
        "come after the preview count beside what was loaded."
    )
    changed_customers: int
    difference_usd: DecimalText = Field(description="What the cost of all usage would grow by, before markup.")
    cost_unknown_events: int = Field(
        description="How many more events of unknown cost there would be, below 0 where fewer. They add nothing to "
        "`difference_usd`."
    )
    exceeded_limits: list[ExceededLimitView] = Field(
        description="Limits that customers of this page would exceed, in ended periods too. By customer, then period."
    )
    exceeded_limits_complete: bool = Field(
        description="False when events would arrive in more than 400 periods of a customer's limits: the newest were "
        "looked at."
    )
    data: list[BackfilledPeriodView] = Field(description="By customer, then time.")
    next_cursor: str | None
