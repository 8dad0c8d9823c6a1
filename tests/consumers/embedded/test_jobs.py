"""Scheduled jobs of a real engine: they seal, merge, announce and verify, and change no number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.embedded.engine import EmbeddedEngine
from consumers.embedded.jobs import scheduler_of
from domain.log.event_codec import decode_lifecycle
from domain.log.events import ClosingsAnnounced, LogSealed
from domain.streams import LOG_STREAM
from tests.consumers.running_engine import deliver, state_of
from tests.engine_fixtures import SettableClock, engine_on


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def engine(tmp_path: Path, clock: SettableClock) -> Iterator[EmbeddedEngine]:
    with engine_on(tmp_path / "data", clock, compact_deltas_min=1, compact_rows_min=1) as running:
        yield running


def test_a_day_of_jobs_changes_no_number(engine: EmbeddedEngine, clock: SettableClock) -> None:
    scheduler = scheduler_of(engine)
    deliver(engine, clock, 500)
    before = state_of(engine)
    ran = set[str]()
    for _ in range(25):
        clock.advance(hours=1)
        ran.update(scheduler.run_due())
    of_storage = {"seal", "compact", "keep key use", "verify"}
    assert ran == {"announce", "refresh prices", "keep charges", *of_storage}
    assert state_of(engine) == before
    assert engine.folder.operations()["verified"]["findings"] == 0


def test_seals_hold_the_running_hash_and_an_idle_log_is_not_sealed_again(
    engine: EmbeddedEngine, clock: SettableClock
) -> None:
    scheduler = scheduler_of(engine)
    deliver(engine, clock, 10)
    clock.advance(minutes=6)
    scheduler.run_due()
    sealed = [event for event in _about_the_log(engine) if isinstance(event, LogSealed)]
    assert len(sealed) == 1
    engine.wait_folded(engine.log.head_position(), 10)
    assert engine.read_side.store.fold.running_hash_at(sealed[0].position) == sealed[0].running_hash
    clock.advance(minutes=6)
    scheduler.run_due()
    assert len([event for event in _about_the_log(engine) if isinstance(event, LogSealed)]) == 1


def test_closings_are_announced_once_an_hour_behind_the_grace(engine: EmbeddedEngine, clock: SettableClock) -> None:
    scheduler = scheduler_of(engine)
    for _ in range(13):
        clock.advance(minutes=10)
        scheduler.run_due()
    announced = [event.until.hour for event in _about_the_log(engine) if isinstance(event, ClosingsAnnounced)]
    assert announced == [11, 12, 13]


def test_flushes_and_merges_survive_a_restart(tmp_path: Path, clock: SettableClock) -> None:
    with engine_on(tmp_path / "kept", clock, compact_deltas_min=1, compact_rows_min=1) as engine:
        for number in range(11):
            deliver(engine, clock, 60, first=44 * number)
            engine.flushing.flush()
        engine.upkeep.compact()
        before = state_of(engine)
    with engine_on(tmp_path / "kept", clock) as engine:
        assert state_of(engine) == before
        deliver(engine, clock, 500)
        assert state_of(engine).counted == before.counted


def _about_the_log(engine: EmbeddedEngine) -> list[object]:
    return [decode_lifecycle(record.topic, record.state) for record in engine.log.stream(LOG_STREAM)]
