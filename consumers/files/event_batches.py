"""Files of usage as batches of CloudEvents, ready to be posted: newline-delimited JSON, in flat memory.

A row that cannot be understood is passed on as it stands, so that it is received, rejected with a
reason and found again under the rejected events, like any other bad event. Nothing is left out.
"""

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
from pathlib import Path
from typing import BinaryIO, Final
from zoneinfo import ZoneInfo

import msgspec

from consumers.errors import FileUnreadable
from consumers.files.maps import LISTS, NUMBERS, TIME_FORMATS, Column, FileMap, Kind, SpreadRule, Time
from consumers.files.rows import Row, csv_rows, json_rows, lines_of, parquet_rows
from domain.values.instants import EPOCH, instant_text
from domain.values.json_numbers import written_decimal

BATCH_EVENTS_MAX: Final = 5_000
BATCH_BYTES_MAX: Final = 8 * 1024 * 1024
_OCCURRENCE_CACHE_KIBIBYTES: Final = 64 * 1024

_EPOCH_COUNT_MAX: Final = Decimal(10) ** 18
_BELOW_MICROSECOND: Final = re.compile(r"(?<=\.\d{6})\d+")
_DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER: Final = msgspec.json.Encoder(enc_hook=str, decimal_format="number")
_TRUTH: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

Cells = dict[str, object]


class Line(msgspec.Struct, frozen=True):
    """One event as a line of JSON, and where in the file its row ends (bytes from the start)."""

    body: bytes
    end_bytes: int


class Batch(msgspec.Struct, frozen=True):
    """Some events: newline-delimited JSON, how many, and how much of the file is read with them."""

    body: bytes
    events: int
    end_bytes: int


def read_batches(path: Path, file_map: FileMap | None, batch_bytes_max: int = BATCH_BYTES_MAX) -> Iterator[Batch]:
    """The events of a file, in its order. Raises `FileUnreadable` when the file as a whole cannot be read."""
    with path.open("rb") as stream:
        size_bytes = path.stat().st_size
        yield from batched(read_lines(stream, path.suffix.lower(), size_bytes, file_map), batch_bytes_max)


def read_lines(stream: BinaryIO, suffix: str, size_bytes: int, file_map: FileMap | None) -> Iterator[Line]:
    """The events of an open file; `suffix` says how it is written. Without a map its lines are events already."""
    if file_map is None:
        if suffix in (".csv", ".tsv", ".parquet"):
            raise FileUnreadable(f"a {suffix} file needs a map that says which column is what: --map MAP.yml")
        return _plain_lines(stream)
    if suffix == ".parquet":
        rows = parquet_rows(stream, size_bytes, file_map.columns())
    elif suffix in (".ndjson", ".jsonl", ".json"):
        rows = json_rows(stream)
    else:
        rows = csv_rows(stream, file_map.csv, file_map.columns())
    return mapped(rows, file_map)


def batched(lines: Iterable[Line], bytes_max: int, events_max: int = BATCH_EVENTS_MAX) -> Iterator[Batch]:
    """Lines joined to batches of at most `events_max` events and, unless one event is longer, `bytes_max` bytes."""
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


def mapped(rows: Iterable[Row], file_map: FileMap) -> Iterator[Line]:
    """The event of each row, by the map."""
    subject = _subject_reader(file_map)
    time = None if file_map.time is None else _time_reader(file_map.time)
    with closing(Occurrences()) as occurrences:
        for row in rows:
            occurrence = occurrences.next(row.raw) if file_map.id is None else ""
            if row.cells is None:
                yield Line(row.raw.replace(b"\r", b" ").replace(b"\n", b" "), row.end_bytes)
                continue
            event: Cells = {"specversion": "1.0", "source": file_map.source}
            event["id"] = occurrence if file_map.id is None else _text(file_map.id, row.cells)
            event["type"] = file_map.type if isinstance(file_map.type, str) else _text(file_map.type, row.cells)
            event["subject"] = subject(row)
            event["time"] = None if time is None else time(row.cells)
            event["data"] = _data(file_map, row.cells)
            yield Line(_json({name: value for name, value in event.items() if value is not None}), row.end_bytes)


class Occurrences:
    """Makes ids for rows that have none: a hash of the row and how many equal rows stood before it.

    The counts are kept in a temporary database that the system moves to disk when it outgrows its
    cache, so that a file of any length is read in flat memory.
    """

    def __init__(self) -> None:
        self._seen = sqlite3.connect("", isolation_level=None)
        self._seen.execute(f"PRAGMA cache_size = -{_OCCURRENCE_CACHE_KIBIBYTES}")
        self._seen.execute("PRAGMA journal_mode = OFF")
        self._seen.execute("PRAGMA synchronous = OFF")
        self._seen.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID")
        self._seen.execute("BEGIN")

    def next(self, raw: bytes) -> str:
        """The id of this row: 32 hexadecimal digits, '-', and its number among equal rows from 1."""
        digest = hashlib.blake2b(raw, digest_size=16).digest()
        (times,) = self._seen.execute(
            "INSERT INTO seen VALUES (?, 1) ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times", (digest,)
        ).fetchone()
        return f"{digest.hex()}-{times}"

    def close(self) -> None:
        self._seen.close()


def _plain_lines(stream: BinaryIO) -> Iterator[Line]:
    end_bytes = 0
    for line in lines_of(stream):
        end_bytes += len(line)
        body = line.strip()
        if body:
            yield Line(body, end_bytes)


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
        key = json.dumps([_shown(cells.get(name)) for name in spread.by], ensure_ascii=True)
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
    kind: Kind | None = rule.kind or ("number" if name in NUMBERS else "list" if name in LISTS else None)
    if not isinstance(value, str):
        return _shown(value) if kind == "text" or _is_no_number(value) else value
    return _typed(value, kind or "text", rule)


def _is_no_number(value: object) -> bool:
    """NaN and infinity: JSON has no word for them, and null would mean that nothing was said."""
    return isinstance(value, float) and not math.isfinite(value)


def _typed(text: str, kind: Kind, rule: Column) -> object:
    """The text as what the map calls it; the text itself where it is no such thing, for intake to reject."""
    stripped = text.strip()
    if kind == "number":
        return msgspec.Raw(stripped.encode()) if written_decimal(stripped) is not None else text
    if kind == "boolean":
        return _TRUTH.get(stripped.lower(), text)
    if kind == "list":
        return [member.strip() for member in text.split(rule.separator) if member.strip()]
    if kind == "json":
        try:
            return _DECODER.decode(text)
        except msgspec.DecodeError:
            return text
    return text


def _text(rule: Column, cells: Cells) -> str | None:
    value = cells.get(rule.column)
    if value is None or value == "":
        return None if rule.default is None else str(rule.default)
    return _shown(value)


def _shown(value: object) -> str:
    """A cell as text that is the same in every file format: integral numbers without a fraction."""
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
            return _shown(value)

    return read


def _instant(value: object, pattern: str, zone: tzinfo) -> datetime:
    """The instant, cut to the microsecond; raises ValueError, OverflowError or InvalidOperation when it is none."""
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
        raise ValueError("is no time")
    return EPOCH + timedelta(microseconds=math.floor(count * (1_000_000 // per_second)))


def _json(event: Cells) -> bytes:
    return _ENCODER.encode(event)
