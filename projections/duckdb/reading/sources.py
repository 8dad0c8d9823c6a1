"""Partitions of Kafka topics, read from their table."""

from __future__ import annotations

import duckdb

from domain.values.instants import aware
from projections.duckdb.reading.bound_query import Row
from projections.queries.log import SourceRecord


def sources(cursor: duckdb.DuckDBPyConnection, after: str | None, limit: int) -> list[SourceRecord]:
    """Return a page of the Kafka partitions that were read, by stream."""
    rows = cursor.execute(
        """SELECT stream, topic, partition_number, next_offset, records_lost, commands_refused, position, recorded_at
        FROM sources WHERE stream > ? ORDER BY stream LIMIT ?""",
        [after or "", limit],
    ).fetchall()
    return [_source(row) for row in rows]


def _source(row: Row) -> SourceRecord:
    stream, topic, partition, next_offset, lost, refused, position, recorded_at = row
    return SourceRecord(stream, topic, partition, next_offset, lost, refused, position, aware(recorded_at))
