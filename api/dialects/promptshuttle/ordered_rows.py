"""Rows of a long answer, put in order on disk: memory holds two numbers a row, and a part of the rows."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Final

#: Rows are kept in memory up to this size, all together.
SPOOLED_BYTES_MAX: Final = 1024 * 1024
#: Rows in one chunk of the answer.
CHUNK_ROWS: Final = 1_000
#: Greater ranks count as this one.
RANK_MAX: Final = 2**63 - 1


class OrderedRows:
    """Encoded JSON values, added in one order and read back in another."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds the rows that do not fit into memory, in a file without a name."""
        self._file = SpooledTemporaryFile(SPOOLED_BYTES_MAX, dir=str(folder))  # noqa: SIM115 -- closed once it is read
        self._ranks = array("q")
        self._ends = array("q", [0])

    def add(self, rank: int, row: bytes) -> None:
        """Add a row. Those of greater rank come first, those of one rank in the order in which they were added."""
        self._file.write(row)
        self._ranks.append(min(rank, RANK_MAX))
        self._ends.append(self._ends[-1] + len(row))

    def as_array(self) -> Iterator[bytes]:
        """Yield one JSON array of all rows, in chunks. It can be read once."""
        with self._file:
            order = array("q", sorted(range(len(self._ranks)), key=lambda number: -self._ranks[number]))
            yield b"["
            for start in range(0, len(order), CHUNK_ROWS):
                chunk = b",".join(self._row(number) for number in order[start : start + CHUNK_ROWS])
                yield chunk if start == 0 else b"," + chunk
            yield b"]"

    def close(self) -> None:
        """Discard the rows."""
        self._file.close()

    def _row(self, number: int) -> bytes:
        start = self._ends[number]
        self._file.seek(start)
        row: bytes = self._file.read(self._ends[number + 1] - start)
        return row
