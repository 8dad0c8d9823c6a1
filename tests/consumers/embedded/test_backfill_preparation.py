"""An engine works large commits and reverts of backfills out beforehand, so that their fold holds nobody up."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from consumers.embedded.backfill_preparation import PREPARED_EVENTS_MIN, BackfillPreparation
from consumers.embedded.engine import EmbeddedEngine
from consumers.engine import Finding, OperationResult
from domain.scope import DEFAULT_SCOPE
from domain.values.instants import instant_text
from projections.folding.fold_state import FoldState
from projections.read_side.loaded_events import FoldReads, LoadedEvents
from projections.read_side.prepared_changes import AskedCommit
from tests.consumers.running_engine import deliver, duckdb_store_of, state_of
from tests.engine_fixtures import NDJSON, Api, SettableClock, engine_on, http
from tests.waiting import eventually

EVENTS = PREPARED_EVENTS_MIN
PATIENCE_SECONDS = 30


def load(api: Api, clock: SettableClock) -> int:
    """Open a backfill of yesterday, load it, and return the position of its preview."""
    start = clock() - timedelta(days=1)
    asked = {"name": "lost", "from": instant_text(start), "to": instant_text(clock()), "mode": "add"}
    api.post("/v1/backfills", asked)
    event = {"specversion": "1.0", "source": "gateway", "type": "llm.request", "time": instant_text(start)}
    for first in range(0, EVENTS, 5_000):
        lines = (
            json.dumps({**event, "id": f"lost-{n}", "subject": f"customer-{n % 50}", "data": {"cost_usd": "0.01"}})
            for n in range(first, first + 5_000)
        )
        body = "\n".join(lines).encode()
        api.send("POST", "/v1/backfills/lost/events", 200, {"Content-Type": NDJSON}, content=body)
    return int(api.get("/v1/backfills/lost/preview")["previewed_at"])


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def engine(folder: Path, clock: SettableClock) -> Iterator[EmbeddedEngine]:
    with engine_on(folder, clock) as made:
        yield made


def attached(engine: EmbeddedEngine) -> dict[str, int]:
    """Of rows and outcomes, the tables of at least so many."""
    cursor = duckdb_store_of(engine).database.cursor()
    names = cursor.execute("SELECT name, kind FROM generations WHERE state = 'settled' AND kind <> 'days'").fetchall()
    sizes = [(kind, cursor.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0]) for name, kind in names]
    cursor.close()
    return {kind: size for kind, size in sizes if size >= EVENTS}


def findings(engine: EmbeddedEngine) -> tuple[Finding, ...]:
    *_, result = engine.verify()
    assert isinstance(result, OperationResult)
    return result.findings


def test_a_large_commit_and_its_revert_are_attached_and_verified(engine: EmbeddedEngine, clock: SettableClock) -> None:
    deliver(engine, clock, 100)
    with http(engine) as api:
        previewed_at = load(api, clock)
        committed = api.post("/v1/backfills/lost/commit", {"previewed_at": previewed_at}, 200)
        assert (committed["committed"]["counted"], attached(engine)) == (EVENTS, {"rows": EVENTS})
        assert eventually(lambda: not duckdb_store_of(engine).unflushed().is_costly, PATIENCE_SECONDS)
        assert findings(engine) == ()
        reverted = api.post("/v1/backfills/lost/revert", {}, 200)
        assert (reverted["reverted"]["withdrawn"], attached(engine)) == (EVENTS, {"rows": EVENTS, "outcomes": EVENTS})
        assert findings(engine) == ()


def test_what_was_attached_and_not_flushed_is_worked_out_again_after_a_crash(
    folder: Path, tmp_path: Path, clock: SettableClock
) -> None:
    with engine_on(folder, clock) as engine:
        deliver(engine, clock, 100)
        with http(engine) as api:
            previewed_at = load(api, clock)
            engine.flushing.flush()
            engine.flushing.stop()
            api.post("/v1/backfills/lost/commit", {"previewed_at": previewed_at}, 200)
        before = state_of(engine)
        shutil.copytree(folder, tmp_path / "crashed", ignore=shutil.ignore_patterns("append-signal"))
    with engine_on(tmp_path / "crashed", clock) as engine:
        assert eventually(lambda: engine.folded_position() == engine.log.head_position(), PATIENCE_SECONDS)
        assert (state_of(engine), attached(engine)) == (before, {})
        assert findings(engine) == ()


class Unprepared(LoadedEvents):
    """Cannot try a commit: its disk is full."""

    def __init__(self) -> None:
        pass

    def fold_state(self, reads: FoldReads) -> FoldState:
        raise OSError("no space left on device")


def test_a_change_that_cannot_be_worked_out_is_left_to_the_fold(engine: EmbeddedEngine, clock: SettableClock) -> None:
    with http(engine) as api:
        previewed_at = load(api, clock)
        preparation = BackfillPreparation(engine.live, Unprepared())
        assert not preparation.commit(AskedCommit(DEFAULT_SCOPE, "lost", previewed_at, 4))
        backfill = api.get("/v1/backfills/lost")
        assert (backfill["state"], backfill["loaded_events"]) == ("open", EVENTS)
