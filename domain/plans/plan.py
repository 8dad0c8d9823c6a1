"""The plan aggregate: how often its subscriptions are billed, and what usage costs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from domain.facts.definition import DefinedAggregate
from domain.plans.events import PlanCreated, PlanDeleted, PlanUpdated
from domain.plans.fields import CHANGEABLE_RULES, PLAN_RULES, plan_code
from domain.scope import Scope
from domain.streams import plan_stream
from domain.values.field_rules import Rule


class Plan(DefinedAggregate):
    """The state of one plan code. Once deleted, its subscriptions have no charges."""

    noun: ClassVar = "plan"
    rules: ClassVar[Mapping[str, Rule]] = PLAN_RULES
    changeable_rules: ClassVar[Mapping[str, Rule]] = CHANGEABLE_RULES
    required_fields: ClassVar = ("interval", "currency")
    created: ClassVar = PlanCreated
    updated: ClassVar = PlanUpdated
    deleted: ClassVar = PlanDeleted

    def __init__(self, scope: Scope, code: str) -> None:
        super().__init__(plan_stream(scope, plan_code(code)), scope, code)
