"""The lifecycle event: what every event of the log carries beside its own fields."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Provenance(msgspec.Struct, frozen=True):
    """Who did it, through which dialect, and why."""

    actor: str  # key id, or "engine"
    dialect: str = "native"
    reason: str | None = None


class LifecycleEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Common to all: its place in its stream, when it was written, and from when it counts."""

    stream: str
    version: int
    recorded_at: datetime
    effective_at: datetime
    provenance: Provenance

    @property
    def originator_id(self) -> str:
        """The stream, under the name by which the eventsourcing library asks for it."""
        return self.stream

    @property
    def originator_version(self) -> int:
        """The version, under the name by which the eventsourcing library asks for it."""
        return self.version
