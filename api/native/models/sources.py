"""Partitions of Kafka topics, as far as the log and the read store know them."""

from __future__ import annotations

from pydantic import BaseModel, Field

from api.native.models.field_types import Instant, PositionOnly


class SourceView(BaseModel):
    stream: str = Field(description="usage/kafka/ and cluster id, topic id, partition: a re-created topic is another.")
    topic: str
    partition: int
    next_offset: int = Field(description="The offset after the last one that is in the log.")
    records_lost: int = Field(description="Offsets that the broker dropped before they were read.")
    commands_refused: int = Field(description="Commands that broke a rule; the log says which and why.")
    recorded_at: Instant = Field(description="When something of it was last appended.")


class SourcePage(PositionOnly):
    data: list[SourceView] = Field(description="By stream.")
    next_cursor: str | None
