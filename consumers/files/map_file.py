"""Map file: a YAML document that says which column of a usage file is which part of a usage event."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    ValidationError,
    field_validator,
)

from consumers.errors import FileUnreadable

MAP_BYTES_MAX: Final = 1024 * 1024
CUSTOMERS_MAX: Final = 10_000_000

#: Members of `data` that are numbers, and those that are lists, unless the map gives another type.
NUMBERS: Final = frozenset(
    (
        "input_tokens",
        "cached_input_tokens",
        "cache_write_tokens",
        "output_tokens",
        "reasoning_tokens",
        "cost_usd",
        "latency_ms",
        "ttft_ms",
    )
)
LISTS: Final = frozenset(("tags",))

#: Time formats besides strptime patterns: ISO 8601, and counts since 1970 with their units per second.
TIME_FORMATS: Final = {"iso": 0, "unix_seconds": 1, "unix_milliseconds": 1_000, "unix_microseconds": 1_000_000}

CellType = Literal["text", "number", "boolean", "list", "json"]


class MapInvalid(FileUnreadable):
    """A map file is invalid. `problems` holds one line per fault, with its place and the rule."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class MapModel(BaseModel):
    """Base of the parts of a map: frozen, and unknown members are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(MapModel):
    """The value of a column. An empty cell takes `default`, or is left out."""

    column: str = Field(min_length=1)
    kind: CellType | None = Field(None, alias="as")
    default: str | int | bool | None = None
    separator: str = Field(",", min_length=1, description="between the members of a list")


def _spread_by(value: object) -> str | tuple[str, ...]:
    if value == "row_number":
        return "row_number"
    if isinstance(value, list) and value and all(isinstance(name, str) for name in value):
        return tuple(value)
    raise ValueError("must be row_number or a list of columns")


class Spread(MapModel):
    """Synthetic customers, for files without any: row number or hash of columns, modulo `customers`."""

    customers: int = Field(ge=1, le=CUSTOMERS_MAX)
    by: Annotated[str | tuple[str, ...], PlainValidator(_spread_by)]
    prefix: str = "customer-"
    digits: int = Field(2, ge=1, le=10)


class SpreadRule(MapModel):
    """The form `{spread: ...}` of a subject."""

    spread: Spread


class Time(MapModel):
    """The time of the event. A time without an offset is read in `zone`."""

    column: str = Field(min_length=1)
    format: str = Field("iso", description="one of TIME_FORMATS or a strptime pattern")
    zone: str = "UTC"

    @field_validator("format")
    @classmethod
    def _known_format(cls, value: str) -> str:
        if value in TIME_FORMATS or "%" in value:
            return value
        raise ValueError(f"must be {', '.join(TIME_FORMATS)} or a pattern such as %d/%b/%Y:%H:%M:%S %z")

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("must be an IANA time zone, such as Europe/Berlin") from None
        return value


class CsvOptions(MapModel):
    """How a CSV file is written."""

    delimiter: str = Field(",", min_length=1, max_length=1)
    quote: str = Field('"', min_length=1, max_length=1)
    columns: list[str] | None = Field(None, description="names of the columns, for a file without a header line")


def _form(value: object) -> str:
    if isinstance(value, SpreadRule) or (isinstance(value, dict) and "spread" in value):
        return "<spread>"
    return _form_of_data(value)


def _form_of_data(value: object) -> str:
    return "<column>" if isinstance(value, Column) or (isinstance(value, dict) and "column" in value) else "<constant>"


def _constant(value: object) -> object:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise ValueError("must be text, a number, true, false, a list or a mapping; put a date in quotes") from None
    return value


#: The angle brackets distinguish tags from names in a map, so that messages can leave them out.
_CONSTANT: Final = Tag("<constant>")
_COLUMN: Final = Tag("<column>")
_SPREAD: Final = Tag("<spread>")
TextOrColumn = Annotated[Annotated[str, _CONSTANT] | Annotated[Column, _COLUMN], Discriminator(_form_of_data)]
Subject = Annotated[
    Annotated[str, _CONSTANT] | Annotated[Column, _COLUMN] | Annotated[SpreadRule, _SPREAD], Discriminator(_form)
]
DataValue = Annotated[
    Annotated[Any, AfterValidator(_constant), _CONSTANT] | Annotated[Column, _COLUMN], Discriminator(_form_of_data)
]


class FileMap(MapModel):
    """The map of a file. A constant is used as it is; `{column: NAME}` takes the cell of a column."""

    source: str = Field(min_length=1, max_length=1000)
    type: TextOrColumn = "llm.request"
    id: Column | None = None
    subject: Subject
    time: Time | None = None
    data: dict[str, DataValue] = Field(default_factory=dict)
    csv: CsvOptions = CsvOptions()

    def columns(self) -> list[str]:
        """Return every column that the map names, once each, in order."""
        return list(dict.fromkeys(self._named()))

    def _named(self) -> Iterator[str]:
        for value in (self.type, self.id, self.subject, self.time, *self.data.values()):
            if isinstance(value, Column | Time):
                yield value.column
            elif isinstance(value, SpreadRule) and not isinstance(value.spread.by, str):
                yield from value.spread.by


def read_map(text: str | bytes) -> FileMap:
    """Parse a map. Raises `MapInvalid`, which names every fault with its place."""
    if len(text) > MAP_BYTES_MAX:
        raise MapInvalid([f"a map must be at most {MAP_BYTES_MAX} bytes"])
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise MapInvalid([f"not YAML: {error}"]) from None
    if not isinstance(document, dict):
        raise MapInvalid(["a map must be a YAML mapping with source, subject, time and data"])
    try:
        return FileMap.model_validate(document)
    except ValidationError as error:
        raise MapInvalid([_problem(entry["loc"], entry["msg"]) for entry in error.errors()]) from None


def _problem(location: tuple[int | str, ...], message: str) -> str:
    shown = ".".join(str(part) for part in location if not str(part).startswith("<"))
    return f"{shown}: {message.removeprefix('Value error, ')}"
