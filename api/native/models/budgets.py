"""Request bodies and responses of shared budgets (tiers)."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict

from api.native.models.customers import LimitsGiven
from api.native.models.field_types import DecimalText, Instant, InstantGiven, ReadingView


class BudgetPatch(LimitsGiven):
    """The body of PATCH /v1/budgets/{budget_id}, a merge patch: an absent member stays, null clears."""

    name: str | None = None
    effective_at: InstantGiven = None


class BudgetGiven(BudgetPatch):
    """The body of POST /v1/budgets: a tier that customers refer to by id. Each customer has its own spending."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"id": "gold", "name": "Gold", "period_limit_usd": "100", "duration": "1mo"}}
    )

    id: str


class BudgetView(ReadingView):
    """A shared budget."""

    id: str
    created_at: Instant
    updated_at: Instant
    name: str | None
    period_limit_usd: DecimalText | None
    total_limit_usd: DecimalText | None
    soft_limit_usd: DecimalText | None
    model_limits: dict[str, Any]
    duration: str | None
    alignment: str | None
    anchor: Instant | None
    requests_per_minute: int | None
    tokens_per_minute: int | None
    parallel_requests_max: int | None


class BudgetPage(ReadingView):
    """One page of shared budgets."""

    data: list[BudgetView]
    next_cursor: str | None
