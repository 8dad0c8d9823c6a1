"""Convert usage files into batches of CloudEvents: newline-delimited JSON, in constant memory.

No row is left out. One that cannot be understood is passed on unchanged, so that intake rejects it with a reason and it
can be found among the rejected events, like any other invalid event.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from consumers.errors import FileUnreadable
from consumers.files.map_file import FileMap
from consumers.files.row_mapping import Line, mapped
from consumers.files.row_reader import csv_rows, json_rows, lines_of, parquet_rows

BATCH_EVENTS_MAX: Final = 5_000
BATCH_BYTES_MAX: Final = 8 * 1024 * 1024


class Batch(msgspec.Struct, frozen=True):
    """Newline-delimited JSON of some events, their number, and where the last one ends in the file, in bytes."""

    body: bytes
    events: int
    end_bytes: int


def read_batches(path: Path, file_map: FileMap | None, batch_bytes_max: int = BATCH_BYTES_MAX) -> Iterator[Batch]:
    """Yield the events of a file in order. Raises `FileUnreadable` when the file as a whole cannot be read."""
    with path.open("rb") as stream:
        size_bytes = path.stat().st_size
        yield from batched(read_lines(stream, path.suffix.lower(), size_bytes, file_map), batch_bytes_max)


def read_lines(stream: BinaryIO, suffix: str, size_bytes: int, file_map: FileMap | None) -> Iterator[Line]:
    """Yield the events of an open file; `suffix` gives its format. Without a map, its lines must be events."""
    if file_map is None:
        if suffix in (".csv", ".tsv", ".parquet"):
            raise FileUnreadable(f"a {suffix} file needs a map of its columns: --map MAP.yml")
        return _plain_lines(stream)
    if suffix == ".parquet":
        rows = parquet_rows(stream, size_bytes, file_map.columns())
    elif suffix in (".ndjson", ".jsonl", ".json"):
        rows = json_rows(stream)
    else:
        rows = csv_rows(stream, file_map.csv, file_map.columns())
    return mapped(rows, file_map)


def batched(lines: Iterable[Line], bytes_max: int, events_max: int = BATCH_EVENTS_MAX) -> Iterator[Batch]:
    """Join lines to batches of at most `events_max` events and `bytes_max` bytes, or one longer event."""
    held: list[bytes] = []
    held_bytes = end_bytes = 0
    for line in lines:
        if held and (held_bytes + len(line.body) + 1 > bytes_max or len(held) == events_max):
            yield Batch(b"\n".join(held), len(held), end_bytes)
            held, held_bytes = [], 0
        held.append(line.body)
        held_bytes += len(line.body) + 1
        end_bytes = line.end_bytes
    if held:
        yield Batch(b"\n".join(held), len(held), end_bytes)


def _plain_lines(stream: BinaryIO) -> Iterator[Line]:
    end_bytes = 0
    for line in lines_of(stream):
        end_bytes += len(line)
        body = line.strip()
        if body:
            yield Line(body, end_bytes)
