"""The response of GET /v1/events/one: an event with its outcome, its cost and the totals that it is in."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, Field

from api.native.models.discounts import DiscountView
from api.native.models.events import CorrectionView, EventView, RefusedView, VersionView
from api.native.models.field_types import DecimalText, ReadingView
from api.native.models.prices import AppliedPriceView, PriceView, UnitPricesView
from api.native.models.usage import PeriodView
from domain.usage.outcomes import Outcome


class CostView(BaseModel):
    """The cost of an event, and the price and markup that made it."""

    cost_usd: DecimalText | None = Field(description="USD before markup; null when there is none or it is unknown.")
    markup_percentage: DecimalText = Field(description="The markup in effect at the event's time.")
    reported_cost_usd: DecimalText | None
    price: PriceView | None = Field(
        description="The price that made the cost; null when the producer reported the cost."
    )
    discounts: list[DiscountView] = Field(
        description="The discounts on that price, the customer's before the tenant's; each is taken off what the ones "
        "after it leave."
    )
    unit_prices: UnitPricesView | None = Field(
        description="Unit prices of the version and tier that applied, after discounts."
    )
    applied: AppliedPriceView | None = Field(
        description="All of the price that applied: its prices by unit, after discounts."
    )


class TotalsView(BaseModel):
    """The totals that an event is counted in."""

    life: int
    usage_period: PeriodView
    budget_period: PeriodView | None
    day: date = Field(description="UTC day of the daily rollups.")


class ExplainedView(ReadingView):
    """One event, explained."""

    source: str
    id: str
    outcome: Outcome = Field(
        description="Outcome of the event that was counted under this identity: it counts, or a backfill withdrew it; "
        "else of its last delivery."
    )
    event: EventView | None
    cost: CostView | None
    totals: TotalsView | None = Field(description="Null when the event is in no total.")
    corrections: list[CorrectionView]
    versions: list[VersionView] = Field(
        description="Versions of the event that are or were in effect, oldest first; of more than 100 the last ones."
    )
    refusals: list[RefusedView] = Field(
        description="Deliveries of this identity that were not counted, oldest first; not all of them if there are "
        "many or large ones."
    )
