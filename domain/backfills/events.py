"""Events of backfills."""

from __future__ import annotations

from typing import Final

from domain.backfills.backfill_range import BackfillMode, BackfillRange
from domain.event import LifecycleEvent

#: Topics of these events in the log, which never change.
BACKFILL_OPENED: Final = "backfill.opened"
BACKFILL_COMMITTED: Final = "backfill.committed"
BACKFILL_REVERTED: Final = "backfill.reverted"
BACKFILL_CANCELLED: Final = "backfill.cancelled"


class BackfillEvent(LifecycleEvent, frozen=True, kw_only=True):
    """An event of the backfill with this name."""

    tenant: str
    environment: str
    name: str


class BackfillOpened(BackfillEvent, frozen=True, kw_only=True):
    """A backfill was named, with its range. It changes no number."""

    range: BackfillRange
    mode: BackfillMode


class BackfillCommitted(BackfillEvent, frozen=True, kw_only=True):
    """The loaded events claimed their identities, and count from this record on.

    They are those of the first `blocks` blocks of the backfill. A replacement first withdrew the events of the range
    that were counted at log position `previewed_at`.
    """

    range: BackfillRange
    mode: BackfillMode
    previewed_at: int
    blocks: int


class BackfillReverted(BackfillEvent, frozen=True, kw_only=True):
    """The loaded events were withdrawn, and each identity went to its next claimant."""


class BackfillCancelled(BackfillEvent, frozen=True, kw_only=True):
    """The backfill was given up before it was committed: what it loaded never counts."""
