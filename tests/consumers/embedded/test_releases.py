"""A data folder of an older release is folded again at start; one of a newer release is refused by name."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import duckdb
import msgspec
import pytest

from consumers.bootstrap import open_engine, replay_closed
from consumers.engine import OperationStep
from consumers.settings import Settings
from domain.errors import UnknownRecord
from domain.log.event_codec import decode_lifecycle, new_record
from domain.log.events import LOG_FORMAT, LogCreated
from projections.duckdb.storage.schema import SCHEMA_VERSION
from projections.errors import IdentityIndexCorrupted, ReadStoreMismatch
from projections.identity.manifest import MANIFEST_FORMAT, Manifest, write_manifest
from tests.api.cli.served_engine import started
from tests.consumers.running_engine import EngineState, deliver, state_of
from tests.engine_fixtures import SettableClock, engine_on
from tests.meterfold_process import meterfold


def store_of(folder: Path) -> Path:
    (read,) = [path for path in (folder / "read").iterdir() if path.is_dir()]
    return read / "store.duckdb"


def schema_of(folder: Path) -> int:
    with duckdb.connect(str(store_of(folder)), read_only=True) as store:
        return int(store.execute("SELECT schema_version FROM progress").fetchall()[0][0])


def log_id_of(folder: Path) -> str:
    with duckdb.connect(str(store_of(folder)), read_only=True) as store:
        return str(store.execute("SELECT log_id FROM progress").fetchall()[0][0])


def written_by(folder: Path, schema_version: int) -> None:
    """Make the read store one of another release: its tables are not those of this one."""
    with duckdb.connect(str(store_of(folder))) as store:
        store.execute("UPDATE progress SET schema_version = ?", [schema_version])
        store.execute("DROP VIEW outcomes")


def filled(folder: Path, clock: SettableClock) -> EngineState:
    with engine_on(folder, clock) as engine:
        deliver(engine, clock, 300)
        return state_of(engine)


def test_a_read_store_of_an_older_release_is_folded_again_with_progress(tmp_path: Path) -> None:
    folder, clock = tmp_path / "data", SettableClock()
    before = filled(folder, clock)
    written_by(folder, SCHEMA_VERSION - 1)
    steps: list[OperationStep] = []
    settings = Settings(data_dir=folder, intake_process=False)
    with open_engine(settings, clock=clock, on_step=steps.append) as engine:
        assert state_of(engine) == before
        deliver(engine, clock, 10, first=1000)
    assert steps
    assert steps[-1].done == steps[-1].total
    assert schema_of(folder) == SCHEMA_VERSION


@pytest.mark.parametrize("difference", [-1, 1])
def test_an_identity_index_of_an_older_format_is_folded_again_and_a_newer_one_refused(
    tmp_path: Path, difference: int
) -> None:
    folder, clock = tmp_path / "data", SettableClock()
    before = filled(folder, clock)
    settings = Settings(data_dir=folder, intake_process=False)
    index = store_of(folder).parent / "identity"
    write_manifest(index, Manifest(MANIFEST_FORMAT + difference, log_id_of(folder)))
    if difference > 0:
        with pytest.raises(IdentityIndexCorrupted, match="newer release"), open_engine(settings, clock=clock):
            pass
        return
    with open_engine(settings, clock=clock) as engine:
        assert state_of(engine) == before


def test_a_refolding_that_is_stopped_is_begun_again_at_the_next_start(tmp_path: Path) -> None:
    folder, clock = tmp_path / "data", SettableClock()
    before = filled(folder, clock)
    written_by(folder, SCHEMA_VERSION - 1)

    def stop(step: OperationStep) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), open_engine(Settings(data_dir=folder), clock=clock, on_step=stop):
        pass
    with engine_on(folder, clock) as engine:
        assert state_of(engine) == before


def test_the_terminal_shows_that_the_log_is_folded_again(tmp_path: Path) -> None:
    folder, output = tmp_path / "data", tmp_path / "output"
    filled(folder, SettableClock())
    written_by(folder, SCHEMA_VERSION - 1)
    engine = started(folder, output)
    engine.stop()
    assert "The read store was written by an older release and is rebuilt from the log: " in output.read_text()
    assert schema_of(folder) == SCHEMA_VERSION


def test_a_read_store_of_a_newer_release_is_refused_by_both_versions_and_left_alone(tmp_path: Path) -> None:
    folder, clock = tmp_path / "data", SettableClock()
    before = filled(folder, clock)
    written_by(folder, SCHEMA_VERSION + 1)
    refused = f"schema {SCHEMA_VERSION + 1}, written by a newer release; this one knows {SCHEMA_VERSION}"
    with pytest.raises(ReadStoreMismatch, match=refused), open_engine(Settings(data_dir=folder), clock=clock):
        pass
    assert schema_of(folder) == SCHEMA_VERSION + 1
    assert list(replay_closed(Settings(data_dir=folder), clock=clock))
    with engine_on(folder, clock) as engine:
        assert state_of(engine) == before


def test_a_log_of_a_newer_format_is_refused_by_both_formats_also_by_rebuild(tmp_path: Path) -> None:
    folder, clock = tmp_path / "data", SettableClock()
    filled(folder, clock)
    with sqlite3.connect(folder / "log.sqlite") as log:
        topic, state = log.execute("SELECT topic, state FROM stored_events WHERE rowid = 1").fetchone()
        created = decode_lifecycle(topic, state)
        assert isinstance(created, LogCreated)
        newer = new_record(msgspec.structs.replace(created, log_format=LOG_FORMAT + 1))
        log.execute("UPDATE stored_events SET state = ? WHERE rowid = 1", [newer.state])
    log.close()
    refused = f"format {LOG_FORMAT + 1}, written by a newer release; this one knows {LOG_FORMAT}"
    settings = Settings(data_dir=folder)
    with pytest.raises(UnknownRecord, match=refused), open_engine(settings, clock=clock):
        pass
    with pytest.raises(UnknownRecord, match=refused):
        list(replay_closed(settings, clock=clock))
    meterfold("status", "--data", str(folder), status=4)
