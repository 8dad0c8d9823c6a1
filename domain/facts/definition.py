"""The base class of aggregates that fields define, some of which can be changed: meters, plans, subscriptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec

from domain.aggregate import CommandContext
from domain.errors import AlreadyExists, ChangedMeanwhile, InvalidInput, NotFound
from domain.event import LifecycleEvent
from domain.facts.aggregate import EffectiveDatedAggregate, check_deletion
from domain.scope import Scope
from domain.values.field_rules import Rule, checked

_encode: Final = msgspec.json.Encoder(order="sorted", decimal_format="number").encode


class DefinedAggregate(EffectiveDatedAggregate):
    """The state of one definition. It exists from the effective instant of its creation on.

    `noun`: what it is called in messages. `id_field`: the field of its events that holds its id.
    """

    noun: ClassVar[str]
    id_field: ClassVar[str] = "code"
    #: The rules of all fields, and of those that can be changed after creation.
    rules: ClassVar[Mapping[str, Rule]]
    changeable_rules: ClassVar[Mapping[str, Rule]]
    #: Those that a creation must give.
    required_fields: ClassVar[tuple[str, ...]]
    #: The classes of its events: its creation, a change, its end.
    created: ClassVar[type[LifecycleEvent]]
    updated: ClassVar[type[LifecycleEvent]]
    deleted: ClassVar[type[LifecycleEvent]]

    def __init__(self, stream: str, scope: Scope, identifier: str) -> None:
        super().__init__(stream)
        self.scope = scope
        self.identifier = identifier

    def create(self, fields: Mapping[str, Any], context: CommandContext) -> None:
        """Create it; `AlreadyExists` when it exists."""
        if self.alive:
            raise AlreadyExists(f"{self.noun} {self.identifier!r} exists already")
        stored = checked(self.rules, {name: value for name, value in fields.items() if value is not None})
        for field in self.required_fields:
            if field not in stored:
                raise InvalidInput(field, "is required")
        self.check_together(stored)
        self._emit(self.created(**{**self._event_fields(context), "fields": stored}))

    def check_together(self, fields: Mapping[str, Any]) -> None:
        """Check what concerns several fields of a new definition together; `fields` are in stored form."""

    def update(self, changes: Mapping[str, Any], context: CommandContext) -> None:
        """Change fields that can be changed, each as a whole; None clears one.

        No effect when nothing changes and the command names no instant.
        """
        self.check_exists()
        for field in self.rules.keys() - self.changeable_rules.keys() & changes.keys():
            raise InvalidInput(field, f"must not be changed; create another {self.noun}")
        fields = checked(self.changeable_rules, changes)
        if self._timeline_with(fields, (), context) is not None:
            self._emit(self.updated(**{**self._event_fields(context), "fields": fields}))

    def check_read(self, read: Mapping[str, Any], context: CommandContext) -> None:
        """Raise `ChangedMeanwhile` when a stored field has another value by now than in `read`."""
        now = self.state_for(context)
        for name, value in read.items():
            if _encode(now.get(name) or None) != _encode(value or None):
                raise ChangedMeanwhile(f"{name} of {self.noun} {self.identifier!r} was changed meanwhile")

    def delete(self, context: CommandContext) -> None:
        """Delete it, not in the future."""
        self.check_exists()
        check_deletion(context)
        self._emit(self.deleted(**self._event_fields(context)))

    def check_exists(self) -> None:
        """Raise `NotFound` when it does not exist."""
        if not self.alive:
            raise NotFound(f"{self.noun} {self.identifier!r} does not exist")

    def apply(self, event: LifecycleEvent) -> None:
        """Apply one of its events."""
        fields: Mapping[str, Any] = getattr(event, "fields", {})
        if isinstance(event, self.created):
            self._apply_creation(event, fields)
        elif isinstance(event, self.updated):
            self._apply_fact(event, fields)
        elif isinstance(event, self.deleted):
            self._apply_deletion(event)
        else:
            raise self._unexpected_event(event)

    def _event_fields(self, context: CommandContext) -> dict[str, Any]:
        owner = {"tenant": self.scope.tenant, "environment": self.scope.environment, self.id_field: self.identifier}
        return {**self._common_fields(context, self.effective(context)), **owner}
