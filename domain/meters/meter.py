"""The custom meter aggregate: which events it counts, and by which aggregation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from domain.aggregate import CommandContext
from domain.facts.definition import DefinedAggregate
from domain.meters.events import MeterCreated, MeterDeleted, MeterUpdated
from domain.meters.fields import CHANGEABLE_RULES, METER_RULES, check_together, check_value, meter_code
from domain.scope import Scope
from domain.streams import meter_stream
from domain.values.field_rules import Rule


class Meter(DefinedAggregate):
    """The state of one meter code. Once deleted, the events that it counted stay."""

    noun: ClassVar = "meter"
    rules: ClassVar[Mapping[str, Rule]] = METER_RULES
    changeable_rules: ClassVar[Mapping[str, Rule]] = CHANGEABLE_RULES
    required_fields: ClassVar = ("event_type", "aggregation")
    created: ClassVar = MeterCreated
    updated: ClassVar = MeterUpdated
    deleted: ClassVar = MeterDeleted

    def __init__(self, scope: Scope, code: str) -> None:
        super().__init__(meter_stream(scope, meter_code(code)), scope, code)

    def check_together(self, fields: Mapping[str, Any]) -> None:
        """Check that the aggregation has what it needs."""
        check_together(fields)

    def update(self, changes: Mapping[str, Any], context: CommandContext) -> None:
        """Change fields that can be changed; a meter keeps the value that its aggregation needs."""
        self.check_exists()
        if "expression" in changes:
            check_value({**self.timeline.latest(), "expression": changes["expression"]})
        super().update(changes, context)
