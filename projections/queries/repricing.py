"""Re-pricing runs, and what their previews are made of, as a snapshot returns them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from domain.repricings.repricing import RepricingState
from domain.repricings.repricing_range import RepricingRange
from projections.pricing.price_book import PriceBook
from projections.pricing.row_costs import PricedModel


class RepricingChange(msgspec.Struct, frozen=True):
    """The commit of a run, or its revert: `events` got another cost; their costs grew by `difference_usd`."""

    position: int
    recorded_at: datetime
    actor: str
    reason: str | None
    events: int
    difference_usd: Decimal


class RepricingRecord(msgspec.Struct, frozen=True):
    """A re-pricing run. `previewed_at`: the log position of the preview that was committed."""

    name: str
    range: RepricingRange
    opened_at: datetime
    opened_position: int
    actor: str
    reason: str | None
    previewed_at: int | None = None
    committed: RepricingChange | None = None
    reverted: RepricingChange | None = None

    @property
    def state(self) -> RepricingState:
        """How far the run is."""
        if self.reverted is not None:
            return "reverted"
        return "open" if self.committed is None else "committed"


class RunStep(msgspec.Struct, frozen=True):
    """What a re-pricing or correction run did at one log position: who did it, and why."""

    name: str
    step: Literal["committed", "reverted"]
    actor: str
    reason: str | None


class ScopePricing(msgspec.Struct, frozen=True):
    """The prices that the fold knows, for rows of one scope: its key, and the provider and model of each series."""

    scope_key: int
    models: Mapping[int, PricedModel]
    prices: PriceBook
