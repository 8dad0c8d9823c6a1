"""The re-pricing aggregate: a named run, which is opened, committed once, and may be reverted."""

from __future__ import annotations

from typing import Any, Literal

from domain.aggregate import Aggregate, CommandContext
from domain.errors import AlreadyExists, CommandRefused, InvalidInput, NotFound
from domain.event import LifecycleEvent
from domain.repricings.events import RepricingCommitted, RepricingOpened, RepricingReverted
from domain.repricings.repricing_range import RepricingRange, checked_range
from domain.scope import Scope
from domain.streams import repricing_stream
from domain.values.identifiers import checked_id

RepricingState = Literal["open", "committed", "reverted"]


class Repricing(Aggregate):
    """The run of one name in a scope. `state` is None before it is opened; a name is used once."""

    def __init__(self, scope: Scope, name: str) -> None:
        super().__init__(repricing_stream(scope, checked_id("name", name)))
        self.scope = scope
        self.name = name
        self.state: RepricingState | None = None
        self.range = RepricingRange()

    def open(self, asked: RepricingRange, context: CommandContext) -> None:
        """Name a run, with its range; `AlreadyExists` when the name is taken."""
        if self.state is not None:
            raise AlreadyExists(f"re-pricing {self.name!r} exists already")
        self._emit(RepricingOpened(**self._event_fields(context), range=checked_range(asked)))

    def commit(self, previewed_at: int, context: CommandContext) -> None:
        """Give the range the costs previewed at a log position; no effect when that was done. Refused once reverted."""
        state = self._existing()
        if previewed_at < 1:
            raise InvalidInput("previewed_at", "must be the position that the preview named")
        if state == "reverted":
            raise CommandRefused(f"re-pricing {self.name!r} was reverted; open another one")
        if state == "open":
            fields = self._event_fields(context)
            self._emit(RepricingCommitted(**fields, range=self.range, previewed_at=previewed_at))

    def revert(self, context: CommandContext) -> None:
        """Take the costs of a committed run back; no effect when that was done. Refused before it is committed."""
        state = self._existing()
        if state == "open":
            raise CommandRefused(f"re-pricing {self.name!r} was not committed: there is nothing to revert")
        if state == "committed":
            self._emit(RepricingReverted(**self._event_fields(context)))

    def apply(self, event: LifecycleEvent) -> None:
        """Apply an event of the run."""
        match event:
            case RepricingOpened():
                self.state, self.range = "open", event.range
            case RepricingCommitted():
                self.state = "committed"
            case RepricingReverted():
                self.state = "reverted"
            case _:
                raise self._unexpected_event(event)

    def _existing(self) -> RepricingState:
        if self.state is None:
            raise NotFound(f"re-pricing {self.name!r} does not exist")
        return self.state

    def _event_fields(self, context: CommandContext) -> dict[str, Any]:
        scope = {"tenant": self.scope.tenant, "environment": self.scope.environment}
        return {**self._common_fields(context), **scope, "name": self.name}
