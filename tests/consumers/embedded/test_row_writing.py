"""An engine that lacks rows after a rebuild answers from numbers, takes usage, and lets corrections wait."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from consumers.bootstrap import replay_closed
from consumers.embedded.engine import EmbeddedEngine
from consumers.engine import OperationResult
from consumers.settings import Settings
from domain.corrections.commands import VoidUsage
from domain.event import Provenance
from domain.scope import DEFAULT_SCOPE
from projections.errors import RowsBeingWritten
from projections.queries.events import EventFilter
from tests.consumers.row_writing import lacking_rows
from tests.consumers.running_engine import deliver, state_of
from tests.engine_fixtures import Api, SettableClock, engine_on, http
from tests.waiting import eventually

SECONDS = 20
CUSTOMER = "/v1/customers/customer-3"
#: Questions that need rows, and some that are answered from numbers.
NEEDS_ROWS = ("/v1/events", f"{CUSTOMER}/usage?group_by=status", "/customer/list", "/promptshuttle/api/v1/customers")
NEEDS_NUMBERS = (
    CUSTOMER,
    f"{CUSTOMER}/current-usage",
    f"{CUSTOMER}/past-usage",
    f"{CUSTOMER}/budget",
    f"{CUSTOMER}/access",
    f"{CUSTOMER}/usage?from=2025-05-20&to=2025-06-02&window=day&group_by=model",
)


def numbers(api: Api) -> list[Any]:
    return [api.send("GET", path, 200).json() for path in NEEDS_NUMBERS]


def test_numbers_are_answered_in_full_and_what_needs_rows_is_told_to_come_again(tmp_path: Path) -> None:
    clock = SettableClock()
    with engine_on(tmp_path / "data", clock) as engine, http(engine) as api:
        deliver(engine, clock, 300)
        before = numbers(api)
        with lacking_rows(engine):
            assert numbers(api) == before
            for path in NEEDS_ROWS:
                answer = api.send("GET", path, 503)
                assert answer.headers["Retry-After"] == "1", path
                assert "being written" in json.dumps(answer.json()), path
            with pytest.raises(RowsBeingWritten), engine.reads.snapshot() as snapshot:
                snapshot.require_rows()
        assert numbers(api) == before
        assert all(api.send("GET", path, 200) for path in NEEDS_ROWS)


def test_verification_waits_for_the_rows(tmp_path: Path) -> None:
    clock = SettableClock()
    with engine_on(tmp_path / "data", clock) as engine:
        deliver(engine, clock, 30)
        with lacking_rows(engine):
            with pytest.raises(RowsBeingWritten):
                list(engine.verify())
            with pytest.raises(RowsBeingWritten), engine.read_side.store.held():
                pass
        *_, last = engine.verify()
        assert last.findings == ()  # type: ignore[union-attr]


def voided(engine: EmbeddedEngine, number: int) -> int:
    position = engine.commands.handle(
        VoidUsage(DEFAULT_SCOPE, Provenance("test"), "gateway", f"event-{number}")
    ).position
    assert position is not None
    return position


def test_usage_is_counted_meanwhile_and_a_void_once_the_rows_are_there(tmp_path: Path) -> None:
    clock = SettableClock()
    with engine_on(tmp_path / "data", clock) as engine, http(engine) as api:
        deliver(engine, clock, 70)
        with lacking_rows(engine):
            deliver(engine, clock, 14, first=70)
            events = api.get(f"{CUSTOMER}/usage", **{"from": "2025-05-20", "to": "2025-06-02"})["data"][0]["requests"]
            assert events == 12
            position = voided(engine, 3)
            assert not engine.wait_folded(position, 0.5)
            assert engine.progress().failure is None
        assert engine.wait_folded(position, SECONDS)
        with engine.reads.snapshot() as snapshot:
            assert len(snapshot.events(DEFAULT_SCOPE, EventFilter(), None, 200)) == 83
        *_, last = engine.verify()
        assert last.findings == ()  # type: ignore[union-attr]


def test_an_engine_that_was_stopped_goes_on_writing_rows(tmp_path: Path) -> None:
    clock = SettableClock()
    with engine_on(tmp_path / "data", clock) as engine:
        deliver(engine, clock, 50)
        before = state_of(engine)
        stopped = lacking_rows(engine)
        stopped.__enter__()
    with engine_on(tmp_path / "data", clock) as engine:
        assert eventually(lambda: engine.read_side.store.missing_rows() is None, SECONDS)
        assert state_of(engine) == before


def test_a_rebuild_of_a_closed_folder_that_was_stopped_is_taken_up_again(tmp_path: Path) -> None:
    clock = SettableClock()
    with engine_on(tmp_path / "data", clock) as engine:
        deliver(engine, clock, 50)
        before = state_of(engine)
    settings = Settings(data_dir=tmp_path / "data")
    for steps_done in (1, 2):
        stopped = replay_closed(settings, clock=clock)
        for _ in range(steps_done):
            assert next(stopped)
        stopped.close()  # type: ignore[attr-defined]
    *_, last = replay_closed(settings, clock=clock)
    assert isinstance(last, OperationResult)
    assert last.events == 50
    with engine_on(tmp_path / "data", clock) as engine:
        assert state_of(engine) == before
        *_, last = engine.verify()
        assert last.findings == ()  # type: ignore[union-attr]
