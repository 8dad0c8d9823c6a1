"""The manifest of an identity index: its live runs, and the log position that they cover.

It is one small file, replaced atomically: a JSON line and its checksum. A file that it does not name is not part of the
index: what a crash leaves between writing a run and the manifest is removed at the next start.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import xxhash

from domain.log.chain import CHAIN_START
from projections.errors import IdentityIndexCorrupted, ReadStoreOutdated
from projections.identity.durable_files import TEMPORARY_SUFFIX, write_durably
from projections.identity.runs import RUN_SUFFIX, RunHeader

MANIFEST_FORMAT: Final = 1
MANIFEST_NAME: Final = "manifest.json"


class Manifest(msgspec.Struct, frozen=True):
    """The durable state of an index. `runs` pairs the number of a run's file with its header."""

    format: int
    log_id: str
    covered_position: int = 0
    running_hash: bytes = CHAIN_START
    run_number_next: int = 1
    runs: tuple[tuple[int, RunHeader], ...] = ()


def run_path(folder: Path, number: int) -> Path:
    """The path of the run with this number."""
    return folder / f"{number:010d}{RUN_SUFFIX}"


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest, atomically and durably."""
    line = msgspec.json.encode(manifest)

    def write(file: BinaryIO) -> None:
        file.write(line + b"\n" + _checksum(line) + b"\n")

    write_durably(folder / MANIFEST_NAME, write)


def read_manifest(folder: Path, log_id: str) -> Manifest:
    """Read the manifest in `folder`; return an empty one if there is none.

    Raises `IdentityIndexCorrupted` if it is damaged, of another log or of a newer release, and `ReadStoreOutdated` if
    it is of an older release.
    """
    path = folder / MANIFEST_NAME
    try:
        stored = path.read_bytes()
    except FileNotFoundError:
        return Manifest(MANIFEST_FORMAT, log_id)
    line, _, checksum = stored.partition(b"\n")
    if checksum != _checksum(line) + b"\n":
        raise IdentityIndexCorrupted(path, "its checksum is wrong")
    try:
        manifest = msgspec.json.decode(line, type=Manifest)
    except msgspec.MsgspecError as error:
        raise IdentityIndexCorrupted(path, f"cannot be read ({error})") from error
    if manifest.format < MANIFEST_FORMAT:
        raise ReadStoreOutdated(f"the identity index {path} has format {manifest.format} of an older release")
    if manifest.format > MANIFEST_FORMAT:
        newer = f"has format {manifest.format} of a newer release; this one knows {MANIFEST_FORMAT}"
        raise IdentityIndexCorrupted(path, newer)
    if manifest.log_id != log_id:
        raise IdentityIndexCorrupted(path, f"belongs to the log {manifest.log_id!r}, not to {log_id!r}")
    return manifest


def remove_orphaned_files(folder: Path, manifest: Manifest) -> None:
    """Remove files left by a crash: temporary ones, and runs that the manifest does not name."""
    named = {run_path(folder, number) for number, _ in manifest.runs}
    for path in folder.iterdir():
        if path.suffix == TEMPORARY_SUFFIX or (path.suffix == RUN_SUFFIX and path not in named):
            path.unlink()


def discard_index(folder: Path) -> None:
    """Remove every file of the index in `folder`, which then opens empty and can be rebuilt from the log."""
    (folder / MANIFEST_NAME).unlink(missing_ok=True)
    if folder.is_dir():
        remove_orphaned_files(folder, Manifest(MANIFEST_FORMAT, ""))


def _checksum(line: bytes) -> bytes:
    return xxhash.xxh3_128_hexdigest(line).encode()
