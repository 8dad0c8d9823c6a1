"""How the engine itself is doing."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from api.models.events import OutcomeCountsView


class Alive(BaseModel):
    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    ready: bool
    position: int = Field(description="Folded up to here.")
    head: int = Field(description="Last position of the log.")
    behind_positions: int
    behind_seconds: float
    failure: str | None = Field(description="Why the fold stands still, if it does.")


class SourceStatus(BaseModel):
    tenant: str
    environment: str
    stream: str
    counts: OutcomeCountsView


class StatusView(Readiness):
    counts: OutcomeCountsView
    sources: list[SourceStatus]
    tenants: list[str] = Field(description="tenant/environment")
    log_bytes: int = Field(description="Bytes of the event log on disk.")
    store_bytes: int = Field(description="Bytes of read store and identity index on disk.")
