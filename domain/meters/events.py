"""Events of custom meters."""

from __future__ import annotations

from typing import Any, Final

from domain.event import LifecycleEvent

#: Topics of these events in the log, which never change.
METER_CREATED: Final = "meter.created"
METER_UPDATED: Final = "meter.updated"
METER_DELETED: Final = "meter.deleted"


class MeterEvent(LifecycleEvent, frozen=True, kw_only=True):
    """An event of the custom meter with this code."""

    tenant: str
    environment: str
    code: str


class MeterCreated(MeterEvent, frozen=True, kw_only=True):
    """A custom meter was created."""

    fields: dict[str, Any]  # see `domain.meters.fields`


class MeterUpdated(MeterEvent, frozen=True, kw_only=True):
    """Fields of a custom meter were set or cleared."""

    fields: dict[str, Any]


class MeterDeleted(MeterEvent, frozen=True, kw_only=True):
    """A custom meter was deleted; the events that it counted stay."""
