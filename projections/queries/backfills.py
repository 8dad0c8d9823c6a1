"""Backfills as a snapshot returns them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from domain.backfills.backfill_range import BackfillMode, BackfillRange
from domain.backfills.backfills import BackfillState


class BackfillStep(msgspec.Struct, frozen=True):
    """What was done to a backfill at a log position: when, by whom, and why."""

    position: int
    recorded_at: datetime
    actor: str
    reason: str | None


class BackfillChange(BackfillStep, frozen=True):
    """The commit of a backfill, or its revert: how many events more have each outcome since (of fewer: below 0).

    `difference_usd`: what the raw cost of counted usage grew by. `cost_unknown_events`: how many more of its events
    have an unknown cost, which adds nothing.
    """

    counted: int
    duplicate: int
    conflict: int
    withdrawn: int
    difference_usd: Decimal
    cost_unknown_events: int


class BackfillRecord(msgspec.Struct, frozen=True):
    """A backfill, and what was loaded into it: blocks, events that intake accepted, and those that it rejected.

    `previewed_at`: the log position of the preview that was committed. `committed_blocks`: of the first blocks, how
    many it counted.
    """

    name: str
    range: BackfillRange
    mode: BackfillMode
    opened: BackfillStep
    loaded_blocks: int = 0
    loaded_events: int = 0
    rejected_events: int = 0
    previewed_at: int | None = None
    committed_blocks: int | None = None
    committed: BackfillChange | None = None
    reverted: BackfillChange | None = None
    cancelled: BackfillStep | None = None

    @property
    def state(self) -> BackfillState:
        """How far the backfill is."""
        if self.cancelled is not None:
            return "cancelled"
        if self.reverted is not None:
            return "reverted"
        return "open" if self.committed is None else "committed"
