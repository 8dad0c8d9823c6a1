"""Charges of customers with much usage are read beforehand, so that the next question reads later events alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from consumers.embedded.engine import EmbeddedEngine
from consumers.embedded.jobs import scheduler_of
from projections.duckdb.memory.busy_customers import BUSY_EVENTS_MIN
from projections.duckdb.read_store import DuckDBReadStore
from projections.duckdb.storage.generations import Generations
from tests.engine_fixtures import NOON, Api, SettableClock, engine_on, http

CHARGE = {"code": "gb", "meter": "disk", "price": {"model": "standard", "amount": "2"}}


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


def define(api: Api) -> None:
    api.post("/v1/meters", {"code": "disk", "event_type": "disk", "aggregation": "sum", "value_property": "gb"})
    api.post("/v1/plans", {"code": "p", "interval": "monthly", "currency": "USD", "charges": [CHARGE]})
    api.post("/v1/subscriptions", {"id": "s", "customer": "ada", "plan": "p", "effective_at": NOON.isoformat()})


def deliver(api: Api, first: int, events: int) -> None:
    lines = [
        {"specversion": "1.0", "source": "x", "id": str(number), "type": "disk", "subject": "ada", "data": {"gb": 1}}
        for number in range(first, first + events)
    ]
    api.deliver_bytes("\n".join(map(json.dumps, lines)).encode(), "application/x-ndjson")


def keep(engine: EmbeddedEngine, clock: SettableClock) -> None:
    scheduler = scheduler_of(engine)
    clock.advance(minutes=1)
    assert "keep charges" in scheduler.run_due()


def forget_rows(engine: EmbeddedEngine) -> None:
    """Delete every row of usage, so that what reads them is wrong."""
    store = engine.read_side.store
    assert isinstance(store, DuckDBReadStore)
    with engine.fold.paused:
        cursor = store.database.cursor()
        rows = Generations(cursor)
        rows.load()
        for name in rows.row_tables():
            cursor.execute(f"DELETE FROM {name}")


def units(api: Api) -> str:
    (charged,) = api.get("/v1/customers/ada/charges")["data"]
    found: str = charged["charges"][0]["units"]
    return found


def test_after_many_events_and_after_a_correction(tmp_path: Path, clock: SettableClock) -> None:
    with engine_on(tmp_path / "data", clock) as engine, http(engine) as api:
        define(api)
        clock.advance(hours=1)
        deliver(api, 0, BUSY_EVENTS_MIN)
        keep(engine, clock)
        api.post("/v1/events/void", {"source": "x", "id": "7"}, 200)
        keep(engine, clock)
        forget_rows(engine)
        deliver(api, BUSY_EVENTS_MIN, 1)
        assert units(api) == str(BUSY_EVENTS_MIN)


def test_after_a_start(tmp_path: Path, clock: SettableClock) -> None:
    with engine_on(tmp_path / "data", clock) as engine, http(engine) as api:
        define(api)
        clock.advance(hours=1)
        deliver(api, 0, BUSY_EVENTS_MIN)
    with engine_on(tmp_path / "data", clock) as engine, http(engine) as api:
        keep(engine, clock)
        forget_rows(engine)
        assert units(api) == str(BUSY_EVENTS_MIN)
