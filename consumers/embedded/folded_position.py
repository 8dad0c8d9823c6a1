"""The position that the owner of a data folder has folded, for other processes: a file of 16 bytes, mapped into memory.

    u64 position | u64 position again      (big-endian)

The writer writes the first before the second, the reader reads the second before the first: equal halves were written
by one call. Nothing is synced: the read store knows the position for certain, and an owner writes it at its start.
"""

from __future__ import annotations

import mmap
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

FILE_NAME: Final = "fold-position"
_HALF_BYTES: Final = 8
_FILE_BYTES: Final = 2 * _HALF_BYTES
#: A reader that meets a writer in the middle of a call tries again; so often, it takes the lower half.
_ATTEMPTS_MAX: Final = 100


class FoldedPositionWriter:
    """Publishes positions in a folder, which its caller owns."""

    def __init__(self, folder: Path) -> None:
        """Make the file if it is absent; what it says stays until the first `write`.

        On a disk that is full or read-only nothing is published: reading and folding must not depend on it.
        """
        self._map: mmap.mmap | None = None
        with suppress(OSError):
            self._map = _mapped_for_writing(folder / FILE_NAME)

    def write(self, position: int) -> None:
        """From now on readers are answered `position`. Takes a microsecond."""
        if self._map is not None:
            half = position.to_bytes(_HALF_BYTES, "big")
            self._map[:_HALF_BYTES] = half
            self._map[_HALF_BYTES:] = half

    def close(self) -> None:
        """The file stays, with the position that was written last."""
        if self._map is not None:
            self._map.close()
            self._map = None


def _mapped_for_writing(path: Path) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if os.fstat(descriptor).st_size != _FILE_BYTES:
            # Really written: a hole in the file would kill the process at the first write to a full disk.
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, bytes(_FILE_BYTES), 0)
        return mmap.mmap(descriptor, _FILE_BYTES)
    finally:
        os.close(descriptor)


class FoldedPositionReader:
    """Reads the position that is published in a folder. Cheap: may be asked after every append."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._map: mmap.mmap | None = None

    def read(self) -> int | None:
        """The last published position; None when no owner has ever published one."""
        known = self._map or self._opened()
        if known is None:
            return None
        first, second = b"", b""
        for _ in range(_ATTEMPTS_MAX):
            second = known[_HALF_BYTES:]
            first = known[:_HALF_BYTES]
            if first == second:
                break
        return min(int.from_bytes(first, "big"), int.from_bytes(second, "big"))

    def close(self) -> None:
        if self._map is not None:
            self._map.close()
            self._map = None

    def _opened(self) -> mmap.mmap | None:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            if os.fstat(descriptor).st_size == _FILE_BYTES:
                self._map = mmap.mmap(descriptor, _FILE_BYTES, access=mmap.ACCESS_READ)
        finally:
            os.close(descriptor)
        return self._map
