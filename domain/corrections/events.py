"""Events that void a usage event, restore a voided one, or amend one."""

from __future__ import annotations

from typing import Final

from domain.event import LifecycleEvent
from domain.usage.amending.amended_event import MemberChange

#: Topics of these events in the log, which never change.
USAGE_VOIDED: Final = "usage.voided"
USAGE_RESTORED: Final = "usage.restored"
USAGE_AMENDED: Final = "usage.amended"
USAGE_REPLACED: Final = "usage.replaced"


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


class UsageAmended(CorrectionEvent, frozen=True, kw_only=True):
    """The usage event was amended: from now on it is the event in `block`, a usage block of one row.

    Its identity is that of the event; what was sent before stays in the log, and is still a duplicate when it is sent
    again. `changed`: the members in which the event differs from its version before.
    """

    block: bytes
    changed: tuple[MemberChange, ...]


class UsageReplaced(LifecycleEvent, frozen=True, kw_only=True):
    """Counted events were amended, each to be the event that was received as a conflict with it.

    `counted` and `received`: the locators of the events and, in the same order, of the deliveries that they now equal.
    Both are in the log, so that this says all that a fold needs.
    """

    tenant: str
    environment: str
    counted: tuple[int, ...]
    received: tuple[int, ...]
