"""The aggregate of a correction run: a named one, which is opened, committed once, and may be reverted."""

from __future__ import annotations

from typing import Any, Literal, get_args

from domain.aggregate import Aggregate, CommandContext
from domain.correction_runs.event_filter import CorrectedEvents, checked_filter
from domain.correction_runs.events import (
    CorrectionAction,
    CorrectionRunCommitted,
    CorrectionRunOpened,
    CorrectionRunReverted,
)
from domain.correction_runs.set_members import SetMembers, checked_members
from domain.errors import AlreadyExists, CommandRefused, InvalidInput, NotFound
from domain.event import LifecycleEvent
from domain.scope import Scope
from domain.streams import correction_run_stream
from domain.values.identifiers import checked_id

CorrectionRunState = Literal["open", "committed", "reverted"]


class CorrectionRun(Aggregate):
    """The run of one name in a scope. `state` is None before it is opened; a name is used once."""

    def __init__(self, scope: Scope, name: str) -> None:
        super().__init__(correction_run_stream(scope, checked_id("name", name)))
        self.scope = scope
        self.name = name
        self.state: CorrectionRunState | None = None
        self.action: CorrectionAction = "void"
        self.filter = CorrectedEvents()
        self.members: SetMembers | None = None

    def open(
        self, action: CorrectionAction, asked: CorrectedEvents, members: SetMembers | None, context: CommandContext
    ) -> None:
        """Name a run, with its action and filter, and the members that one that amends sets.

        `AlreadyExists` when the name is taken.
        """
        if action not in get_args(CorrectionAction):
            raise InvalidInput("action", f"must be one of {', '.join(get_args(CorrectionAction))}")
        if self.state is not None:
            raise AlreadyExists(f"correction {self.name!r} exists already")
        if action != "amend" and members is not None:
            raise InvalidInput("set", "must be absent unless action is amend")
        checked = checked_members(members) if action == "amend" else None
        fields = self._event_fields(context) | {"action": action, "filter": checked_filter(asked), "members": checked}
        self._emit(CorrectionRunOpened(**fields))

    def commit(self, previewed_at: int, context: CommandContext) -> None:
        """Correct the events previewed at a log position; no effect when that was done. Refused once reverted."""
        state = self._existing()
        if previewed_at < 1:
            raise InvalidInput("previewed_at", "must be the position that the preview named")
        if state == "reverted":
            raise CommandRefused(f"correction {self.name!r} was reverted; open another one")
        if state == "open":
            fields = self._event_fields(context) | {
                "action": self.action,
                "filter": self.filter,
                "members": self.members,
            }
            self._emit(CorrectionRunCommitted(**fields, previewed_at=previewed_at))

    def revert(self, context: CommandContext) -> None:
        """Undo what a committed run did; no effect when that was done. Refused before it is committed."""
        state = self._existing()
        if state == "open":
            raise CommandRefused(f"correction {self.name!r} was not committed: there is nothing to revert")
        if state == "committed":
            self._emit(CorrectionRunReverted(**self._event_fields(context)))

    def apply(self, event: LifecycleEvent) -> None:
        """Apply an event of the run."""
        match event:
            case CorrectionRunOpened():
                self.state, self.action, self.filter = "open", event.action, event.filter
                self.members = event.members
            case CorrectionRunCommitted():
                self.state = "committed"
            case CorrectionRunReverted():
                self.state = "reverted"
            case _:
                raise self._unexpected_event(event)

    def _existing(self) -> CorrectionRunState:
        if self.state is None:
            raise NotFound(f"correction {self.name!r} does not exist")
        return self.state

    def _event_fields(self, context: CommandContext) -> dict[str, Any]:
        scope = {"tenant": self.scope.tenant, "environment": self.scope.environment}
        return {**self._common_fields(context), **scope, "name": self.name}
