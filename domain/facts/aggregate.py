"""The base class of aggregates whose state follows from effective-dated facts.

A deletion ends a life, and with it everything that was said of it, whenever that would have taken effect. The next life
begins at the instant of the deletion, without any fields.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from domain.aggregate import Aggregate, CommandContext
from domain.errors import InvalidInput
from domain.event import LifecycleEvent
from domain.facts.timeline import Change, Timeline


class EffectiveDatedAggregate(Aggregate):
    """The present life of an aggregate.

    `life` counts from 1. `began_at`: when the previous life ended. `alive`: whether a fact made the life explicit.
    `created_at`: from when its creation is effective; None: it has none. `timeline`: its facts, future-dated ones
    included. `holds_all_facts`: whether these are all facts of the life; usage may carry others.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.life = 1
        self.began_at: datetime | None = None
        self._begin_life()

    def _begin_life(self) -> None:
        self.alive = False
        self.created_at: datetime | None = None
        self.timeline = Timeline()
        self.holds_all_facts = True

    def state_for(self, context: CommandContext) -> dict[str, Any]:
        """Return the state at the effective instant of a command, in stored form.

        Raises `InvalidInput` when the command asks for an instant before the present life.
        """
        return self.timeline.at(self.effective(context))

    def effective(self, context: CommandContext) -> datetime:
        """Return the effective instant of a command, in the present life; `InvalidInput` when it asks for another."""
        return context.effective_not_before(self.began_at)

    def _timeline_with(
        self, fields: Mapping[str, Any], patched: Collection[str], context: CommandContext
    ) -> Timeline | None:
        """Return the timeline after a command; None when the command need not be written.

        One that names its instant always is. One that does not is left out when it changes nothing at its instant: what
        follows is then the same as well. That cannot be told of a life with facts that are not known here.
        """
        at = self.effective(context)
        after = self.timeline.with_change(Change(at, self.version + 1, fields, patched))
        if self.holds_all_facts and context.effective_at is None and after.at(at) == self.timeline.at(at):
            return None
        return after

    def _apply_fact(self, event: LifecycleEvent, fields: Mapping[str, Any], patched: Collection[str] = ()) -> None:
        self.timeline.add(Change(event.effective_at, event.version, fields, patched))

    def _apply_creation(self, event: LifecycleEvent, fields: Mapping[str, Any]) -> None:
        """Apply a creation, which clears nothing: what was said before it and is effective later holds."""
        self.alive = True
        self.created_at = event.effective_at
        self._apply_fact(event, fields)

    def _apply_deletion(self, event: LifecycleEvent) -> None:
        self.life += 1
        self.began_at = event.effective_at
        self._begin_life()


def check_deletion(context: CommandContext) -> None:
    """Raise `InvalidInput` for a deletion that is to be effective in the future."""
    if context.effective_at is not None and context.effective_at > context.recorded_at:
        raise InvalidInput("effective_at", "of a deletion must not be in the future")
