"""Full disks and read-only folders, on real file systems: nothing acknowledged is lost."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.api.cli.commands.test_serve_on_damage import refused, serve_refused
from tests.api.cli.served_engine import EVENTS_OF_BATCH, HEADERS, Engine, EngineEndedError, counted, lines, started
from tests.meterfold_process import meterfold
from tests.waiting import eventually

RECOVERED_SECONDS_MAX = 30.0
BATCHES_MAX = 200
#: Attempts to fill a disk on which an engine writes.
FILLS_MAX = 10
#: Scheduler meets the full disk too.
BUSY = {
    "METERFOLD_COMPACT_INTERVAL_SECONDS": "1",
    "METERFOLD_COMPACT_ROWS_MIN": "1",
    "METERFOLD_COMPACT_DELTAS_MIN": "1",
    "METERFOLD_FLUSH_RECORDS_MAX": "1000",
    "METERFOLD_FLUSH_INTERVAL_SECONDS": "1",
}


def may_mount() -> bool:
    """Whether this user may mount file systems."""
    tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return os.geteuid() == 0 and tried.returncode == 0


pytestmark = pytest.mark.skipif(not may_mount(), reason="only root may mount the file systems that these tests fill")


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    """A small file system on `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, left_bytes: int) -> Path:
    """A file that fills the disk except for `left_bytes`; tried again where the engine has used of that room itself."""
    ballast = folder / "ballast"
    for _ in range(FILLS_MAX):
        room = os.statvfs(folder)
        with ballast.open("wb") as file, suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_bsize - left_bytes)
            return ballast
    raise AssertionError(f"the disk was never full: {os.statvfs(folder)}")


def send(engine: Engine, batch: int, prefer: str = "") -> httpx.Response:
    return httpx.post(
        f"{engine.url}/v1/events", content=lines(0, batch), headers={**HEADERS, "Prefer": prefer}, timeout=30
    )


def readiness(engine: Engine) -> httpx.Response:
    return httpx.get(f"{engine.url}/readyz", timeout=10)


@contextmanager
def running(folder: Path, output: Path) -> Iterator[Engine]:
    engine = started(folder, output, **BUSY)
    try:
        yield engine
    finally:
        if engine.process.poll() is None:
            engine.stop()


def test_a_full_disk_under_the_log_refuses_usage_until_there_is_space(tmp_path: Path) -> None:
    folder, output = tmp_path / "data", tmp_path / "output"
    with disk(folder, "64m"), disk(folder / "read", "512m"), running(folder, output) as engine:
        assert send(engine, 0).status_code == 200
        ballast = fill(folder, 500_000)
        batch, answer = 0, httpx.Response(200)
        while answer.status_code == 200 and batch < BATCHES_MAX:
            batch += 1
            answer = send(engine, batch)
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/log_unavailable")
        assert "Retry-After" in answer.headers
        assert "free some space" in output.read_text()
        assert counted(engine) == batch * EVENTS_OF_BATCH  # reads go on, and have all that was acknowledged
        full = readiness(engine)
        assert (full.status_code, full.json()["ready"], full.json()["failure"]) == (503, False, None)
        assert "free some space" in full.json()["writes_refused"]
        assert httpx.get(f"{engine.url}/readyz?for=reads", timeout=10).status_code == 200
        assert "meterfold_writes_refused 1.0" in httpx.get(f"{engine.url}/metrics", timeout=10).text
        ballast.unlink()
        assert eventually(lambda: readiness(engine).status_code == 200, RECOVERED_SECONDS_MAX)  # without a write
        assert send(engine, batch).status_code == 200
        assert counted(engine) == (batch + 1) * EVENTS_OF_BATCH
        engine.stop()
        assert "all is well" in meterfold("verify", "--data", str(folder))


def test_a_full_disk_under_the_read_store_stops_the_fold_but_not_the_log(tmp_path: Path) -> None:
    folder, output = tmp_path / "data", tmp_path / "output"
    with disk(folder / "read", "64m"), running(folder, output) as engine:
        assert send(engine, 0).status_code == 200
        ballast = fill(folder / "read", 500_000)
        batch = 0
        while readiness(engine).status_code == 200 and batch < BATCHES_MAX:
            batch += 1
            assert send(engine, batch, "respond-async").status_code == 202
        for _ in range(5):
            batch += 1
            assert send(engine, batch, "respond-async").status_code == 202
            time.sleep(0.5)  # compaction and checkpoints meet the full disk as well
        stopped = readiness(engine)
        assert stopped.status_code == 503
        assert "free some space" in stopped.json()["failure"]
        ballast.unlink()
        assert eventually(
            lambda: readiness(engine).status_code == 200 and readiness(engine).json()["behind_positions"] == 0,
            RECOVERED_SECONDS_MAX,
        )
        assert counted(engine) == (batch + 1) * EVENTS_OF_BATCH
        assert send(engine, batch + 1).json()["counts"]["counted"] == EVENTS_OF_BATCH
        engine.stop()
        assert "all is well" in meterfold("verify", "--data", str(folder))


def fill_whole(folder: Path, ballast: Path) -> None:
    """Grow `ballast` until the disk has no block left."""
    with ballast.open("ab") as more:
        for _ in range(FILLS_MAX):
            room = os.statvfs(folder)
            if not room.f_bavail:
                return
            with suppress(OSError):  # the engine has used of that room itself
                os.posix_fallocate(more.fileno(), ballast.stat().st_size, room.f_bavail * room.f_bsize)
    raise AssertionError(f"the disk was never full: {os.statvfs(folder)}")


def acknowledged_until_refused(engine: Engine, first: int) -> int:
    """The number of batches that were accepted before one was refused, from batch `first` on."""
    for batch in range(first, first + BATCHES_MAX):
        if send(engine, batch, "respond-async").status_code != 202:
            return batch - first
    raise AssertionError("the disk never got full")


def started_on_full_disk(folder: Path, output: Path, first: int) -> int:
    """The number of batches that `meterfold serve` accepts on a full disk.

    It starts where its log needs no new file, as after an end in which the write-ahead file could not be folded, and
    accepts what fits into that file; elsewhere it is refused. Either tells that space is to be freed.
    """
    try:
        engine = started(folder, output)
    except EngineEndedError as ended:
        refusal = ended  # what it freed on its way may let the next start succeed, so it is asked no second time
    else:
        accepted = acknowledged_until_refused(engine, first)
        engine.stop()
        assert "free some space" in output.read_text()
        return accepted
    assert (refusal.code, "Traceback" in refusal.printed) == (4, False), refusal.printed
    assert "free some space" in refusal.printed
    return 0


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_an_engine_on_a_full_disk_ends_and_starts_again_without_losing_what_it_acknowledged(
    tmp_path: Path, end: str
) -> None:
    folder, output = tmp_path / "data", tmp_path / "output"
    with disk(folder, "64m"):
        with running(folder, output) as engine:
            assert send(engine, 0).status_code == 200
            ballast = fill(folder, 300_000)
            accepted = 1 + acknowledged_until_refused(engine, 1)
            if end == "killed":
                engine.process.kill()
                engine.process.wait()
            else:
                engine.stop()
        fill_whole(folder, ballast)
        accepted += started_on_full_disk(folder, tmp_path / "full", accepted)
        fill_whole(folder, ballast)
        code, message = refused("replay", "--data", str(folder))
        assert (code, "Traceback" in message) == (4, False), message
        assert "free some space" in message
        ballast.unlink()
        with running(folder, output) as engine:
            assert eventually(lambda: readiness(engine).json()["behind_positions"] == 0, RECOVERED_SECONDS_MAX)
            assert counted(engine) >= accepted * EVENTS_OF_BATCH
            engine.stop()
        assert "all is well" in meterfold("verify", "--data", str(folder))


def test_a_read_only_folder_is_reported_with_a_remedy(tmp_path: Path) -> None:
    folder, output = tmp_path / "data", tmp_path / "output"
    with disk(folder, "256m"):
        with running(folder, output) as engine:
            assert send(engine, 0).status_code == 200
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        code, message = serve_refused(folder)
        assert (code, "Traceback" in message) == (4, False), message
        assert f"{folder} is read-only" in message
        assert "remount,rw" in message
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
        with running(folder, output) as engine:
            assert counted(engine) == EVENTS_OF_BATCH
