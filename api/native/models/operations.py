"""How the engine itself is doing."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from api.native.models.events import OutcomeCountsView
from api.native.models.field_types import Instant


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


class PartitionStatusView(BaseModel):
    topic: str
    partition: int
    next_offset: int | None = Field(description="The offset after the last one in the log.")
    end_offset: int | None = Field(description="The broker's end, as the consumer saw it last.")
    lag_positions: int
    lag_seconds: float = Field(description="How long the oldest unread record has been waiting, at most.")
    paused: bool = Field(description="Whether it waits for the fold.")
    stopped: str | None = Field(description="Why it is not read, and what to do, if so.")


class ConsumerView(BaseModel):
    name: str
    pid: int
    written_at: Instant
    stale: bool = Field(description="It has not told of itself for a while: it hangs, or is gone.")
    records: int = Field(description="Records appended since it was started.")
    items_rejected: int
    commands: int
    appends: int
    appends_fenced: int = Field(description="Appends discarded, as another consumer had read on.")
    letters_unpublished: int = Field(description="Dead letters that the broker did not take; the log has them all.")
    fold_lag_seconds: float = Field(description="Age of its oldest append that is not folded.")
    trouble: str | None = Field(description="What it tries to get over, if anything.")
    partitions: list[PartitionStatusView]


class StatusView(Readiness):
    counts: OutcomeCountsView
    sources: list[SourceStatus]
    records_lost: int = Field(description="Kafka records that the broker dropped before they were read.")
    commands_refused: int = Field(description="Commands from Kafka that broke a rule.")
    consumers: list[ConsumerView] = Field(description="Consumer processes of this data folder, by name.")
    tenants: list[str] = Field(description="tenant/environment")
    log_bytes: int = Field(description="Bytes of the event log on disk.")
    store_bytes: int = Field(description="Bytes of read store and identity index on disk.")
