"""The outcomes of received events. An outcome is decided once, and is a value, never an exception."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Outcome = Literal["counted", "duplicate", "conflict", "rejected"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("counted", "duplicate", "conflict", "rejected")

#: The reason of every member of an atomic group in which at least one event was not counted.
BATCH_REFUSED: Final = "batch_refused"


class OutcomeCounts(msgspec.Struct, frozen=True):
    """The number of received events by outcome."""

    counted: int = 0
    duplicate: int = 0
    conflict: int = 0
    rejected: int = 0

    @property
    def received(self) -> int:
        """The sum over all outcomes."""
        return self.counted + self.duplicate + self.conflict + self.rejected

    def plus(self, other: OutcomeCounts) -> OutcomeCounts:
        """Add the counts of both."""
        return OutcomeCounts(
            self.counted + other.counted,
            self.duplicate + other.duplicate,
            self.conflict + other.conflict,
            self.rejected + other.rejected,
        )


class EventOutcome(msgspec.Struct, frozen=True):
    """The outcome of one received event, with the reason for it if it was not counted."""

    source: str | None
    id: str | None
    outcome: Outcome
    reason: str | None = None
    detail: str | None = None
