"""The amendment of many events at once: each becomes the event that was received as a conflict with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from domain.aggregate import Aggregate, CommandContext
from domain.corrections.events import UsageReplaced
from domain.errors import InvalidInput
from domain.event import LifecycleEvent
from domain.scope import Scope
from domain.streams import replacement_stream

#: The events of one replacement, at most; more than a request body may have.
REPLACED_EVENTS_MAX: Final = 1_000_000


class Replacement(Aggregate):
    """The replacement that begins with one delivery; it is made once."""

    def __init__(self, scope: Scope, first_received: int) -> None:
        super().__init__(replacement_stream(scope, first_received))
        self.scope = scope
        self.is_made = False

    def replace(self, counted: Sequence[int], received: Sequence[int], context: CommandContext) -> None:
        """Replace the events at `counted` by those at `received`; no effect when that was done."""
        if len(counted) != len(received) or not 1 <= len(counted) <= REPLACED_EVENTS_MAX:
            raise InvalidInput("received", f"must be 1 to {REPLACED_EVENTS_MAX} events")
        if not self.is_made:
            self._emit(
                UsageReplaced(
                    **self._common_fields(context),
                    tenant=self.scope.tenant,
                    environment=self.scope.environment,
                    counted=tuple(counted),
                    received=tuple(received),
                )
            )

    def apply(self, event: LifecycleEvent) -> None:
        """Apply the replacement."""
        if not isinstance(event, UsageReplaced):
            raise self._unexpected_event(event)
        self.is_made = True
