"""The corrections of one usage event: voiding it, before or after it arrives, restoring it, and amending it."""

from __future__ import annotations

from typing import Any

from domain.aggregate import Aggregate, CommandContext
from domain.corrections.events import UsageAmended, UsageRestored, UsageVoided
from domain.event import LifecycleEvent
from domain.scope import Scope
from domain.streams import correction_stream
from domain.usage.amending.amended_event import MemberChange
from domain.values.identifiers import checked_id


class Correction(Aggregate):
    """Whether the usage event with this source and id is voided, and its last amendment.

    The event need not have arrived to be voided. What correction runs did to it is not known here: a void or
    restoration that comes after one (`after_run`) is recorded though `voided` stays as it was.
    """

    def __init__(self, scope: Scope, source: str, event_id: str) -> None:
        super().__init__(correction_stream(scope, checked_id("source", source), checked_id("id", event_id)))
        self.scope = scope
        self.source = source
        self.event_id = event_id
        self.voided = False
        self.amended: UsageAmended | None = None

    def void(self, context: CommandContext, after_run: bool = False) -> None:
        """Void the event, whether it has arrived or not; no effect when it is voided already."""
        if not self.voided or after_run:
            self._emit(UsageVoided(**self._event_fields(context)))

    def restore(self, context: CommandContext, after_run: bool = False) -> None:
        """Undo a void; no effect when the event is not voided."""
        if self.voided or after_run:
            self._emit(UsageRestored(**self._event_fields(context)))

    def amend(self, context: CommandContext, block: bytes, changed: tuple[MemberChange, ...]) -> None:
        """Amend the event, which has been counted, voided or not; see `UsageAmended`."""
        self._emit(UsageAmended(**self._event_fields(context), block=block, changed=changed))

    def apply(self, event: LifecycleEvent) -> None:
        """Apply a void, a restoration or an amendment."""
        match event:
            case UsageAmended():
                self.amended = event
            case UsageVoided() | UsageRestored():
                self.voided = isinstance(event, UsageVoided)
            case _:
                raise self._unexpected_event(event)

    def _event_fields(self, context: CommandContext) -> dict[str, Any]:
        scope = {"tenant": self.scope.tenant, "environment": self.scope.environment}
        return {**self._common_fields(context), **scope, "source": self.source, "id": self.event_id}
