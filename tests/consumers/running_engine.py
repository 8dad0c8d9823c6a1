"""Delivering to an engine without HTTP, and looking at all it knows."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import msgspec

from consumers.embedded.engine import EmbeddedEngine
from consumers.intake.intake import IntakeReceipt, IntakeRequest
from domain.scope import DEFAULT_SCOPE
from projections.duckdb.read_store import DuckDBReadStore
from projections.duckdb.verification.comparison import logical_view
from tests.engine_fixtures import SettableClock


class EngineState(msgspec.Struct, frozen=True):
    """What readers can see, without what the log says about itself."""

    counted: int
    rows: list[str]
    days: list[str]
    outcomes: list[str]


def deliver(engine: EmbeddedEngine, clock: SettableClock, events: int, first: int = 0) -> IntakeReceipt:
    """Deliver numbered events, and wait until they are folded."""
    receipt = submit(engine, clock, events, first)
    assert engine.wait_folded(receipt.position, 60)
    return receipt


def submit(engine: EmbeddedEngine, clock: SettableClock, events: int, first: int = 0) -> IntakeReceipt:
    """Append numbered events to the log."""
    lines = [
        json.dumps(
            {
                "specversion": "1.0",
                "id": f"event-{number}",
                "source": "gateway",
                "type": "llm.request",
                "subject": f"customer-{number % 7}",
                "time": (clock() - timedelta(minutes=number % 10_000)).replace(microsecond=number % 1000).isoformat(),
                "data": {
                    "provider": "nowhere",
                    "model": f"m-{number % 3}",
                    "input_tokens": number,
                    "cost_usd": str(Decimal(number) / 1000),
                },
            }
        )
        for number in range(first, first + events)
    ]
    request = IntakeRequest(DEFAULT_SCOPE, "application/x-ndjson", "\n".join(lines).encode())
    return engine.intake.submit(request).result(60)


def duckdb_store_of(engine: EmbeddedEngine) -> DuckDBReadStore:
    """The read store in use, for tests that look into its tables."""
    store = engine.read_side.store
    assert isinstance(store, DuckDBReadStore)
    return store


def state_of(engine: EmbeddedEngine) -> EngineState:
    """Everything about usage, in one order."""
    cursor = duckdb_store_of(engine).database.cursor()
    try:
        catalog = str(cursor.execute("SELECT current_database()").fetchall()[0][0])
        views = []
        for name in ("usage rows", "usage days", "outcomes"):
            query = logical_view(cursor, name, catalog)
            views.append(
                sorted(row[0] for row in cursor.execute(f"SELECT to_json(v)::VARCHAR FROM ({query}) v").fetchall())
            )
    finally:
        cursor.close()
    with engine.reads.snapshot() as snapshot:
        return EngineState(snapshot.totals().counted, *views)
