"""One event, explained."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, Field

from api.native.models.events import CorrectionView, EventView, RefusedView
from api.native.models.field_types import DecimalText, PositionOnly
from api.native.models.prices import PriceView, UnitPricesView
from api.native.models.usage import PeriodView
from domain.usage.outcomes import Outcome


class CostView(BaseModel):
    """What it cost and why."""

    cost_usd: DecimalText | None = Field(description="USD before markup; null when there is none or it is unknown.")
    markup_percentage: DecimalText = Field(description="Valid at the event's time.")
    reported_cost_usd: DecimalText | None
    price: PriceView | None = Field(description="The price that made the cost; null when the producer gave it.")
    unit_prices: UnitPricesView | None = Field(description="Those of the version and tier that applied.")


class TotalsView(BaseModel):
    """Which totals it is in."""

    life: int
    usage_period: PeriodView
    budget_period: PeriodView | None
    day: date = Field(description="UTC day of the rollups.")


class ExplainedView(PositionOnly):
    source: str
    id: str
    outcome: Outcome = Field(description="Of the event that stands under this identity, else of its last delivery.")
    event: EventView | None
    cost: CostView | None
    totals: TotalsView | None = Field(description="Null when it is in none.")
    corrections: list[CorrectionView]
    refusals: list[RefusedView] = Field(description="Deliveries of this identity that were not counted, oldest first.")
