"""Events of correction runs."""

from __future__ import annotations

from typing import Final, Literal

from domain.correction_runs.event_filter import CorrectedEvents
from domain.event import LifecycleEvent

#: Topics of these events in the log, which never change.
CORRECTION_RUN_OPENED: Final = "correction_run.opened"
CORRECTION_RUN_COMMITTED: Final = "correction_run.committed"
CORRECTION_RUN_REVERTED: Final = "correction_run.reverted"

#: What a run does to the events of its filter.
CorrectionAction = Literal["void", "restore"]


class CorrectionRunEvent(LifecycleEvent, frozen=True, kw_only=True):
    """An event of the correction run with this name."""

    tenant: str
    environment: str
    name: str


class CorrectionRunOpened(CorrectionRunEvent, frozen=True, kw_only=True):
    """A run was named, with its action and its filter. It changes no number."""

    action: CorrectionAction
    filter: CorrectedEvents


class CorrectionRunCommitted(CorrectionRunEvent, frozen=True, kw_only=True):
    """The events of the filter were voided, or restored, as each was known at log position `previewed_at`.

    Those that were counted, restored, amended, moved or priced after it are left as they were.
    """

    action: CorrectionAction
    filter: CorrectedEvents
    previewed_at: int


class CorrectionRunReverted(CorrectionRunEvent, frozen=True, kw_only=True):
    """What the run did was undone: its events are voided or not by the last correction of each that stands."""
