"""The manifest of an identity index: which runs are live and up to where they cover the log.

One small file, replaced atomically: a JSON line and its checksum. What it does not name is not part of
the index: files left by a crash between writing a run and the manifest are removed at the next start.
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
    """Where the run with this number is."""
    return folder / f"{number:010d}{RUN_SUFFIX}"


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest, atomically and durably."""
    line = msgspec.json.encode(manifest)

    def write(file: BinaryIO) -> None:
        file.write(line + b"\n" + _checksum(line) + b"\n")

    write_durably(folder / MANIFEST_NAME, write)


def read_manifest(folder: Path, log_id: str) -> Manifest:
    """The manifest in `folder`, an empty one where there is none.

    `IdentityIndexCorrupted` if damaged, foreign or of a newer release, `ReadStoreOutdated` if of an older one.
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


def remove_unnamed_files(folder: Path, manifest: Manifest) -> None:
    """Remove what a crash left: temporary files, and runs that the manifest does not name."""
    named = {run_path(folder, number) for number, _ in manifest.runs}
    for path in folder.iterdir():
        if path.suffix == TEMPORARY_SUFFIX or (path.suffix == RUN_SUFFIX and path not in named):
            path.unlink()


def discard_index(folder: Path) -> None:
    """Remove every file of the index in `folder`, so that it opens empty and can be rebuilt from the log."""
    (folder / MANIFEST_NAME).unlink(missing_ok=True)
    if folder.is_dir():
        remove_unnamed_files(folder, Manifest(MANIFEST_FORMAT, ""))


def _checksum(line: bytes) -> bytes:
    return xxhash.xxh3_128_hexdigest(line).encode()
