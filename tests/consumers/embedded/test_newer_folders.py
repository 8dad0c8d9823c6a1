"""A data folder of a newer release is refused by the name of that release, and no byte of it changes."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import msgspec
import pytest

from consumers.bootstrap import open_engine, open_partition_appender, replay_closed
from consumers.embedded.data_folder import DataFolder
from consumers.embedded.folder_formats import FORMATS_FILE, LOG_FORMATS, FolderFormats, derived_formats, read_formats
from consumers.errors import FolderTooNew, FolderUnusable
from consumers.release import running_release
from consumers.settings import Settings
from domain.errors import UnknownRecord
from domain.log.blocks import BLOCK_VERSION, MAGIC
from domain.log.event_codec import decode_lifecycle, new_record
from domain.log.events import LOG_FORMAT, LogCreated
from projections.duckdb.read_store import DuckDBOpener
from projections.duckdb.storage.schema import SCHEMA_VERSION
from projections.errors import IdentityIndexCorrupted, ReadStoreMismatch
from projections.identity.manifest import MANIFEST_FORMAT, Manifest, write_manifest
from tests.consumers.running_engine import deliver, state_of
from tests.engine_fixtures import SettableClock, engine_on
from tests.meterfold_process import ROOT, command_line, environment

NEWER = "9.8.7"
STORES = DuckDBOpener("1GB", 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that this release has written and closed, with what an interrupted rebuild has left."""
    path = tmp_path / "data"
    with engine_on(path, SettableClock()) as engine:
        deliver(engine, SettableClock(), 20)
    (path / "read" / "0007").mkdir()
    (path / "read" / "0007" / "store.duckdb").write_text("left")
    return path


def content(folder: Path) -> dict[str, str]:
    """The hash of every file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def append(folder: Path, topic: str, state: bytes) -> None:
    """Add a record behind the last one, without an engine."""
    with sqlite3.connect(folder / "log.sqlite") as log:
        log.execute(
            "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES (?, ?, ?, ?)",
            ["of-a-newer-release", 1, topic, state],
        )
    log.close()


def read_store(folder: Path) -> Path:
    return folder / "read" / "0001"


def with_newer_block(folder: Path) -> None:
    append(folder, "usage.batch", MAGIC[:3] + str(BLOCK_VERSION + 1).encode() + bytes(100))


def with_newer_event(folder: Path) -> None:
    append(folder, "customer.created", msgspec.msgpack.encode((2, {})))


def with_unknown_event(folder: Path) -> None:
    append(folder, "customer.cloned", msgspec.msgpack.encode((1, {})))


def with_newer_store(folder: Path) -> None:
    with duckdb.connect(str(read_store(folder) / "store.duckdb")) as store:
        store.execute("UPDATE progress SET schema_version = ?", [SCHEMA_VERSION + 1])


def with_newer_index(folder: Path) -> None:
    with duckdb.connect(str(read_store(folder) / "store.duckdb"), read_only=True) as store:
        log_id = str(store.execute("SELECT log_id FROM progress").fetchall()[0][0])
    write_manifest(read_store(folder) / "identity", Manifest(MANIFEST_FORMAT + 1, log_id))


def with_newer_log(folder: Path) -> None:
    with sqlite3.connect(folder / "log.sqlite") as log:
        topic, state = log.execute("SELECT topic, state FROM stored_events WHERE rowid = 1").fetchone()
        created = decode_lifecycle(topic, state)
        assert isinstance(created, LogCreated)
        newer = new_record(msgspec.structs.replace(created, log_format=LOG_FORMAT + 1))
        log.execute("UPDATE stored_events SET state = ? WHERE rowid = 1", [newer.state])
    log.close()


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize(
    ("change", "refusal", "reason"),
    [
        (with_newer_block, UnknownRecord, f"usage block has version {BLOCK_VERSION + 1}"),
        (with_newer_event, UnknownRecord, "'customer.created' has class version 2"),
        (with_unknown_event, UnknownRecord, "'customer.cloned' is not known to this release"),
        (with_newer_store, ReadStoreMismatch, f"schema {SCHEMA_VERSION + 1}, written by a newer release"),
        (with_newer_index, IdentityIndexCorrupted, f"format {MANIFEST_FORMAT + 1} of a newer release"),
        (with_newer_log, UnknownRecord, f"format {LOG_FORMAT + 1}, written by a newer release"),
    ],
)
def test_whatever_a_newer_release_wrote_is_refused_before_anything_changes(
    folder: Path, change: Callable[[Path], None], refusal: type[Exception], reason: str, recorded: bool
) -> None:
    change(folder)
    if not recorded:
        (folder / FORMATS_FILE).unlink()
    before = content(folder)
    with pytest.raises(refusal, match=reason), open_engine(Settings(data_dir=folder, intake_process=False)):
        pass
    assert content(folder) == before


@pytest.mark.parametrize("change", [with_newer_block, with_newer_event, with_unknown_event, with_newer_log])
def test_a_newer_log_is_refused_by_consumers_and_by_rebuild_too(folder: Path, change: Callable[[Path], None]) -> None:
    change(folder)
    (folder / FORMATS_FILE).unlink()
    before, settings = content(folder), Settings(data_dir=folder)
    with pytest.raises(UnknownRecord), open_partition_appender(settings):
        pass
    with pytest.raises(UnknownRecord):
        list(replay_closed(settings))
    assert content(folder) == before


def written_by(folder: Path, part: str, format_name: str, version: int) -> None:
    """Say in the folder that a newer release has written this format."""
    formats = {"log": dict(LOG_FORMATS), "derived": derived_formats(STORES)}
    formats[part][format_name] = version
    (folder / FORMATS_FILE).write_text(json.dumps({"release": NEWER, **formats}))


@pytest.mark.parametrize(
    ("part", "format_name", "version"),
    [
        ("log", "log", LOG_FORMAT + 1),
        ("log", "usage_block", BLOCK_VERSION + 1),
        ("log", "event customer.created", 2),
        ("log", "event invoice.issued", 1),
        ("derived", "read_store", SCHEMA_VERSION + 1),
        ("derived", "identity_index", MANIFEST_FORMAT + 1),
        ("derived", "sorted_files", 1),
    ],
)
def test_the_release_that_is_needed_is_named_by_the_engine_and_by_consumers(
    folder: Path, part: str, format_name: str, version: int
) -> None:
    written_by(folder, part, format_name, version)
    before, settings = content(folder), Settings(data_dir=folder, intake_process=False)
    needed = f"{format_name} in version {version}.*start Meterfold {NEWER} or newer"
    with pytest.raises(FolderTooNew, match=needed), open_engine(settings):
        pass
    with pytest.raises(FolderTooNew, match=needed), open_partition_appender(settings):
        pass
    assert content(folder) == before


@pytest.mark.parametrize("command", [["status"], ["replay"], ["serve"]])
def test_the_command_line_says_which_release_is_needed(folder: Path, command: list[str]) -> None:
    written_by(folder, "log", "usage_block", BLOCK_VERSION + 1)
    before = content(folder)
    ended = subprocess.run(
        command_line(*command, "--data", str(folder)), env=environment(), capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (4, "")
    assert f"start Meterfold {NEWER} or newer" in " ".join(ended.stderr.split())
    assert content(folder) == before


def test_a_rebuild_takes_what_is_derived_back_and_refuses_a_newer_log(folder: Path) -> None:
    with engine_on(folder, SettableClock()) as engine:
        before = state_of(engine)
    written_by(folder, "derived", "sorted_files", 1)
    assert list(replay_closed(Settings(data_dir=folder)))
    with engine_on(folder, SettableClock()) as engine:
        assert state_of(engine) == before
    written_by(folder, "log", "usage_block", BLOCK_VERSION + 1)
    with pytest.raises(FolderTooNew, match=NEWER):
        list(replay_closed(Settings(data_dir=folder)))


def test_a_folder_records_its_formats_and_one_of_before_when_it_is_opened(folder: Path) -> None:
    written = read_formats(folder)
    assert written == FolderFormats(running_release(), dict(LOG_FORMATS), derived_formats(STORES))
    (folder / FORMATS_FILE).unlink()
    with engine_on(folder, SettableClock()):
        assert read_formats(folder) == written
    (folder / FORMATS_FILE).write_text(
        json.dumps({"release": "0.0.9", "log": {"log": 1}, "derived": {"read_store": 1}})
    )
    with engine_on(folder, SettableClock()):
        assert read_formats(folder) == written


def test_processes_that_record_at_the_same_time_do_not_disturb_each_other(folder: Path) -> None:
    (folder / FORMATS_FILE).unlink()
    recording = (
        "import sys; from pathlib import Path; from consumers.embedded.folder_formats import record_formats\n"
        "from projections.duckdb.read_store import DuckDBOpener\n"
        "folder, stores = Path(sys.argv[1]), DuckDBOpener('1GB', 1)\n"
        "for _ in range(50): (folder / 'formats.json').unlink(missing_ok=True); record_formats(folder, stores)"
    )
    command = [sys.executable, "-c", recording, str(folder)]
    processes = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate()[1] for process in processes] == ["", "", ""]
    assert read_formats(folder) == FolderFormats(running_release(), dict(LOG_FORMATS), derived_formats(STORES))


def test_a_consumer_does_not_write_a_newer_format_beside_an_engine_that_has_not_recorded_it(folder: Path) -> None:
    with engine_on(folder, SettableClock()):
        DataFolder(folder).announce("http://127.0.0.1:1")
        (folder / FORMATS_FILE).unlink()
        with (
            pytest.raises(FolderUnusable, match="an engine of an older release runs"),
            open_partition_appender(Settings(data_dir=folder)),
        ):
            pass


def test_formats_that_cannot_be_read_are_not_guessed(folder: Path) -> None:
    for damaged in (b"{", b"\xff\xfe", b"[]"):
        (folder / FORMATS_FILE).write_bytes(damaged)
        with pytest.raises(FolderUnusable, match=r"formats\.json is damaged"), open_engine(Settings(data_dir=folder)):
            pass
    (folder / FORMATS_FILE).write_text(json.dumps({"release": NEWER, "of": "another form"}))
    with pytest.raises(FolderTooNew, match=f"start Meterfold {NEWER}"), open_engine(Settings(data_dir=folder)):
        pass


def test_a_file_in_place_of_the_folder_is_told_as_before(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderUnusable, match="choose another one"), open_engine(Settings(data_dir=tmp_path / "file")):
        pass
