"""Whether the log can be written: what a refused append, little room and the disk itself say about it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from consumers.embedded.write_refusal import (
    FREE_AGAIN_BYTES_MIN,
    FREE_BYTES_MIN,
    PROBE_FILE,
    PROBE_INTERVAL_SECONDS,
    WriteRefusal,
)

FULL = "the disk under it is full: free some space"
MUCH = 2 * FREE_AGAIN_BYTES_MIN


class Disk:
    """A disk with so much room, or one that fails; and the seconds that have passed."""

    def __init__(self, folder: Path) -> None:
        self.free: int | OSError = MUCH
        self.seconds = 0.0
        self.asked = 0
        self.log = folder / "log.sqlite"
        self.log.touch()
        self.refusal = WriteRefusal(folder, self.log, lambda: self.seconds, self._free_bytes)

    def _free_bytes(self, folder: Path) -> int:
        self.asked += 1
        if isinstance(self.free, OSError):
            raise self.free
        return self.free

    def reason_later(self) -> str | None:
        self.seconds += PROBE_INTERVAL_SECONDS
        return self.refusal.reason()


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def test_a_log_with_room_can_be_written_and_nothing_is_written_to_find_out(disk: Disk, tmp_path: Path) -> None:
    before = tmp_path.stat().st_mtime_ns
    assert disk.refusal.reason() is None
    assert tmp_path.stat().st_mtime_ns == before


@pytest.mark.parametrize(("free", "reason"), [(0, FULL), (FREE_BYTES_MIN - 1, FULL), (FREE_BYTES_MIN, None)])
def test_hardly_any_room_is_told_before_an_append_was_refused(disk: Disk, free: int, reason: str | None) -> None:
    disk.free = free
    assert disk.refusal.reason() == reason


def test_a_refused_append_is_told_until_there_is_room_again(disk: Disk, tmp_path: Path) -> None:
    assert disk.refusal.reason() is None
    disk.free = FREE_AGAIN_BYTES_MIN - 1
    disk.refusal.append_refused()
    assert disk.refusal.reason() == FULL
    assert disk.reason_later() == FULL
    disk.free = FREE_AGAIN_BYTES_MIN
    assert disk.refusal.reason() == FULL  # not asked again so soon
    assert disk.reason_later() is None
    disk.free = FREE_AGAIN_BYTES_MIN - 1
    assert disk.reason_later() is None
    assert not (tmp_path / PROBE_FILE).exists()


def test_an_append_that_was_refused_for_another_moment_is_forgotten_at_once(disk: Disk) -> None:
    """Such as by another process that held the log locked."""
    disk.refusal.append_refused()
    assert disk.refusal.reason() is None


def test_the_disk_is_asked_at_most_once_a_second(disk: Disk) -> None:
    for _ in range(10):
        disk.refusal.reason()
    assert disk.asked == 1
    disk.reason_later()
    assert disk.asked == 2


def test_a_log_that_cannot_be_opened_for_writing_stays_refused(disk: Disk) -> None:
    disk.log.unlink()
    disk.refusal.append_refused()
    assert disk.refusal.reason() == "its disk failed (No such file or directory): check it"
    disk.log.touch()
    assert disk.reason_later() is None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EROFS, "Read-only file system"), "the file system under it is read-only: mount it writable"),
        (OSError(errno.EIO, "Input/output error"), "its disk failed (Input/output error): check it"),
    ],
)
def test_a_disk_that_fails_is_told(disk: Disk, error: OSError, reason: str) -> None:
    disk.free = error
    assert (disk.refusal.reason() or "").startswith(reason)
    disk.free = MUCH
    assert disk.reason_later() is None
