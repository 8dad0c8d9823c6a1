"""Responses about the state of the engine: liveness, readiness, status."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from api.http.receipts import OutcomeCountsView, TotalCountsView
from api.native.models.field_types import Instant


class Alive(BaseModel):
    """The response of GET /healthz."""

    status: Literal["ok"] = "ok"


class ReadinessQuery(BaseModel):
    """Query parameters of GET /readyz."""

    for_: Literal["reads"] | None = Field(
        None, alias="for", description="`reads`: whether reads are answered, whether or not the log can be written."
    )


class Readiness(BaseModel):
    """The response of GET /readyz: whether the engine takes writes, counts them and answers reads."""

    ready: bool
    position: int = Field(description="Log position up to which the log is folded.")
    head: int = Field(description="Last position of the log.")
    behind_positions: int
    behind_seconds: float
    failure: str | None = Field(description="Why the fold has stopped; null while it runs.")
    writes_refused: str | None = Field(
        None, description="Why the log cannot be written; null while it can. Reads go on."
    )
    reads_refused: str | None = Field(None, description="Why the read store cannot be read; null while it can.")


class SourceStatus(BaseModel):
    """Outcomes of the events of one source stream."""

    tenant: str
    environment: str
    stream: str
    counts: OutcomeCountsView


class PartitionStatusView(BaseModel):
    """Progress of a consumer in one partition of a Kafka topic."""

    topic: str
    partition: int
    next_offset: int | None = Field(description="The offset after the last one in the log.")
    end_offset: int | None = Field(description="End offset of the partition, as the consumer last saw it.")
    lag_positions: int
    lag_seconds: float = Field(description="How long the oldest unread record has been waiting, at most.")
    paused: bool = Field(
        description="Whether the consumer has paused the partition, because the fold is behind (backpressure)."
    )
    stopped: str | None = Field(
        description="Why the partition is not read, and what to do about it; null while it is read."
    )


class ConsumerView(BaseModel):
    """Status of one consumer process, as it last reported it."""

    name: str
    pid: int
    written_at: Instant
    stale: bool = Field(description="The consumer has not reported its status for a while: it hangs, or has ended.")
    records: int = Field(description="Records appended since the consumer was started.")
    items_rejected: int
    commands: int
    appends: int
    appends_fenced: int = Field(description="Appends discarded because another consumer had read on (fenced).")
    letters_unpublished: int = Field(description="Dead letters that could not be published; the log has them all.")
    fold_lag_seconds: float = Field(description="Age of the consumer's oldest append that is not folded.")
    trouble: str | None = Field(description="The problem that the consumer is retrying; null when there is none.")
    partitions: list[PartitionStatusView]
    public_poll: str | None = Field(
        description="Why records are read by the slower public poll of kafka-python; null when they are not."
    )


class ReplayView(BaseModel):
    """A replay that runs, or one that was stopped: the next one goes on with what it had made durable."""

    running: bool
    stage: str
    position: int = Field(description="How far it is; of one that was stopped, what it had made durable.")
    until: int


class StatusView(Readiness):
    """The response of GET /v1/operations/status."""

    counts: TotalCountsView
    sources: list[SourceStatus]
    records_lost: int = Field(description="Kafka records that the broker deleted before they were read.")
    commands_refused: int = Field(description="Commands from Kafka that broke a rule.")
    consumers: list[ConsumerView] = Field(description="Consumer processes of this data folder, by name.")
    tenants: list[str] = Field(description="Tenants and their environments, as tenant/environment.")
    log_bytes: int = Field(description="Bytes of the event log on disk.")
    store_bytes: int = Field(description="Bytes of the read store and the identity index on disk.")
    replay: ReplayView | None = Field(description="The replay that runs, or was stopped; null without one.")
