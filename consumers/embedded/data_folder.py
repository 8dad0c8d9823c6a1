"""Data folder of an embedded engine: its paths, its lock, and its small files.

log.sqlite           the event log: the source of truth
keys.sqlite          keys of personal data; back it up separately from the log, destroy a key to erase a customer life
read/CURRENT         name of the read store in use, a folder beside it (0001, 0002 ...)
read/0001/           store.duckdb and identity/: derived from the log, made again by `meterfold replay`
admin.key            the first API key, readable by the file's owner only
portal.secret        signs links to the portal, likewise; made when it is first needed
fold-position        last folded position of the engine, for consumers in other processes
append-signal        FIFO that wakes the fold of the running engine after an append
write-probe          written and removed to see whether a full disk has room again
engine.lock          locked by the engine that owns the folder
engine.json          process id and URL of that engine
operations.json      operational data that is not in the log: last use of keys, progress of the nightly verification
formats.json         newest format versions that were written here, and the release that wrote them
range.json           only in a folder to look at: the range of another log that it was made of
formats.lock         held while formats.json is written
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from consumers.errors import FolderOwned, FolderUnusable
from projections.identity.durable_files import write_durably
from projections.storage_errors import storage_refusal

FIRST_READ_FOLDER: Final = "0001"
PORTAL_SECRET_BYTES: Final = 32


@contextmanager
def explained_refusals(root: Path) -> Iterator[None]:
    """Raise `FolderUnusable` with advice for an error of the file system."""
    try:
        yield
    except OSError as error:
        advice = storage_refusal(error) or "choose another one with --data DIR"
        raise FolderUnusable(f"the data folder {root} cannot be used ({error.strerror}): {advice}") from error


class DataFolder:
    """Paths in a data folder, its lock, and the small files that are not databases."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock_fd: int | None = None

    @property
    def log(self) -> Path:
        """Path of the event log."""
        return self.root / "log.sqlite"

    @property
    def keys(self) -> Path:
        """Path of the key store."""
        return self.root / "keys.sqlite"

    @property
    def admin_key(self) -> Path:
        """Path of the file with the first API key."""
        return self.root / "admin.key"

    def prepare(self) -> None:
        """Create the folder if needed. Raises `FolderUnusable` when it cannot be created or written."""
        with explained_refusals(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            (self.root / "read").mkdir(exist_ok=True)
        for folder in (self.root, self.root / "read"):
            if not os.access(folder, os.W_OK):
                raise FolderUnusable(
                    f"the data folder {folder} is read-only for this user: make it writable "
                    "('mount -o remount,rw ...' or 'chown -R ...'), or choose another one with --data DIR"
                )

    # -- ownership

    def acquire(self) -> None:
        """Lock the folder for this engine. Raises `FolderOwned` when another process has locked it."""
        with explained_refusals(self.root):
            descriptor = os.open(self.root / "engine.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise FolderOwned(f"another engine owns the data folder {self.root}", self.owner()) from error
        self._lock_fd = descriptor

    def announce(self, url: str) -> None:
        """Publish process id and URL of this engine, for commands that find the folder locked."""
        self._replace("engine.json", json.dumps({"pid": os.getpid(), "url": url}))

    def owner(self) -> dict[str, Any] | None:
        """Return `{"pid", "url"}` of the engine that announced itself last; None when none did."""
        try:
            found: dict[str, Any] = json.loads((self.root / "engine.json").read_text())
        except (OSError, ValueError):
            return None
        return found

    def is_owned(self) -> bool:
        """Return whether an engine has locked the folder now."""
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
        """Return whether an engine that announced itself has locked the folder. Does not disturb one that starts."""
        return self.owner() is not None and self.is_owned()

    def release(self) -> None:
        """Unlock the folder for other engines."""
        if self._lock_fd is not None:
            (self.root / "engine.json").unlink(missing_ok=True)
            os.close(self._lock_fd)
            self._lock_fd = None

    # -- the read store in use

    def current_read_folder(self) -> Path:
        """Return the folder of the read store in use; create it when there is none."""
        pointer = self.root / "read" / "CURRENT"
        name = pointer.read_text().strip() if pointer.exists() else FIRST_READ_FOLDER
        folder = self.root / "read" / name
        with explained_refusals(self.root):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def next_read_folder(self) -> Path:
        """Return the folder that the next read store is made in, whether it exists or not."""
        return self.root / "read" / f"{int(self.current_read_folder().name) + 1:04d}"

    def new_read_folder(self) -> Path:
        """Create an empty folder for a new read store, removing what an earlier attempt left there."""
        folder = self.next_read_folder()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def new_verification_folder(self) -> Path:
        """Create an empty folder for the second store of a verification."""
        folder = self.root / "read" / "verification"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def use_read_folder(self, folder: Path) -> None:
        """Make the read store in `folder` the one in use, and remove every other one."""
        self._replace("read/CURRENT", folder.name)
        self._remove_read_folders_but(folder)

    def remove_unused_read_folders(self) -> None:
        """Remove every read store but the one in use, and the one that a replay is making."""
        current = self.current_read_folder()
        self._replace("read/CURRENT", current.name)
        self._remove_read_folders_but(current, self.next_read_folder())

    def _remove_read_folders_but(self, *kept: Path) -> None:
        for other in (self.root / "read").iterdir():
            if other.is_dir() and other not in kept:
                shutil.rmtree(other, ignore_errors=True)

    # -- small files

    def first_key(self) -> str | None:
        """Return the API key that is stored in the folder; None when there is none."""
        return self.admin_key.read_text().strip() if self.admin_key.exists() else None

    def save_first_key(self, secret: str) -> None:
        """Store an API key in a file that only its owner can read."""
        _write_private(self.admin_key, secret)

    def portal_secret(self, randomness: Callable[[int], bytes]) -> str:
        """Return the secret that signs links to the portal; the first time a new one, kept for its owner alone."""
        path = self.root / "portal.secret"
        with explained_refusals(self.root):
            kept = path.read_text().strip() if path.exists() else ""
            if not kept:  # also one that a crash left empty: no link was signed by it
                kept = randomness(PORTAL_SECRET_BYTES).hex()
                _write_private(path, kept)
        return kept

    def operations(self) -> dict[str, Any]:
        """Return what `save_operations` stored last; empty when there is nothing, or it is damaged."""
        try:
            found: dict[str, Any] = json.loads((self.root / "operations.json").read_text())
        except (OSError, ValueError):
            return {}
        return found

    def save_operations(self, values: dict[str, Any]) -> None:
        """Store operational data that is not in the log."""
        self._replace("operations.json", json.dumps(values))

    def _replace(self, name: str, text: str) -> None:
        """Write a small file atomically and durably."""
        with explained_refusals(self.root):
            write_durably(self.root / name, lambda file: file.write(text.encode()))


def _write_private(path: Path, secret: str) -> None:
    """Write a secret durably to a file that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret + "\n")
        file.flush()
        os.fsync(file.fileno())
