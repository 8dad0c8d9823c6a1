"""Events that void a usage event or restore a voided one."""

from __future__ import annotations

from typing import Final

from domain.event import LifecycleEvent

#: Topics of these events in the log, which never change.
USAGE_VOIDED: Final = "usage.voided"
USAGE_RESTORED: Final = "usage.restored"


class CorrectionEvent(LifecycleEvent, frozen=True, kw_only=True):
    """A correction of the usage event with this source and id."""

    tenant: str
    environment: str
    source: str
    id: str


class UsageVoided(CorrectionEvent, frozen=True, kw_only=True):
    """The usage event was voided: it no longer counts, whether it has arrived or not.

    Its identity stays in use: an event with the same source and id is still a duplicate.
    """


class UsageRestored(CorrectionEvent, frozen=True, kw_only=True):
    """The void of the usage event was undone."""
