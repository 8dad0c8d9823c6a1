"""The custom meter aggregate: which events it counts, and by which aggregation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.aggregate import Aggregate, CommandContext
from domain.customers.fields import checked_changes, with_changes
from domain.errors import AlreadyExists, InvalidInput, NotFound
from domain.event import LifecycleEvent
from domain.meters.events import MeterCreated, MeterDeleted, MeterUpdated
from domain.meters.fields import CHANGEABLE_RULES, METER_RULES, check_definition, meter_code
from domain.scope import Scope
from domain.streams import meter_stream


class Meter(Aggregate):
    """The state of one meter code; `fields` are in stored form."""

    def __init__(self, scope: Scope, code: str) -> None:
        super().__init__(meter_stream(scope, meter_code(code)))
        self.scope = scope
        self.code = code
        self.exists = False
        self.fields: dict[str, Any] = {}

    def create(self, fields: Mapping[str, Any], context: CommandContext) -> None:
        """Create the meter; `AlreadyExists` when it exists."""
        if self.exists:
            raise AlreadyExists(f"meter {self.code!r} exists already")
        checked = checked_changes(METER_RULES, {}, fields)
        check_definition(checked)
        self._emit(MeterCreated(**self._event_fields(context), fields=checked))

    def update(self, changes: Mapping[str, Any], context: CommandContext) -> None:
        """Change name, description or groups (replaced as a whole); no effect when nothing changes."""
        self._check_exists()
        for field in METER_RULES.keys() - CHANGEABLE_RULES.keys() & changes.keys():
            raise InvalidInput(field, "must not be changed; create another meter")
        changed = checked_changes(CHANGEABLE_RULES, self.fields, changes)
        if changed:
            self._emit(MeterUpdated(**self._event_fields(context), fields=changed))

    def delete(self, context: CommandContext) -> None:
        """Delete the meter; the events that it counted stay."""
        self._check_exists()
        self._emit(MeterDeleted(**self._event_fields(context)))

    def apply(self, event: LifecycleEvent) -> None:
        """Apply a meter event."""
        match event:
            case MeterCreated():
                self.exists = True
                self.fields = with_changes({}, event.fields)
            case MeterUpdated():
                self.fields = with_changes(self.fields, event.fields)
            case MeterDeleted():
                self.exists = False
                self.fields = {}
            case _:
                raise self._unexpected_event(event)

    def _event_fields(self, context: CommandContext) -> dict[str, Any]:
        scope = {"tenant": self.scope.tenant, "environment": self.scope.environment}
        return {**self._common_fields(context), **scope, "code": self.code}

    def _check_exists(self) -> None:
        if not self.exists:
            raise NotFound(f"meter {self.code!r} does not exist")
