"""The custom meter aggregate: which events it counts, and by which aggregation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.aggregate import CommandContext
from domain.customers.fields import checked_fields
from domain.errors import AlreadyExists, InvalidInput, NotFound
from domain.event import LifecycleEvent
from domain.facts.aggregate import EffectiveDatedAggregate, check_deletion
from domain.meters.events import MeterCreated, MeterDeleted, MeterUpdated
from domain.meters.fields import CHANGEABLE_RULES, METER_RULES, check_definition, meter_code
from domain.scope import Scope
from domain.streams import meter_stream


class Meter(EffectiveDatedAggregate):
    """The state of one meter code. It exists from the effective instant of its creation on."""

    def __init__(self, scope: Scope, code: str) -> None:
        super().__init__(meter_stream(scope, meter_code(code)))
        self.scope = scope
        self.code = code

    def create(self, fields: Mapping[str, Any], context: CommandContext) -> None:
        """Create the meter; `AlreadyExists` when it exists."""
        if self.alive:
            raise AlreadyExists(f"meter {self.code!r} exists already")
        checked = checked_fields(METER_RULES, {name: value for name, value in fields.items() if value is not None})
        check_definition(checked)
        self._emit(MeterCreated(**self._event_fields(context), fields=checked))

    def update(self, changes: Mapping[str, Any], context: CommandContext) -> None:
        """Change name, description or groups (replaced as a whole).

        No effect when nothing changes and the command names no instant.
        """
        self._check_exists()
        for field in METER_RULES.keys() - CHANGEABLE_RULES.keys() & changes.keys():
            raise InvalidInput(field, "must not be changed; create another meter")
        fields = checked_fields(CHANGEABLE_RULES, changes)
        if self._timeline_with(fields, (), context) is not None:
            self._emit(MeterUpdated(**self._event_fields(context), fields=fields))

    def delete(self, context: CommandContext) -> None:
        """Delete the meter, not in the future; the events that it counted stay."""
        self._check_exists()
        check_deletion(context)
        self._emit(MeterDeleted(**self._event_fields(context)))

    def apply(self, event: LifecycleEvent) -> None:
        """Apply a meter event."""
        match event:
            case MeterCreated():
                self._apply_creation(event, event.fields)
            case MeterUpdated():
                self._apply_fact(event, event.fields)
            case MeterDeleted():
                self._apply_deletion(event)
            case _:
                raise self._unexpected_event(event)

    def _event_fields(self, context: CommandContext) -> dict[str, Any]:
        scope = {"tenant": self.scope.tenant, "environment": self.scope.environment}
        return {**self._common_fields(context, self.effective(context)), **scope, "code": self.code}

    def _check_exists(self) -> None:
        if not self.alive:
            raise NotFound(f"meter {self.code!r} does not exist")
