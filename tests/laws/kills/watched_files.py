"""Watching the files of a read side from outside, to tell at any moment whether they are in the middle of a write.

A checkpoint of DuckDB writes blocks, syncs, writes one of the two headers, syncs, and may truncate the file then. So
its file is half written when something was written into it later than its last header. When a header was written, the
file does not tell: it has to be watched. Wherever a look came too late to tell, the answer is no.

The identity index replaces files: it is in the middle when there is a temporary file, or a run that its manifest does
not name (yet, or no longer).
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import msgspec

HEADERS_OFFSET = 4096
HEADERS_BYTES = 2 * 4096
#: A file that has looked the same for so long after a header, or after it was truncated, has settled.
SETTLED_SECONDS = 0.005
_LOOK_SECONDS = 0.002


class _Look(msgspec.Struct, frozen=True):
    """What a file was like. The time is read before the headers: what was written by then is older than they are."""

    modified_ns: int
    size_bytes: int
    headers: bytes


class WatchedFiles:
    """The files of the read side in this folder, which another process writes."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "store.duckdb"
        self._watched = _WatchedStore(self.store)
        self._index = _WatchedIndex(folder / "identity")

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look at the store all the while, in a thread."""
        stopping = threading.Event()

        def look() -> None:
            while not stopping.wait(_LOOK_SECONDS):
                self._watched.is_half_written()

        with ThreadPoolExecutor(1, "watch") as thread:
            looking = thread.submit(look)
            try:
                yield
            finally:
                stopping.set()
            looking.result()

    def are_half_written(self) -> bool:
        """Whether their writer is in the middle of a write."""
        return self.is_store_half_written() or self._index.is_half_written()

    def is_store_half_written(self) -> bool:
        """Whether their writer is in the middle of a write to the store: a cheap look."""
        return self._watched.is_half_written()

    def settle(self) -> None:
        """Take them as they are for what the next writer finds: the last one is dead."""
        self._watched.settle()
        self._index.settle()


class _WatchedStore:
    """The file of a read store, with a memory of its last header."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._last = _look_at(path)
        self._settling_since: float | None = None

    def is_half_written(self) -> bool:
        """Whether something was written into the file after its last header.

        The first look at a new header, or at a file that was truncated, starts a wait until the file has settled: all
        that is written by then belongs to that header.
        """
        with self._lock:
            seen, now = time.monotonic(), _look_at(self._path)
            if now.headers != self._last.headers or now.size_bytes < self._last.size_bytes:
                self._last, self._settling_since = now, seen
            elif self._settling_since is not None:
                if now != self._last:
                    self._last, self._settling_since = now, seen
                elif seen - self._settling_since >= SETTLED_SECONDS:
                    self._settling_since = None
            return self._settling_since is None and now.modified_ns > self._last.modified_ns

    def settle(self) -> None:
        """Take the file as it is for settled."""
        with self._lock:
            self._last, self._settling_since = _look_at(self._path), None


class _WatchedIndex:
    """The folder of an identity index."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._remnants: set[tuple[str, int]] = set()

    def is_half_written(self) -> bool:
        """Whether a file of it is being written or replaced."""
        return bool(self._unnamed() - self._remnants)

    def settle(self) -> None:
        """Take what lies there for remnants of a dead writer."""
        self._remnants = self._unnamed()

    def _unnamed(self) -> set[tuple[str, int]]:
        """Names and times of the files that are not part of the index."""
        try:
            named = {f"{number:010d}.run" for number, _ in json.loads(self._manifest())["runs"]}
            found = {(each.name, each.stat().st_mtime_ns) for each in os.scandir(self._folder)}
        except FileNotFoundError:
            return set()
        return {
            (name, at) for name, at in found if name.endswith(".tmp") or (name.endswith(".run") and name not in named)
        }

    def _manifest(self) -> bytes:
        try:
            return (self._folder / "manifest.json").read_bytes().partition(b"\n")[0]
        except FileNotFoundError:
            return b'{"runs": []}'


def _look_at(path: Path) -> _Look:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return _Look(0, 0, b"")
    try:
        found = os.fstat(descriptor)
        return _Look(found.st_mtime_ns, found.st_size, os.pread(descriptor, HEADERS_BYTES, HEADERS_OFFSET))
    finally:
        os.close(descriptor)
