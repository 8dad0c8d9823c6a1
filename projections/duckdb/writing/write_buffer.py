"""What a fold transaction writes at its end, a table at a time: facts, and how far partitions were read.

A row by itself takes DuckDB a millisecond, a table of thousands little more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pyarrow as pa

from domain.event import LifecycleEvent
from domain.values.instants import naive
from projections.folding.fold_store import SourceMoved

_INSTANT: Final = pa.timestamp("us")
_FACT: Final = [
    ("position", pa.int64()),
    ("effective_at", _INSTANT),
    ("recorded_at", _INSTANT),
    ("kind", pa.utf8()),
    ("fields", pa.utf8()),
    ("actor", pa.utf8()),
    ("dialect", pa.utf8()),
    ("reason", pa.utf8()),
]
_SCOPE: Final = ("scope_key", pa.int32())
_FACT_SCHEMAS: Final = {
    "customer_facts": pa.schema([("customer_key", pa.int64()), *_FACT]),
    "budget_facts": pa.schema([_SCOPE, ("budget_id", pa.utf8()), *_FACT]),
    "meter_facts": pa.schema([_SCOPE, ("code", pa.utf8()), *_FACT]),
}
_SOURCES: Final = pa.schema(
    [
        ("stream", pa.utf8()),
        ("topic", pa.utf8()),
        ("partition_number", pa.int32()),
        ("next_offset", pa.int64()),
        ("records_lost", pa.int64()),
        ("commands_refused", pa.int64()),
        ("position", pa.int64()),
        ("recorded_at", _INSTANT),
    ]
)


class WriteBuffer:
    """Rows of one transaction."""

    def __init__(self) -> None:
        self._facts: dict[str, list[tuple[Any, ...]]] = {}
        self._sources: dict[str, SourceMoved] = {}

    def add_fact(
        self,
        table: str,
        owner: tuple[int] | tuple[int, str],
        position: int,
        kind: str,
        event: LifecycleEvent,
        fields: dict[str, Any],
    ) -> None:
        said_by = event.provenance
        instants = naive(event.effective_at), naive(event.recorded_at)
        told = (kind, json.dumps(fields), said_by.actor, said_by.dialect, said_by.reason)
        self._facts.setdefault(table, []).append((*owner, position, *instants, *told))

    def move_source(self, moved: SourceMoved) -> None:
        """Add it up with what was said before of the same partition; the higher position says where it is."""
        known = self._sources.get(moved.stream)
        if known is None:
            self._sources[moved.stream] = moved
            return
        self._sources[moved.stream] = msgspec.structs.replace(
            moved if moved.position > known.position else known,
            records_lost=known.records_lost + moved.records_lost,
            commands_refused=known.commands_refused + moved.commands_refused,
        )

    def facts(self) -> Iterator[tuple[str, pa.Table]]:
        """The rows of each table of facts that has any."""
        for table, rows in self._facts.items():
            yield table, _table(_FACT_SCHEMAS[table], rows)

    def sources(self) -> pa.Table | None:
        """A row for each partition that moved; None when none did. Sums are of this transaction alone."""
        if not self._sources:
            return None
        return _table(
            _SOURCES,
            [
                (
                    one.stream,
                    one.topic,
                    one.partition,
                    one.next_offset,
                    one.records_lost,
                    one.commands_refused,
                    one.position,
                    naive(one.recorded_at),
                )
                for one in self._sources.values()
            ],
        )


def _table(schema: pa.Schema, rows: list[tuple[Any, ...]]) -> pa.Table:
    arrays = [pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)
