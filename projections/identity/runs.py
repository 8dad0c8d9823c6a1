"""Runs: immutable files of index entries, ascending by hash, memory-mapped.

    offset 0      magic (8 bytes), length of the header (4 bytes, little-endian), header (JSON), zeros
    offset 4096   hashes, digests, locators: three columns of `count` little-endian 64-bit numbers

The columns are contiguous because a lookup searches the hashes and rarely reads the rest: three times as fast as
records of 24 bytes at ten million entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec
import numpy as np
import xxhash

from domain.usage.locators import position_of
from projections.errors import IdentityIndexCorrupted
from projections.identity.durable_files import write_durably
from projections.identity.entries import ENTRY_BYTES, Entries, merged

RUN_FORMAT: Final = 1
RUN_SUFFIX: Final = ".run"
_MAGIC: Final = b"MFIDRUN\n"
_HEADER_BYTES: Final = 4096
_COLUMN: Final = np.dtype("<u8")
#: The number of entries of a merge in memory at once (48 MB, and as much again while they are sorted).
MERGE_CHUNK_ENTRIES: Final = 1 << 21


class RunHeader(msgspec.Struct, frozen=True):
    """The header of a run; the manifest has a copy, so that neither can be exchanged for another."""

    format: int
    log_id: str
    count: int
    position_min: int  # of the blocks that its locators point into
    position_max: int
    covered_position: int  # the log position that the index covered when this run was written
    running_hash: bytes  # of the log at the covered position
    checksums: tuple[str, str, str]  # xxh3-128 of each column, hex


class Run(NamedTuple):
    """A memory-mapped run. Its file may be unlinked while it is in use."""

    path: Path
    header: RunHeader
    entries: Entries

    @property
    def bytes(self) -> int:
        """The size of its entries."""
        return self.header.count * ENTRY_BYTES


def write_run(path: Path, log_id: str, covered: tuple[int, bytes], count: int, chunks: Iterable[Entries]) -> Run:
    """Write `chunks` as a run and map it.

    Each chunk is ascending and starts at or above the end of the one before; they have `count` > 0 entries together.
    """
    headers: list[RunHeader] = []

    def write(file: BinaryIO) -> None:
        headers.append(_write_columns(file, log_id, covered, count, chunks))
        file.seek(0)
        file.write(_framed(headers[0]))

    write_durably(path, write)
    return Run(path, headers[0], _mapped(path, count))


def read_run(path: Path, expected: RunHeader) -> Run:
    """Open the run at `path` and verify every byte; raise `IdentityIndexCorrupted` unless it is the `expected` one."""
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise IdentityIndexCorrupted(path, "the file is missing") from error
    if size != _HEADER_BYTES + expected.count * ENTRY_BYTES:
        raise IdentityIndexCorrupted(path, f"has {size} bytes, which is not the size of {expected.count} entries")
    with path.open("rb") as file:
        if file.read(_HEADER_BYTES) != _framed(expected).ljust(_HEADER_BYTES, b"\0"):
            raise IdentityIndexCorrupted(path, "its header is not the one that the manifest names")
    entries = _mapped(path, expected.count)
    for name, column, checksum in zip(Entries._fields, entries, expected.checksums, strict=True):
        if xxhash.xxh3_128_hexdigest(column.view(np.uint8).data) != checksum:
            raise IdentityIndexCorrupted(path, f"the checksum of its {name} is wrong")
    return Run(path, expected, entries)


def merged_chunks(parts: Sequence[Entries], chunk_entries: int = MERGE_CHUNK_ENTRIES) -> Iterator[Entries]:
    """Merge `parts` into ascending chunks of about `chunk_entries` entries, if hashes are evenly spread."""
    widest = max(parts, key=lambda part: part.length)
    total = sum(part.length for part in parts)
    step = max(1, widest.length * chunk_entries // total)
    bounds = np.unique(widest.hashes[step::step])
    cuts = [[0, *np.searchsorted(part.hashes, bounds).tolist(), part.length] for part in parts]
    for number in range(len(bounds) + 1):
        slices = [
            Entries(*(column[cut[number] : cut[number + 1]] for column in part))
            for part, cut in zip(parts, cuts, strict=True)
        ]
        yield merged([chunk for chunk in slices if chunk.length] or slices[:1])


def _write_columns(
    file: BinaryIO, log_id: str, covered: tuple[int, bytes], count: int, chunks: Iterable[Entries]
) -> RunHeader:
    checksums = [xxhash.xxh3_128() for _ in Entries._fields]
    locator_min, locator_max, written = (1 << 64) - 1, 0, 0
    for chunk in chunks:
        if not chunk.length:
            continue
        for number, column in enumerate(chunk):
            stored = np.ascontiguousarray(column, dtype=_COLUMN).view(np.uint8).data
            file.seek(_HEADER_BYTES + (number * count + written) * _COLUMN.itemsize)
            file.write(stored)
            checksums[number].update(stored)
        written += chunk.length
        locator_min = min(locator_min, int(chunk.locators.min()))
        locator_max = max(locator_max, int(chunk.locators.max()))
    if written != count:
        raise ValueError(f"{written} entries written where {count} were announced")
    hashes, digests, locators = (checksum.hexdigest() for checksum in checksums)
    return RunHeader(
        format=RUN_FORMAT,
        log_id=log_id,
        count=count,
        position_min=position_of(locator_min),
        position_max=position_of(locator_max),
        covered_position=covered[0],
        running_hash=covered[1],
        checksums=(hashes, digests, locators),
    )


def _framed(header: RunHeader) -> bytes:
    encoded = msgspec.json.encode(header)
    framed = _MAGIC + len(encoded).to_bytes(4, "little") + encoded
    if len(framed) > _HEADER_BYTES:
        raise ValueError("the log id is too long for a run's header")
    return framed


def _mapped(path: Path, count: int) -> Entries:
    columns = np.asarray(np.memmap(path, dtype=_COLUMN, mode="r", offset=_HEADER_BYTES, shape=(3, count)))
    return Entries(columns[0], columns[1], columns[2])
