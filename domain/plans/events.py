"""Events of plans."""

from __future__ import annotations

from typing import Any, Final

from domain.event import LifecycleEvent

#: Topics of these events in the log, which never change.
PLAN_CREATED: Final = "plan.created"
PLAN_UPDATED: Final = "plan.updated"
PLAN_DELETED: Final = "plan.deleted"


class PlanEvent(LifecycleEvent, frozen=True, kw_only=True):
    """An event of the plan with this code."""

    tenant: str
    environment: str
    code: str


class PlanCreated(PlanEvent, frozen=True, kw_only=True):
    """A plan was created."""

    fields: dict[str, Any]  # see `domain.plans.fields`


class PlanUpdated(PlanEvent, frozen=True, kw_only=True):
    """Fields of a plan were set or cleared."""

    fields: dict[str, Any]


class PlanDeleted(PlanEvent, frozen=True, kw_only=True):
    """A plan was deleted; its subscriptions have no charges from then on."""
