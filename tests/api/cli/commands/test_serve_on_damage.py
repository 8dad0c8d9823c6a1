"""`meterfold serve` on a damaged read store or an older log names a command that repairs it."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.consumers.running_engine import deliver, state_of
from tests.engine_fixtures import SettableClock, engine_on
from tests.meterfold_process import COMMAND_SECONDS_MAX, command_line, environment, meterfold

Damage = Callable[[Path], None]


def serve_refused(folder: Path) -> tuple[int, str]:
    """The exit code and message of `meterfold serve` on this folder."""
    return refused("serve", "--data", str(folder), "--port", "0")


def refused(*arguments: str) -> tuple[int, str]:
    """The exit code and message of a command that fails."""
    ended = subprocess.run(
        command_line(*arguments),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS_MAX,
        check=False,
    )
    assert ended.stdout == ""
    return ended.returncode, ended.stderr


def read_folder(folder: Path) -> Path:
    (read,) = [path for path in (folder / "read").iterdir() if path.is_dir()]
    return read


def log_content(folder: Path) -> str:
    with sqlite3.connect(f"file:{folder / 'log.sqlite'}?mode=ro", uri=True) as log:
        records = log.execute("SELECT * FROM stored_events ORDER BY rowid").fetchall()
    log.close()
    return hashlib.sha256(repr(records).encode()).hexdigest()


def overwrite(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


def store_full_of_nonsense(folder: Path) -> None:
    store = read_folder(folder) / "store.duckdb"
    store.write_bytes(b"no database" * 1000)


def store_with_a_damaged_header(folder: Path) -> None:
    overwrite(read_folder(folder) / "store.duckdb", 4096 + 16, b"\xff" * 64)
    overwrite(read_folder(folder) / "store.duckdb", 2 * 4096 + 16, b"\xff" * 64)


def store_damaged_all_over(folder: Path) -> None:
    store = read_folder(folder) / "store.duckdb"
    for offset in range(3 * 4096, store.stat().st_size, 4096):
        overwrite(store, offset, b"\x5a" * 32)


def store_cut_off(folder: Path) -> None:
    store = read_folder(folder) / "store.duckdb"
    os.truncate(store, store.stat().st_size // 3)


def index_run_with_a_changed_byte(folder: Path) -> None:
    run = sorted((read_folder(folder) / "identity").glob("*.run"))[0]
    overwrite(run, 4096 + 100, bytes([run.read_bytes()[4096 + 100] ^ 1]))


def index_run_that_is_gone(folder: Path) -> None:
    sorted((read_folder(folder) / "identity").glob("*.run"))[0].unlink()


def index_manifest_of_nonsense(folder: Path) -> None:
    (read_folder(folder) / "identity" / "manifest.json").write_text("{}\nnonsense\n")


@pytest.mark.parametrize(
    ("damage", "printed"),
    [
        (store_full_of_nonsense, "the read store"),
        (store_with_a_damaged_header, "the read store"),
        (store_damaged_all_over, "the read store"),
        (store_cut_off, "the read store"),
        (index_run_with_a_changed_byte, "identity index"),
        (index_run_that_is_gone, "identity index"),
        (index_manifest_of_nonsense, "identity index"),
    ],
)
def test_damage_is_reported_with_a_remedy_that_helps(tmp_path: Path, damage: Damage, printed: str) -> None:
    folder, clock = tmp_path / "data", SettableClock()
    with engine_on(folder, clock) as engine:
        deliver(engine, clock, 3000)
        before = state_of(engine)
    log = log_content(folder)
    damage(folder)
    code, message = serve_refused(folder)
    assert (code, "Traceback" in message) == (1, False), message
    assert printed in message
    assert "'meterfold replay'" in message
    assert log_content(folder) == log
    assert "3,000 events" in meterfold("replay", "--data", str(folder))
    with engine_on(folder, clock) as engine:
        assert state_of(engine) == before
        assert deliver(engine, clock, 10).received == 10  # the index knows them all
        assert state_of(engine).counted == before.counted


def test_a_log_from_an_older_backup_is_reported_and_rebuilt(tmp_path: Path) -> None:
    folder, clock = tmp_path / "data", SettableClock()
    with engine_on(folder, clock) as engine:
        deliver(engine, clock, 50)
        before = state_of(engine)
    shutil.copy(folder / "log.sqlite", tmp_path / "backup.sqlite")
    with engine_on(folder, clock) as engine:
        deliver(engine, clock, 50, first=100)
    for leftover in folder.glob("log.sqlite*"):
        leftover.unlink()
    shutil.copy(tmp_path / "backup.sqlite", folder / "log.sqlite")
    code, message = serve_refused(folder)
    assert (code, "Traceback" in message) == (1, False), message
    assert "restored from an older backup" in message
    assert "'meterfold replay'" in message
    assert "50 events" in meterfold("replay", "--data", str(folder))
    with engine_on(folder, clock) as engine:
        assert state_of(engine) == before
        # What the backup does not have counts when it is sent again: the index has forgotten it too.
        deliver(engine, clock, 50, first=100)
        assert state_of(engine).counted == 100
    assert "all is well" in meterfold("verify", "--data", str(folder))
