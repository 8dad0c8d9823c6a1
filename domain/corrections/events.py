"""Events that void a usage event or restore a voided one."""

from __future__ import annotations

from typing import Final

from domain.event import LifecycleEvent

#: Topics of these events in the log, which never change.
USAGE_VOIDED: Final = "usage.voided"
USAGE_RESTORED: Final = "usage.restored"


class CorrectionEvent(LifecycleEvent, frozen=True, kw_only=True):
    tenant: str
    environment: str
    source: str
    id: str


class UsageVoided(CorrectionEvent, frozen=True, kw_only=True):
    """The event with this identity counts for nothing from here on; it may still be to come.

    Its identity stays taken.
    """


class UsageRestored(CorrectionEvent, frozen=True, kw_only=True):
    """A void was taken back."""
