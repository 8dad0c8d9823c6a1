"""The folder that holds everything one embedded engine knows.

log.sqlite           the event log: the truth
keys.sqlite          keys of personal data; back it up apart from the log, destroy a key to erase a life
read/CURRENT         names the read store in use, a folder beside it (0001, 0002 ...)
read/0001/           store.duckdb and identity/: derived, made again by `meterfold rebuild`
admin.key            the first API key, readable by its owner only
fold-position        how far that engine has folded, for the consumers beside it
engine.lock          held by the engine that owns the folder
engine.json          where that engine listens, and its process id
operations.json      what is known of the running engine and belongs to no number: last use of keys, last verification
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from consumers.errors import FolderOwned, FolderUnusable
from projections.duckdb.storage.storage_errors import storage_refusal

FIRST_READ_FOLDER: Final = "0001"


class DataFolder:
    """Paths in a data folder, its lock, and the few small files that are not databases."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock_fd: int | None = None

    @property
    def log(self) -> Path:
        return self.root / "log.sqlite"

    @property
    def keys(self) -> Path:
        return self.root / "keys.sqlite"

    @property
    def admin_key(self) -> Path:
        return self.root / "admin.key"

    def prepare(self) -> None:
        """Make the folder; `FolderUnusable` when that is not possible or it cannot be written."""
        with self._refusals_told():
            self.root.mkdir(parents=True, exist_ok=True)
            (self.root / "read").mkdir(exist_ok=True)
        for folder in (self.root, self.root / "read"):
            if not os.access(folder, os.W_OK):
                raise FolderUnusable(
                    f"the data folder {folder} is read-only for this user: make it writable "
                    "('mount -o remount,rw ...' or 'chown -R ...'), or name another one with --data DIR"
                )

    # -- ownership

    def own(self) -> None:
        """Become the folder's only engine; `FolderOwned` when another process is."""
        with self._refusals_told():
            descriptor = os.open(self.root / "engine.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise FolderOwned(f"another engine owns the data folder {self.root}", self.owner()) from error
        self._lock_fd = descriptor

    def announce(self, url: str) -> None:
        """Say where this engine listens, for commands that find the folder owned."""
        self._replace("engine.json", json.dumps({"pid": os.getpid(), "url": url}))

    def owner(self) -> dict[str, Any] | None:
        """`{"pid", "url"}` of the engine that announced itself last; None when none did."""
        try:
            found: dict[str, Any] = json.loads((self.root / "engine.json").read_text())
        except (OSError, ValueError):
            return None
        return found

    def is_owned(self) -> bool:
        """Whether an engine owns the folder now."""
        try:
            descriptor = os.open(self.root / "engine.lock", os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def has_living_owner(self) -> bool:
        """The same, of an engine that has announced itself; asking does not get in the way of one that starts."""
        return self.owner() is not None and self.is_owned()

    def release(self) -> None:
        """Let another engine own the folder."""
        if self._lock_fd is not None:
            (self.root / "engine.json").unlink(missing_ok=True)
            os.close(self._lock_fd)
            self._lock_fd = None

    # -- the read store in use

    def current_read(self) -> Path:
        """The folder of the read store in use, made when there is none."""
        pointer = self.root / "read" / "CURRENT"
        name = pointer.read_text().strip() if pointer.exists() else FIRST_READ_FOLDER
        folder = self.root / "read" / name
        with self._refusals_told():
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def next_read(self) -> Path:
        """An empty folder for a read store that may come to be used; what an earlier attempt left there is gone."""
        number = int(self.current_read().name) + 1
        folder = self.root / "read" / f"{number:04d}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def use_read(self, folder: Path) -> None:
        """From now on the read store in `folder` is the one in use; every other one is removed."""
        self._replace("read/CURRENT", folder.name)
        for other in (self.root / "read").iterdir():
            if other.is_dir() and other != folder:
                shutil.rmtree(other, ignore_errors=True)

    def forget_unused_reads(self) -> None:
        """Remove what an interrupted rebuild or verification left."""
        self.use_read(self.current_read())

    # -- small files

    def first_key(self) -> str | None:
        """The API key that is kept in the folder; None when there is none."""
        return self.admin_key.read_text().strip() if self.admin_key.exists() else None

    def keep_first_key(self, secret: str) -> None:
        """Keep an API key, readable by its owner only."""
        descriptor = os.open(self.admin_key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secret + "\n")
            file.flush()
            os.fsync(file.fileno())

    def operations(self) -> dict[str, Any]:
        """What `keep_operations` kept last."""
        try:
            found: dict[str, Any] = json.loads((self.root / "operations.json").read_text())
        except (OSError, ValueError):
            return {}
        return found

    def keep_operations(self, values: dict[str, Any]) -> None:
        self._replace("operations.json", json.dumps(values))

    @contextmanager
    def _refusals_told(self) -> Iterator[None]:
        """`FolderUnusable`, saying what to do, for what the file system refuses."""
        try:
            yield
        except OSError as error:
            advice = storage_refusal(error) or "name another one with --data DIR"
            raise FolderUnusable(f"the data folder {self.root} cannot be used ({error.strerror}): {advice}") from error

    def _replace(self, name: str, text: str) -> None:
        """Write a small file so that it is there as a whole or not at all."""
        path = self.root / name
        fresh = path.with_name(path.name + ".new")
        with self._refusals_told():
            with fresh.open("w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
