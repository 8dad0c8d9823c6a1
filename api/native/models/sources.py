"""Responses about sources: partitions of Kafka topics, as recorded in the log."""

from __future__ import annotations

from pydantic import BaseModel, Field

from api.native.models.field_types import Instant, PositionedView


class SourceView(BaseModel):
    """Progress of one partition of a Kafka topic."""

    stream: str = Field(
        description="usage/kafka/ with cluster id, topic id and partition. A re-created topic is another stream."
    )
    topic: str
    partition: int
    next_offset: int = Field(description="The offset after the last one in the log.")
    records_lost: int = Field(description="Offsets that the broker deleted before they were read.")
    commands_refused: int = Field(description="Commands that broke a rule; the log records which rule.")
    recorded_at: Instant = Field(description="When a record of the partition was last appended to the log.")


class SourcePage(PositionedView):
    """One page of sources."""

    data: list[SourceView] = Field(description="In order of stream.")
    next_cursor: str | None
