"""The outcomes of received events: values, never exceptions.

An outcome is decided once. Only the commit and the revert of a backfill change it, from their log position on.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Outcome = Literal["counted", "duplicate", "conflict", "rejected", "withdrawn"]
DecidedOutcome = Literal["counted", "duplicate", "conflict", "rejected"]
#: The outcomes of events when they are first decided.
DECIDED_OUTCOMES: Final[tuple[DecidedOutcome, ...]] = ("counted", "duplicate", "conflict", "rejected")
#: `withdrawn`: a backfill replaced the event, or loaded it and was reverted.
OUTCOMES: Final[tuple[Outcome, ...]] = (*DECIDED_OUTCOMES, "withdrawn")

#: Why an event is withdrawn: a replacement took its place, or the backfill that loaded it was reverted.
REPLACED: Final = "replaced"
REVERTED: Final = "backfill_reverted"
#: The reason for which events are rejected that were loaded into a backfill that had ended.
BACKFILL_CLOSED: Final = "backfill_closed"

#: The reason of every member of an atomic group in which at least one event was not counted.
BATCH_REFUSED: Final = "batch_refused"


class OutcomeCounts(msgspec.Struct, frozen=True):
    """The number of received events by outcome."""

    counted: int = 0
    duplicate: int = 0
    conflict: int = 0
    rejected: int = 0
    withdrawn: int = 0

    @property
    def received(self) -> int:
        """The sum over all outcomes."""
        return self.counted + self.duplicate + self.conflict + self.rejected + self.withdrawn

    def plus(self, other: OutcomeCounts) -> OutcomeCounts:
        """Add the counts of both."""
        return OutcomeCounts(
            self.counted + other.counted,
            self.duplicate + other.duplicate,
            self.conflict + other.conflict,
            self.rejected + other.rejected,
            self.withdrawn + other.withdrawn,
        )


class EventOutcome(msgspec.Struct, frozen=True):
    """The outcome of one received event, with the reason for it if it was not counted."""

    source: str | None
    id: str | None
    outcome: Outcome
    reason: str | None = None
    detail: str | None = None
