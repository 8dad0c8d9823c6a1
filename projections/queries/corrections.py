"""Correction runs, and what their previews are made of, as a snapshot returns them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec
import pyarrow as pa

from domain.correction_runs.correction_run import CorrectionRunState
from domain.correction_runs.event_filter import CorrectedEvents
from domain.correction_runs.events import CorrectionAction
from domain.correction_runs.set_members import SetMembers
from domain.usage.block_schema import COST, INSTANT

#: `Snapshot.amended_events`: events of a run that amends which differ after it, and what they add to sums.
AMENDED_EVENTS: Final = pa.schema(
    [
        ("customer_id", pa.utf8()),  # empty: none
        ("new_customer_id", pa.utf8()),
        ("time", INSTANT),
        ("is_void", pa.bool_()),
        ("requests", pa.int64()),  # 0 of events of other types, and of those with a parent
        ("cost_usd", COST),  # of requests alone, like the rest; null: none or unknown
        ("is_unknown", pa.int64()),  # 1 where the cost is unknown
        ("new_cost_usd", COST),
        ("is_new_unknown", pa.int64()),
    ]
)


class CorrectionRunChange(msgspec.Struct, frozen=True):
    """The commit of a run, or its revert: `events` were voided, became valid again or were amended.

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
    """A correction run. `members`: what one that amends sets. `previewed_at`: the log position that was committed."""

    name: str
    action: CorrectionAction
    filter: CorrectedEvents
    members: SetMembers | None
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
    """The events that a run would change: valid ones of the filter to void, or voided ones to restore.

    One that amends changes all in which `members` differ.
    """

    action: CorrectionAction
    filter: CorrectedEvents
    members: SetMembers | None = None


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
