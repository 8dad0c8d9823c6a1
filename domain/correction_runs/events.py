"""Events of correction runs."""

from __future__ import annotations

from typing import Final, Literal

from domain.correction_runs.event_filter import CorrectedEvents
from domain.correction_runs.set_members import SetMembers
from domain.event import LifecycleEvent

#: Topics of these events in the log, which never change.
CORRECTION_RUN_OPENED: Final = "correction_run.opened"
CORRECTION_RUN_COMMITTED: Final = "correction_run.committed"
CORRECTION_RUN_REVERTED: Final = "correction_run.reverted"

#: What a run does to the events of its filter.
CorrectionAction = Literal["void", "restore", "amend"]


class CorrectionRunEvent(LifecycleEvent, frozen=True, kw_only=True):
    """An event of the correction run with this name."""

    tenant: str
    environment: str
    name: str


class CorrectionRunOpened(CorrectionRunEvent, frozen=True, kw_only=True):
    """A run was named, with its action and its filter. It changes no number. `members`: what one that amends sets."""

    action: CorrectionAction
    filter: CorrectedEvents
    members: SetMembers | None = None


class CorrectionRunCommitted(CorrectionRunEvent, frozen=True, kw_only=True):
    """The events of the filter were voided, restored or amended, as each was known at log position `previewed_at`.

    Those that were counted, restored, amended, moved or priced after it are left as they were. `members`: what they
    are amended to; events are priced by the prices known at the position of this record.
    """

    action: CorrectionAction
    filter: CorrectedEvents
    previewed_at: int
    members: SetMembers | None = None


class CorrectionRunReverted(CorrectionRunEvent, frozen=True, kw_only=True):
    """What the run did was undone: its events are voided or not by the last correction of each that stands.

    One that amends: each member that it set goes back to what it was before, unless something set it later that stands.
    """
