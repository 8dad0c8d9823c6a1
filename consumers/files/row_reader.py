"""Readers for the rows of CSV, Parquet and newline-delimited JSON files, in constant memory."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, BinaryIO, Final

import msgspec

from consumers.errors import FileUnreadable
from consumers.files.map_file import CsvOptions

LINE_BYTES_MAX: Final = 16 * 1024 * 1024
PARQUET_ROWS_MAX: Final = 8_192
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class Row(msgspec.Struct, frozen=True):
    """A row: its number from 0, its bytes without the line end, and where it ends in the file, in bytes from the start.

    `cells` is None when the row is malformed: too few or too many cells, invalid JSON, or not UTF-8.
    """

    number: int
    raw: bytes
    end_bytes: int
    cells: dict[str, object] | None


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """Yield lines with their ends, without a byte order mark; a longer line is cut to `LINE_BYTES_MAX` bytes."""
    line = stream.readline(LINE_BYTES_MAX)
    yield line.removeprefix(_BYTE_ORDER_MARK)
    while line := stream.readline(LINE_BYTES_MAX):
        yield line
        while len(line) == LINE_BYTES_MAX and not line.endswith(b"\n"):
            line = stream.readline(LINE_BYTES_MAX)


class _RecordingLines:
    """Iterator of lines as text for the CSV reader, which records the bytes of the lines it has handed out."""

    def __init__(self, stream: BinaryIO) -> None:
        self._lines = lines_of(stream)
        self.taken: list[bytes] = []

    def __iter__(self) -> _RecordingLines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.taken.append(line)
        return line.decode("utf-8", "surrogateescape")

    def raw(self) -> bytes:
        """Return the bytes handed out since the last call."""
        raw = b"".join(self.taken)
        self.taken.clear()
        return raw


def csv_rows(stream: BinaryIO, options: CsvOptions, wanted: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a CSV file. Cells are text; empty lines are skipped."""
    lines = _RecordingLines(stream)
    reader = csv.reader(lines, delimiter=options.delimiter, quotechar=options.quote)
    names = options.columns if options.columns is not None else [name.strip() for name in next(reader, [])]
    check_columns(wanted, names)
    end_bytes = len(lines.raw())
    number = 0
    while True:
        try:
            cells: list[str] | None = next(reader)
        except StopIteration:
            return
        except csv.Error:
            cells = None
        taken = lines.raw()
        end_bytes += len(taken)
        raw = taken.rstrip(b"\r\n")
        if not raw:
            continue
        well_formed = cells is not None and len(cells) == len(names) and _is_text(raw)
        yield Row(number, raw, end_bytes, dict(zip(names, cells or (), strict=True)) if well_formed else None)
        number += 1


def json_rows(stream: BinaryIO) -> Iterator[Row]:
    """Yield the rows of a newline-delimited JSON file. Fractions are exact decimals."""
    decoder = msgspec.json.Decoder(dict[str, object], float_hook=Decimal)
    end_bytes = 0
    number = 0
    for line in lines_of(stream):
        end_bytes += len(line)
        raw = line.strip()
        if not raw:
            continue
        try:
            cells = _flat(decoder.decode(raw))
        except (ValueError, RecursionError, ArithmeticError):  # the last: an exponent beyond those of decimals
            cells = None
        yield Row(number, raw, end_bytes, cells)
        number += 1


def parquet_rows(stream: BinaryIO, size_bytes: int, wanted: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a Parquet file. The bytes of a row are its values as JSON, in the order of the columns."""
    import pyarrow as pa  # imported here because most files are not Parquet
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(stream)
    except (pa.ArrowException, OSError) as error:
        raise FileUnreadable(f"not a Parquet file: {error}") from None
    names = file.schema_arrow.names
    check_columns(wanted, names)
    encoder = msgspec.json.Encoder(enc_hook=str)
    rows_total = max(file.metadata.num_rows, 1)
    number = 0
    for batch in file.iter_batches(batch_size=PARQUET_ROWS_MAX):
        columns = [_python_values(batch.column(name)) for name in names]
        for values in zip(*columns, strict=True):
            raw = encoder.encode(values)
            yield Row(number, raw, size_bytes * (number + 1) // rows_total, dict(zip(names, values, strict=True)))
            number += 1


def check_columns(wanted: Sequence[str], present: Sequence[str]) -> None:
    """Raise `FileUnreadable` when the map names a column that the file does not have."""
    missing = [name for name in wanted if name not in present]
    if missing:
        raise FileUnreadable(
            f"the file has no column {', '.join(map(repr, missing))}; it has {', '.join(map(repr, present)) or 'none'}"
        )


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _flat(members: dict[str, object]) -> dict[str, object]:
    """Add the members of nested objects under dotted names: {"usage": {"in": 1}} has usage and usage.in."""
    flat = dict(members)
    for name, value in members.items():
        if isinstance(value, dict):
            flat.update({f"{name}.{inner}": inner_value for inner, inner_value in _flat(value).items()})
    return flat


def _python_values(column: Any) -> list[object]:
    """Return the values of an Arrow array as Python objects; instants are cut to the microsecond.

    Dates that Python has no date for become the text of their number, so that only their own rows are rejected.
    """
    if str(column.type).startswith("timestamp[ns"):
        column = column.cast(str(column.type).replace("[ns", "[us"), safe=False)
    try:
        values: list[object] = column.to_pylist()
    except (OverflowError, ValueError):
        values = [_python_value(scalar) for scalar in column]
    return [_decoded(value) if isinstance(value, bytes) else value for value in values]


def _python_value(scalar: Any) -> object:
    try:
        return scalar.as_py()
    except (OverflowError, ValueError):
        return str(scalar.value)


def _decoded(value: bytes) -> str:
    """Decode binary values, which are mostly text without that annotation; other bytes become hexadecimal digits."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()
