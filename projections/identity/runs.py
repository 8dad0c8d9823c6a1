"""Runs: immutable files of index entries, ascending by hash, memory-mapped.

    offset 0      magic (8 bytes), length of the header (4 bytes, little-endian), header (JSON), zeros
    offset 4096   hashes, digests, locators: three columns of `count` little-endian 64-bit numbers

Contiguous columns, because a lookup searches the hashes and rarely needs the rest (three times as fast as
24-byte records at ten million entries).
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
#: How many entries of a merge are in memory at once (48 MB, and as much again while they are sorted).
MERGE_PIECE_ENTRIES: Final = 1 << 21


class RunHeader(msgspec.Struct, frozen=True):
    """What a run says about itself; the manifest says the same, so that neither can be exchanged."""

    format: int
    log_id: str
    count: int
    position_min: int  # of the blocks that its locators point into
    position_max: int
    covered_position: int  # the log position that the index covered when this run was written
    running_hash: bytes  # of the log at the covered position
    checksums: tuple[str, str, str]  # xxh3-128 of each column, hex


class Run(NamedTuple):
    """A run that can be searched. Its file may be unlinked meanwhile."""

    path: Path
    header: RunHeader
    entries: Entries

    @property
    def bytes(self) -> int:
        return self.header.count * ENTRY_BYTES


def write_run(path: Path, log_id: str, covered: tuple[int, bytes], count: int, pieces: Iterable[Entries]) -> Run:
    """Write `pieces` (each ascending, each at or above the one before, `count` > 0 entries in all) as a run; map it."""
    headers: list[RunHeader] = []

    def write(file: BinaryIO) -> None:
        headers.append(_write_columns(file, log_id, covered, count, pieces))
        file.seek(0)
        file.write(_framed(headers[0]))

    write_durably(path, write)
    return Run(path, headers[0], _mapped(path, count))


def read_run(path: Path, expected: RunHeader) -> Run:
    """The run at `path`, every byte of it verified; `IdentityIndexCorrupted` unless it is the `expected` one."""
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


def merged_in_pieces(parts: Sequence[Entries], piece_entries: int = MERGE_PIECE_ENTRIES) -> Iterator[Entries]:
    """All entries of `parts` in ascending pieces of about `piece_entries`, given evenly spread hashes."""
    widest = max(parts, key=lambda part: part.length)
    total = sum(part.length for part in parts)
    step = max(1, widest.length * piece_entries // total)
    bounds = np.unique(widest.hashes[step::step])
    cuts = [[0, *np.searchsorted(part.hashes, bounds).tolist(), part.length] for part in parts]
    for number in range(len(bounds) + 1):
        slices = [
            Entries(*(column[cut[number] : cut[number + 1]] for column in part))
            for part, cut in zip(parts, cuts, strict=True)
        ]
        yield merged([piece for piece in slices if piece.length] or slices[:1])


def _write_columns(
    file: BinaryIO, log_id: str, covered: tuple[int, bytes], count: int, pieces: Iterable[Entries]
) -> RunHeader:
    checksums = [xxhash.xxh3_128() for _ in Entries._fields]
    locator_min, locator_max, written = (1 << 64) - 1, 0, 0
    for piece in pieces:
        if not piece.length:
            continue
        for number, column in enumerate(piece):
            stored = np.ascontiguousarray(column, dtype=_COLUMN).view(np.uint8).data
            file.seek(_HEADER_BYTES + (number * count + written) * _COLUMN.itemsize)
            file.write(stored)
            checksums[number].update(stored)
        written += piece.length
        locator_min = min(locator_min, int(piece.locators.min()))
        locator_max = max(locator_max, int(piece.locators.max()))
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
