"""Rows of CSV, Parquet and newline-delimited JSON files, one after the other, in flat memory."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, BinaryIO, Final

import msgspec

from consumers.errors import FileUnreadable
from consumers.files.maps import CsvOptions

LINE_BYTES_MAX: Final = 16 * 1024 * 1024
PARQUET_ROWS_MAX: Final = 8_192
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class Row(msgspec.Struct, frozen=True):
    """A row: its number from 0, its bytes without line end, and where in the file it ends (bytes from the start).

    `cells` is None when the row does not have the shape of the file: too few or too many cells, or not text.
    """

    number: int
    raw: bytes
    end_bytes: int
    cells: dict[str, object] | None


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """Lines with their ends, without a byte order mark. Of an overlong line only `LINE_BYTES_MAX` bytes are kept."""
    line = stream.readline(LINE_BYTES_MAX)
    yield line.removeprefix(_BYTE_ORDER_MARK)
    while line := stream.readline(LINE_BYTES_MAX):
        yield line
        while len(line) == LINE_BYTES_MAX and not line.endswith(b"\n"):
            line = stream.readline(LINE_BYTES_MAX)


class _Recorder:
    """Hands lines to the CSV reader as text and remembers the bytes of those it has taken."""

    def __init__(self, stream: BinaryIO) -> None:
        self._lines = lines_of(stream)
        self.taken: list[bytes] = []

    def __iter__(self) -> _Recorder:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.taken.append(line)
        return line.decode("utf-8", "surrogateescape")

    def raw(self) -> bytes:
        """The bytes taken since the last call."""
        raw = b"".join(self.taken)
        self.taken.clear()
        return raw


def csv_rows(stream: BinaryIO, options: CsvOptions, wanted: Sequence[str]) -> Iterator[Row]:
    """Rows of a CSV file. Cells are text; empty lines are no rows."""
    lines = _Recorder(stream)
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
        shaped = cells is not None and len(cells) == len(names) and _is_text(raw)
        yield Row(number, raw, end_bytes, dict(zip(names, cells or (), strict=True)) if shaped else None)
        number += 1


def json_rows(stream: BinaryIO) -> Iterator[Row]:
    """Rows of a newline-delimited JSON file. Fractions stay exact."""
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
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            cells = None
        yield Row(number, raw, end_bytes, cells)
        number += 1


def parquet_rows(stream: BinaryIO, size_bytes: int, wanted: Sequence[str]) -> Iterator[Row]:
    """Rows of a Parquet file. The bytes of a row are its values as JSON, in the order of the file's columns."""
    import pyarrow as pa  # here, as most files are none of this
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
    """Members of nested objects under dotted names too: {"usage": {"in": 1}} has usage and usage.in."""
    flat = dict(members)
    for name, value in members.items():
        if isinstance(value, dict):
            flat.update({f"{name}.{inner}": inner_value for inner, inner_value in _flat(value).items()})
    return flat


def _python_values(column: Any) -> list[object]:
    """The values of an Arrow array; instants cut to the microsecond."""
    if str(column.type).startswith("timestamp[ns"):
        column = column.cast(str(column.type).replace("[ns", "[us"), safe=False)
    values: list[object] = column.to_pylist()
    return [_decoded(value) if isinstance(value, bytes) else value for value in values]


def _decoded(value: bytes) -> str:
    """Text that was stored without saying that it is text; hexadecimal digits where it is none."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()
