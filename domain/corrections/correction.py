"""The void of one usage event, by its identity: made before or after the event itself, and taken back."""

from __future__ import annotations

from typing import Any

from domain.aggregate import Aggregate, Occasion
from domain.corrections.events import UsageRestored, UsageVoided
from domain.event import LifecycleEvent
from domain.scope import Scope
from domain.streams import correction_stream
from domain.values.identifiers import checked_id


class Correction(Aggregate):
    """Whether the event with this identity counts for nothing."""

    def __init__(self, scope: Scope, source: str, event_id: str) -> None:
        super().__init__(correction_stream(scope, checked_id("source", source), checked_id("id", event_id)))
        self.scope = scope
        self.source = source
        self.event_id = event_id
        self.voided = False

    def void(self, occasion: Occasion) -> None:
        """Nothing happens when voided already. The event need not have come yet."""
        if not self.voided:
            self._give(UsageVoided(**self._about(occasion)))

    def restore(self, occasion: Occasion) -> None:
        """Take the void back; nothing happens when there is none."""
        if self.voided:
            self._give(UsageRestored(**self._about(occasion)))

    def apply(self, event: LifecycleEvent) -> None:
        if not isinstance(event, UsageVoided | UsageRestored):
            raise self._foreign(event)
        self.voided = isinstance(event, UsageVoided)

    def _about(self, occasion: Occasion) -> dict[str, Any]:
        scope = {"tenant": self.scope.tenant, "environment": self.scope.environment}
        return {**self._place(occasion), **scope, "source": self.source, "id": self.event_id}
