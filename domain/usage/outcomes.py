"""How a received event can end. Decided once; an outcome is a value, never an exception."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Outcome = Literal["counted", "duplicate", "conflict", "rejected"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("counted", "duplicate", "conflict", "rejected")

#: The reason of every member of an atomic group in which at least one event was not counted.
BATCH_REFUSED: Final = "batch_refused"


class OutcomeCounts(msgspec.Struct, frozen=True):
    """How many events of something ended how; their sum is what was received."""

    counted: int = 0
    duplicate: int = 0
    conflict: int = 0
    rejected: int = 0

    @property
    def received(self) -> int:
        return self.counted + self.duplicate + self.conflict + self.rejected

    def plus(self, other: OutcomeCounts) -> OutcomeCounts:
        return OutcomeCounts(
            self.counted + other.counted,
            self.duplicate + other.duplicate,
            self.conflict + other.conflict,
            self.rejected + other.rejected,
        )


class EventOutcome(msgspec.Struct, frozen=True):
    """What became of one event that was not simply counted."""

    source: str | None
    id: str | None
    outcome: Outcome
    reason: str | None = None
    detail: str | None = None
