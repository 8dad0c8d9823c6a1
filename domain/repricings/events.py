"""Events of re-pricing runs."""

from __future__ import annotations

from typing import Final

from domain.event import LifecycleEvent
from domain.repricings.repricing_range import RepricingRange

#: Topics of these events in the log, which never change.
REPRICING_OPENED: Final = "repricing.opened"
REPRICING_COMMITTED: Final = "repricing.committed"
REPRICING_REVERTED: Final = "repricing.reverted"


class RepricingEvent(LifecycleEvent, frozen=True, kw_only=True):
    """An event of the re-pricing run with this name."""

    tenant: str
    environment: str
    name: str


class RepricingOpened(RepricingEvent, frozen=True, kw_only=True):
    """A run was named, with its range. It changes no number."""

    range: RepricingRange


class RepricingCommitted(RepricingEvent, frozen=True, kw_only=True):
    """The events of the range got the costs that the prices known at log position `previewed_at` give them.

    Those whose cost did not change, and those that were counted, corrected or priced after `previewed_at`, are left as
    they were.
    """

    range: RepricingRange
    previewed_at: int


class RepricingReverted(RepricingEvent, frozen=True, kw_only=True):
    """The events that still had the costs of the run got those that they had before it."""
