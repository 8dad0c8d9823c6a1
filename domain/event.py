"""The base class of lifecycle events, with the fields that all of them have."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Provenance(msgspec.Struct, frozen=True):
    """Who caused an event, through which API dialect, and why."""

    actor: str  # key id, or "engine"
    dialect: str = "native"
    reason: str | None = None


class LifecycleEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of an aggregate: its stream and version, when it was recorded, and from when it is effective."""

    stream: str
    version: int
    recorded_at: datetime
    effective_at: datetime
    provenance: Provenance

    @property
    def originator_id(self) -> str:
        """The stream, under the name that the `eventsourcing` library expects."""
        return self.stream

    @property
    def originator_version(self) -> int:
        """The version, under the name that the `eventsourcing` library expects."""
        return self.version
