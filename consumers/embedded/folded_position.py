"""Last folded position of an engine, published to other processes in a memory-mapped file of 16 bytes.

    u64 position | u64 position again      (big-endian)

The writer writes the first half before the second, the reader reads the second before the first: equal halves were
written by one call. Nothing is synced to disk: the read store holds the position durably, and an engine publishes it
again when it starts.
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
#: A reader that meets a writer in the middle of a call tries again; after this many attempts it takes the lower half.
_ATTEMPTS_MAX: Final = 100


class FoldedPositionWriter:
    """Publishes positions in a data folder that the caller owns."""

    def __init__(self, folder: Path) -> None:
        """Create the file if it is missing; an existing one keeps its position until the first `write`.

        On a full or read-only disk nothing is published: reading and folding must not depend on this file.
        """
        self._map: mmap.mmap | None = None
        with suppress(OSError):
            self._map = _mapped_for_writing(folder / FILE_NAME)

    def write(self, position: int) -> None:
        """Publish `position`. Takes about a microsecond."""
        if self._map is not None:
            half = position.to_bytes(_HALF_BYTES, "big")
            self._map[:_HALF_BYTES] = half
            self._map[_HALF_BYTES:] = half

    def close(self) -> None:
        """Unmap the file; it keeps the position that was written last."""
        if self._map is not None:
            self._map.close()
            self._map = None


def _mapped_for_writing(path: Path) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if os.fstat(descriptor).st_size != _FILE_BYTES:
            # Write real bytes: with a sparse file the first write through the map kills the process on a full disk.
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, bytes(_FILE_BYTES), 0)
        return mmap.mmap(descriptor, _FILE_BYTES)
    finally:
        os.close(descriptor)


class FoldedPositionReader:
    """Reads the position that is published in a data folder. Cheap enough to be called after every append."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._map: mmap.mmap | None = None

    def read(self) -> int | None:
        """Return the last published position; None when none was ever published."""
        mapped = self._map or self._open()
        if mapped is None:
            return None
        first, second = b"", b""
        for _ in range(_ATTEMPTS_MAX):
            second = mapped[_HALF_BYTES:]
            first = mapped[:_HALF_BYTES]
            if first == second:
                break
        return min(int.from_bytes(first, "big"), int.from_bytes(second, "big"))

    def close(self) -> None:
        """Unmap the file."""
        if self._map is not None:
            self._map.close()
            self._map = None

    def _open(self) -> mmap.mmap | None:
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
