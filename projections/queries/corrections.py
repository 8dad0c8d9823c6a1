"""Correction runs, and what their previews are made of, as a snapshot returns them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from domain.correction_runs.correction_run import CorrectionRunState
from domain.correction_runs.event_filter import CorrectedEvents
from domain.correction_runs.events import CorrectionAction


class CorrectionRunChange(msgspec.Struct, frozen=True):
    """The commit of a run, or its revert: `events` were voided or became valid again.

    `difference_usd`: what the costs of valid events grew by. `cost_unknown_events`: how many more of these have an
    unknown cost, which adds nothing to it.
    """

    position: int
    recorded_at: datetime
    actor: str
    reason: str | None
    events: int
    difference_usd: Decimal
    cost_unknown_events: int


class CorrectionRunRecord(msgspec.Struct, frozen=True):
    """A correction run. `previewed_at`: the log position of the preview that was committed."""

    name: str
    action: CorrectionAction
    filter: CorrectedEvents
    opened_at: datetime
    opened_position: int
    actor: str
    reason: str | None
    previewed_at: int | None = None
    committed: CorrectionRunChange | None = None
    reverted: CorrectionRunChange | None = None

    @property
    def state(self) -> CorrectionRunState:
        """How far the run is."""
        if self.reverted is not None:
            return "reverted"
        return "open" if self.committed is None else "committed"


class CorrectionQuestion(msgspec.Struct, frozen=True):
    """The events that a run would change: valid ones of the filter to void, or voided ones to restore."""

    action: CorrectionAction
    filter: CorrectedEvents


class CorrectedSums(msgspec.Struct, frozen=True):
    """Sums over events that a run would change. `events` are of all types, everything else is of `llm.request` alone.

    `requests` are those without a parent. Costs are raw; events of unknown cost add nothing to them.
    """

    events: int = 0
    requests: int = 0
    cost_usd: Decimal = Decimal(0)
    cost_unknown_events: int = 0


class CorrectedTotals(msgspec.Struct, frozen=True):
    """All that a run would change: `customers` have events that change; `held` events are in the filter in all."""

    held: int
    customers: int
    sums: CorrectedSums


class CorrectedCustomer(msgspec.Struct, frozen=True):
    """A customer with events that a run would change, and the first and the last time of these."""

    customer_id: str
    first_time: datetime
    last_time: datetime
