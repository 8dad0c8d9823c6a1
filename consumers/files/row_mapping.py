"""Rows of a file as usage events, by the rules of a map."""

from __future__ import annotations

import hashlib
import json
import math
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from consumers.files.map_file import LISTS, NUMBERS, TIME_FORMATS, CellType, Column, FileMap, SpreadRule, Time
from consumers.files.row_reader import Row
from domain.values.instants import EPOCH, instant_text
from domain.values.json_numbers import written_decimal

_OCCURRENCE_CACHE_KIBIBYTES: Final = 64 * 1024


_EPOCH_COUNT_MAX: Final = Decimal(10) ** 18


_BELOW_MICROSECOND: Final = re.compile(r"(?<=\.\d{6})\d+")


_DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)


_ENCODER: Final = msgspec.json.Encoder(enc_hook=str, decimal_format="number")


_TRUTH: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


Cells = dict[str, object]


class Line(msgspec.Struct, frozen=True):
    """An event as a line of JSON, and where its row ends in the file, in bytes from the start."""

    body: bytes
    end_bytes: int


def mapped(rows: Iterable[Row], file_map: FileMap) -> Iterator[Line]:
    """Yield the event of each row, by the map."""
    subject = _subject_reader(file_map)
    time = None if file_map.time is None else _time_reader(file_map.time)
    with closing(RowIds()) as row_ids:
        for row in rows:
            row_id = row_ids.next(row.raw) if file_map.id is None else ""
            if row.cells is None:
                yield Line(_unchanged(row), row.end_bytes)
                continue
            event: Cells = {"specversion": "1.0", "source": file_map.source}
            event["id"] = row_id if file_map.id is None else _text(file_map.id, row.cells)
            event["type"] = file_map.type if isinstance(file_map.type, str) else _text(file_map.type, row.cells)
            event["subject"] = subject(row)
            event["time"] = None if time is None else time(row.cells)
            event["data"] = _data(file_map, row.cells)
            told = {name: value for name, value in event.items() if value is not None}
            try:
                yield Line(_json(told), row.end_bytes)
            except RecursionError:  # a cell nested as deep as can still be read
                yield Line(_unchanged(row), row.end_bytes)


def _unchanged(row: Row) -> bytes:
    """The bytes of a row that makes no event, on one line, for intake to reject."""
    return row.raw.replace(b"\r", b" ").replace(b"\n", b" ")


class RowIds:
    """Generates ids for rows without an id column: a hash of the row and its occurrence among equal rows.

    The occurrences are counted in a temporary SQLite database that moves to disk when it outgrows its cache, so that a
    file of any length is read in constant memory.
    """

    def __init__(self) -> None:
        self._seen = sqlite3.connect("", isolation_level=None)
        self._seen.execute(f"PRAGMA cache_size = -{_OCCURRENCE_CACHE_KIBIBYTES}")
        self._seen.execute("PRAGMA journal_mode = OFF")
        self._seen.execute("PRAGMA synchronous = OFF")
        self._seen.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID")
        self._seen.execute("BEGIN")

    def next(self, raw: bytes) -> str:
        """Return the id of the next row: 32 hexadecimal digits, '-', and its occurrence among equal rows, from 1."""
        digest = hashlib.blake2b(raw, digest_size=16).digest()
        (times,) = self._seen.execute(
            "INSERT INTO seen VALUES (?, 1) ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times", (digest,)
        ).fetchone()
        return f"{digest.hex()}-{times}"

    def close(self) -> None:
        """Delete the temporary database."""
        self._seen.close()


def _subject_reader(file_map: FileMap) -> Callable[[Row], str | None]:
    subject = file_map.subject
    if isinstance(subject, str):
        return lambda row: subject
    if isinstance(subject, SpreadRule):
        return lambda row: _spread(subject, row)
    return lambda row: _text(subject, row.cells or {})


def _spread(rule: SpreadRule, row: Row) -> str:
    spread = rule.spread
    number = row.number
    if not isinstance(spread.by, str):
        cells = row.cells or {}
        key = json.dumps([_as_text(cells.get(name)) for name in spread.by], ensure_ascii=True)
        number = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
    return f"{spread.prefix}{number % spread.customers:0{spread.digits}d}"


def _data(file_map: FileMap, cells: Cells) -> Cells:
    data: Cells = {}
    for name, rule in file_map.data.items():
        value = _cell(name, rule, cells) if isinstance(rule, Column) else rule
        if value is not None:
            data[name] = value
    return data


def _cell(name: str, rule: Column, cells: Cells) -> object:
    value = cells.get(rule.column)
    if value is None or value == "":
        return rule.default
    cell_type: CellType | None = rule.kind or ("number" if name in NUMBERS else "list" if name in LISTS else None)
    if not isinstance(value, str):
        return _as_text(value) if cell_type == "text" or _is_not_finite(value) else value
    return _typed(value, cell_type or "text", rule)


def _is_not_finite(value: object) -> bool:
    """Return whether a value is NaN or infinity: JSON cannot express those, and null would mean a missing value."""
    return isinstance(value, float) and not math.isfinite(value)


def _typed(text: str, cell_type: CellType, rule: Column) -> object:
    """Convert text to the type given in the map; return invalid text unchanged, for intake to reject."""
    stripped = text.strip()
    if cell_type == "number":
        return msgspec.Raw(stripped.encode()) if written_decimal(stripped) is not None else text
    if cell_type == "boolean":
        return _TRUTH.get(stripped.lower(), text)
    if cell_type == "list":
        return [member.strip() for member in text.split(rule.separator) if member.strip()]
    if cell_type == "json":
        try:
            return _DECODER.decode(text)
        except (ValueError, RecursionError, ArithmeticError):
            return text
    return text


def _text(rule: Column, cells: Cells) -> str | None:
    value = cells.get(rule.column)
    if value is None or value == "":
        return None if rule.default is None else str(rule.default)
    return _as_text(value)


def _as_text(value: object) -> str:
    """Convert a cell to text that is the same for every file format: integral numbers have no fraction."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return instant_text(value) if value.tzinfo is not None else value.isoformat()
    return value if isinstance(value, str) else str(value)


def _time_reader(rule: Time) -> Callable[[Cells], object]:
    zone = UTC if rule.zone == "UTC" else ZoneInfo(rule.zone)

    def read(cells: Cells) -> object:
        value = cells.get(rule.column)
        if value is None or value == "":
            return None
        try:
            return instant_text(_instant(value, rule.format, zone))
        except (ValueError, OverflowError, InvalidOperation):
            return _as_text(value)

    return read


def _instant(value: object, pattern: str, zone: tzinfo) -> datetime:
    """Parse an instant, cut to the microsecond. Raises ValueError, OverflowError or InvalidOperation."""
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day)  # noqa: DTZ001 -- gets the zone of the map below
    elif pattern == "iso":
        moment = datetime.fromisoformat(str(value).strip())
    elif pattern in TIME_FORMATS:
        return _since_epoch(Decimal(str(value)), TIME_FORMATS[pattern])
    else:
        moment = datetime.strptime(_BELOW_MICROSECOND.sub("", str(value).strip()), pattern)  # noqa: DTZ007 -- as above
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def _since_epoch(count: Decimal, per_second: int) -> datetime:
    if not -_EPOCH_COUNT_MAX < count < _EPOCH_COUNT_MAX:
        raise ValueError("must be an instant")
    return EPOCH + timedelta(microseconds=math.floor(count * (1_000_000 // per_second)))


def _json(event: Cells) -> bytes:
    return _ENCODER.encode(event)
