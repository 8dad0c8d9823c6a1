"""The formats that a data folder is written in, and the refusal of one that a newer release has written.

`formats.json` in the folder holds the highest version of every format that was written there, and the release that
wrote the newest. Formats of the log are there for good; what is derived from the log can be written again:

    {"release": "0.2.0", "log": {"log": 1, "usage_block": 2, "event customer.created": 1}, "derived": {"read_store": 4}}

1. Before anything in a folder is opened, `check_formats` compares the file with what this release reads.
2. Before the read store is opened, `check_last_records` looks at the end of the log itself, as the file may be missing.
3. Once the folder is open, `record_formats` raises what this release writes in a newer version, under a lock.

A folder without the file was written before the file existed, or restored without it; every release opens it.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from consumers.embedded.data_folder import explained_refusals
from consumers.errors import FolderTooNew, FolderUnusable
from consumers.release import running_release
from domain.log.blocks import BLOCK_VERSION
from domain.log.event_codec import class_version
from domain.log.events import LOG_FORMAT
from domain.log.topics import LIFECYCLE_TOPICS
from projections.identity.durable_files import write_durably
from projections.identity.manifest import MANIFEST_FORMAT
from projections.identity.runs import RUN_FORMAT
from projections.read_side.store import StoreOpener
from projections.storage_errors import storage_refusal

FORMATS_FILE: Final = "formats.json"
LOCK_FILE: Final = "formats.lock"
_NAMED_MAX: Final = 3
#: What the log itself is written in.
LOG_FORMATS: Final[Mapping[str, int]] = {
    "log": LOG_FORMAT,
    "usage_block": BLOCK_VERSION,
    **{f"event {topic}": class_version(topic) for topic in LIFECYCLE_TOPICS},
}
#: What the identity index is written in.
INDEX_FORMATS: Final[Mapping[str, int]] = {"identity_index": MANIFEST_FORMAT, "identity_run": RUN_FORMAT}


class FolderFormats(msgspec.Struct, frozen=True):
    """The content of `formats.json`."""

    release: str
    log: dict[str, int]
    derived: dict[str, int]


def read_formats(folder: Path) -> FolderFormats | None:
    """The formats recorded in a folder; None when there is no such file.

    Raises `FolderTooNew` when the file has a form that this release does not know, and `FolderUnusable` when it cannot
    be read.
    """
    path = folder / FORMATS_FILE
    try:
        stored = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        advice = storage_refusal(error) or "check the folder's permissions"
        raise FolderUnusable(f"{path} cannot be read ({error.strerror}): {advice}") from error
    try:
        return msgspec.json.decode(stored, type=FolderFormats)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        release = _release_in(stored)
        if release is not None:
            raise FolderTooNew(_too_new(folder, release, ["another form of formats.json"], False)) from error
        raise FolderUnusable(
            f"{path} is damaged ({error}): restore it from a backup of the folder, or, if no newer release than "
            f"{running_release()} was ever started on this folder, delete the file"
        ) from error


def derived_formats(stores: StoreOpener) -> dict[str, int]:
    """The formats of what is derived from the log, with stores of this kind. `meterfold replay` writes it again."""
    return {**stores.formats, **INDEX_FORMATS}


def check_formats(folder: Path, stores: StoreOpener, *, rebuilding: bool = False) -> None:
    """Raise `FolderTooNew`, naming the release that is needed, when a newer one has written the folder.

    `stores`: how this release opens read stores. `rebuilding`: only the log has to be readable, as everything derived
    is to be written again.
    """
    recorded = read_formats(folder)
    if recorded is None:
        return
    newer_log = _newer(recorded.log, LOG_FORMATS)
    newer_derived = [] if rebuilding else _newer(recorded.derived, derived_formats(stores))
    if newer_log or newer_derived:
        raise FolderTooNew(_too_new(folder, recorded.release, newer_log + newer_derived, not newer_log))


def record_formats(folder: Path, stores: StoreOpener, *, rebuilt: bool = False, engine_runs: bool = False) -> None:
    """Raise the recorded formats to those of this release; the file is there as a whole or not at all.

    `rebuilt`: everything derived is in the formats of this release now, also where those are older. `engine_runs`: the
    engine, another process, has the folder open, so that only formats which it recorded itself may be written. Raises
    `FolderUnusable` when it did not, and what `check_formats` raises.
    """
    with _locked(folder):
        check_formats(folder, stores, rebuilding=rebuilt)
        recorded = read_formats(folder)
        wanted = _raised(recorded, derived_formats(stores), rebuilt)
        if wanted is None:
            return
        if engine_runs:
            raise FolderUnusable(
                f"an engine of an older release runs on the data folder {folder}: start that engine with Meterfold "
                f"{running_release()} first"
            )
        _write(folder, wanted)


def _newer(recorded: Mapping[str, int], known: Mapping[str, int]) -> list[str]:
    return [f"{name} in version {version}" for name, version in recorded.items() if version > known.get(name, 0)]


def _too_new(folder: Path, release: str, newer: list[str], only_derived: bool) -> str:
    remedy = f"start Meterfold {release} or newer on it"
    if only_derived:
        remedy += ", or run 'meterfold replay' to write the read store again for this release"
    return (
        f"the data folder {folder} was written by Meterfold {release} ({', '.join(newer[:_NAMED_MAX])}), which this "
        f"release, {running_release()}, cannot read: {remedy}. Nothing in the folder was changed."
    )


def _release_in(stored: bytes) -> str | None:
    """The release that a file of another form names; None when it is no such file."""
    try:
        found: Any = json.loads(stored)
    except ValueError:
        return None
    release = found.get("release") if isinstance(found, dict) else None
    return release if isinstance(release, str) else None


def _raised(recorded: FolderFormats | None, derived: dict[str, int], rebuilt: bool) -> FolderFormats | None:
    """What the file has to hold; None when it does so already."""
    found = FolderFormats("", {}, {}) if recorded is None else recorded
    log = _highest(found.log, LOG_FORMATS)
    derived = derived if rebuilt else _highest(found.derived, derived)
    if recorded is not None and (log, derived) == (found.log, found.derived):
        return None
    return FolderFormats(running_release(), log, derived)


def _highest(found: Mapping[str, int], ours: Mapping[str, int]) -> dict[str, int]:
    return {**found, **{name: max(found.get(name, 0), version) for name, version in ours.items()}}


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes from recording; consumers record beside the engine."""
    with explained_refusals(folder), (folder / LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(folder: Path, formats: FolderFormats) -> None:
    with explained_refusals(folder):
        write_durably(folder / FORMATS_FILE, lambda file: file.write(msgspec.json.encode(formats)))
