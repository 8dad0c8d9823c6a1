"""A builder for DuckDB read stores: rows as the fold would write them, without a log."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from domain.scope import Scope
from domain.usage.locators import locator_of
from domain.values.instants import naive
from projections.duckdb.reading.snapshot import DuckDBReads
from projections.duckdb.storage.database import create_tables
from projections.duckdb.writing.delta_inserts import insert_unit_deltas

LATER = datetime(2030, 1, 1, tzinfo=UTC)
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class PlainEvent:
    """One version of one counted event, valid at positions [counted_at, closed_at)."""

    customer: str = "acme"
    time: datetime = START
    counted_at: int = 1
    closed_at: int | None = None
    row: int = 0
    type: str = "llm.request"
    provider: str | None = "openai"
    model: str | None = "gpt"
    status: str | None = "succeeded"
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: Decimal | None = None
    cost_origin: str = "none"
    price_position: int | None = None
    source: str = "gateway"
    id: str = "e1"
    subscription: str | None = None
    parent_request: str | None = None
    tags: tuple[str, ...] = ()
    units: tuple[tuple[str, Decimal], ...] = ()
    properties: str | None = None
    content: int = 7
    latency_us: int | None = None
    batch: int | None = None  # position of its block, if not counted_at

    @property
    def locator(self) -> int:
        return locator_of(self.batch or self.counted_at, self.row)


@dataclass
class StoreBuilder:
    """Inserts into one connection. Tests can use a scope each, as scopes never affect one another."""

    connection: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)
    _scopes: dict[Scope, int] = field(default_factory=dict)
    _customers: dict[tuple[int, str], int] = field(default_factory=dict)
    _series: dict[tuple[str, str | None, str | None], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        create_tables(self.connection, "test-log", bytes(32))

    @property
    def reads(self) -> DuckDBReads:
        return DuckDBReads(self.connection.cursor)

    def at(self, position: int, recorded_at: datetime = LATER) -> None:
        """Set the position of the fold."""
        self.connection.execute("UPDATE progress SET position = ?, recorded_at = ?", [position, naive(recorded_at)])

    def scope_key(self, scope: Scope) -> int:
        if scope not in self._scopes:
            self._scopes[scope] = len(self._scopes) + 1
            self.connection.execute(
                "INSERT INTO scopes VALUES (?, ?, ?)", [self._scopes[scope], scope.tenant, scope.environment]
            )
        return self._scopes[scope]

    def customer_key(self, scope: Scope, customer: str, position: int = 1) -> int:
        name = (self.scope_key(scope), customer)
        if name not in self._customers:
            self._customers[name] = len(self._customers) + 1
            self.connection.execute(
                "INSERT INTO customers VALUES (?, ?, ?, ?)", [self._customers[name], *name, position]
            )
        return self._customers[name]

    def kind_key(self, event: PlainEvent) -> int:
        series = (event.type, event.provider, event.model)
        if series not in self._series:
            self._series[series] = len(self._series) + 1
            self.connection.execute("INSERT INTO kinds VALUES (?, ?, ?, ?)", [self._series[series], *series])
        return self._series[series]

    def add_events(self, scope: Scope, events: Sequence[PlainEvent], generation: str = "rows_1") -> None:
        """Insert versions of events, and the day deltas of the current ones, one delta per event."""
        if not events:
            return
        rows = [self._row(scope, event) for event in events]
        typed = {
            "tags": pa.array([list(event.tags) or None for event in events], pa.list_(pa.utf8())),
            "unit_names": pa.array(
                [[name for name, _ in event.units] or None for event in events], pa.list_(pa.utf8())
            ),
            "unit_quantities": pa.array(
                [[quantity for _, quantity in event.units] or None for event in events],
                pa.list_(pa.decimal128(38, 12)),
            ),
            "content": pa.array([event.content for event in events], pa.uint64()),
        }
        names = [row[0] for row in self.connection.execute(f"DESCRIBE {generation}").fetchall()]
        table = pa.table({name: [row.get(name) for row in rows] for name in names if name not in typed})
        for name, values in typed.items():
            table = table.append_column(name, values)
        self.connection.register("made", table)
        self.connection.execute(f"INSERT INTO {generation} BY NAME SELECT * FROM made")
        self.connection.execute(
            """INSERT INTO days_2 SELECT scope_key, customer_key, time::DATE, kind_key, 1, input_tokens,
            cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, coalesce(cost_usd, 0),
            (cost_origin = 'unknown')::INT, (parent_request IS NULL)::INT, time, time, 0
            FROM made WHERE closed_at IS NULL"""
        )
        self.connection.execute(  # events counted and voided again: deltas that add up to nothing
            """INSERT INTO days_2 SELECT scope_key, customer_key, time::DATE, kind_key, s, s * input_tokens,
            0, 0, 0, 0, s * coalesce(cost_usd, 0), 0, s * (parent_request IS NULL)::INT,
            if(s > 0, time, NULL), if(s > 0, time, NULL), (s < 0)::INT
            FROM made, (VALUES (1), (-1)) v(s) WHERE closed_at IS NOT NULL"""
        )
        for sign, holds in (("", "closed_at IS NULL"), ("", "closed_at IS NOT NULL"), ("-", "closed_at IS NOT NULL")):
            self.connection.execute(insert_unit_deltas(f"made WHERE unit_names IS NOT NULL AND {holds}", sign))
        self.connection.unregister("made")

    def _row(self, scope: Scope, event: PlainEvent) -> dict[str, Any]:
        known = {name: getattr(event, name) for name in event.__dataclass_fields__}
        return known | {
            "scope_key": self.scope_key(scope),
            "customer_key": self.customer_key(scope, event.customer, event.counted_at),
            "kind_key": self.kind_key(event),
            "locator": event.locator,
            "time": naive(event.time),
            "recorded_at": naive(event.time),
        }

    def add_fact(
        self, scope: Scope, customer: str, position: int, effective_at: datetime, kind: str, fields: dict[str, Any]
    ) -> None:
        key = self.customer_key(scope, customer, position)
        self._insert_fact(["customer", self.scope_key(scope), None, key], position, effective_at, kind, fields)

    def add_budget_fact(
        self, scope: Scope, budget: str, position: int, effective_at: datetime, kind: str, fields: dict[str, Any]
    ) -> None:
        owner = ["budget", self.scope_key(scope), budget, None]
        self._insert_fact(owner, position, effective_at, kind, fields)

    def add_meter_fact(self, scope: Scope, code: str, position: int, kind: str, fields: dict[str, Any]) -> None:
        self._insert_fact(["meter", self.scope_key(scope), code, None], position, START, kind, fields)

    def _insert_fact(
        self, owner: list[Any], position: int, effective_at: datetime, kind: str, fields: dict[str, Any]
    ) -> None:
        at = naive(effective_at)
        values = [*owner, position, at, at, kind, json.dumps(fields), "key-1", "native", None, [], False]
        self.connection.execute(f"INSERT INTO facts VALUES ({', '.join('?' * len(values))})", values)

    def add_log_record(
        self, scope: Scope, position: int, recorded_at: datetime, stream: str, counts: tuple[int, int, int, int]
    ) -> None:
        self.connection.execute(
            "INSERT INTO log_records VALUES (?, ?, ?, 'usage.batch', ?, ?, ?, ?, ?, ?, ?)",
            [position, naive(recorded_at), b"", self.scope_key(scope), stream, sum(counts), *counts],
        )

    def add_outcome(self, scope: Scope, **columns: Any) -> None:
        row = {"scope_key": self.scope_key(scope), "recorded_at": naive(START), "stream": "usage/http/a", **columns}
        placeholders = ", ".join("?" * len(row))
        self.connection.execute(
            f"INSERT INTO stored_outcomes ({', '.join(row)}) VALUES ({placeholders})", list(row.values())
        )
