"""A meter: which events it counts, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.aggregate import Aggregate, Occasion
from domain.customers.fields import checked_changes, with_changes
from domain.errors import AlreadyExists, InvalidInput, NotFound
from domain.event import LifecycleEvent
from domain.meters.events import MeterCreated, MeterDeleted, MeterUpdated
from domain.meters.fields import CHANGEABLE_RULES, METER_RULES, check_definition, meter_code
from domain.scope import Scope
from domain.streams import meter_stream


class Meter(Aggregate):
    """The state of one meter code; `fields` as stored."""

    def __init__(self, scope: Scope, code: str) -> None:
        super().__init__(meter_stream(scope, meter_code(code)))
        self.scope = scope
        self.code = code
        self.exists = False
        self.fields: dict[str, Any] = {}

    def create(self, fields: Mapping[str, Any], occasion: Occasion) -> None:
        """`AlreadyExists` when it is there."""
        if self.exists:
            raise AlreadyExists(f"meter {self.code!r} exists")
        checked = checked_changes(METER_RULES, {}, fields)
        check_definition(checked)
        self._give(MeterCreated(**self._about(occasion), fields=checked))

    def update(self, changes: Mapping[str, Any], occasion: Occasion) -> None:
        """Change name, description or groups (as a whole). Nothing happens when nothing changes."""
        self._check_exists()
        for field in METER_RULES.keys() - CHANGEABLE_RULES.keys() & changes.keys():
            raise InvalidInput(field, "cannot be changed: make another meter")
        changed = checked_changes(CHANGEABLE_RULES, self.fields, changes)
        if changed:
            self._give(MeterUpdated(**self._about(occasion), fields=changed))

    def delete(self, occasion: Occasion) -> None:
        """It is shown no longer; the events that fed it stay."""
        self._check_exists()
        self._give(MeterDeleted(**self._about(occasion)))

    def apply(self, event: LifecycleEvent) -> None:
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
                raise self._foreign(event)

    def _about(self, occasion: Occasion) -> dict[str, Any]:
        scope = {"tenant": self.scope.tenant, "environment": self.scope.environment}
        return {**self._place(occasion), **scope, "code": self.code}

    def _check_exists(self) -> None:
        if not self.exists:
            raise NotFound(f"meter {self.code!r} does not exist")
