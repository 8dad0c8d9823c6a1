"""Field types and base classes that many requests and responses share."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from api.http.paging import CURSOR_LENGTH_MAX, PAGE_ROWS_DEFAULT
from api.http.reading import MOMENT_LENGTH_MAX
from domain.commands.received import REASON_LENGTH_MAX, reason_or_none
from domain.values.identifiers import line_problem
from domain.values.instants import instant_text
from domain.values.money import money_text
from projections.queries.snapshot import PAGE_ROWS_MAX

_MONEY_SCHEMA: Final = {"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "examples": ["0.0125"]}
_INSTANT_SCHEMA: Final = {"type": "string", "format": "date-time", "examples": ["2026-03-01T00:00:00.000000Z"]}
_NUMBER_GIVEN: Final = {"type": ["string", "number", "null"], "examples": ["25.00"]}

#: A decimal number in a response: text without exponent and trailing zeros.
DecimalText = Annotated[Decimal, PlainSerializer(money_text, return_type=str), WithJsonSchema(_MONEY_SCHEMA)]
#: An instant in a response: RFC 3339, UTC, microseconds.
Instant = Annotated[datetime, PlainSerializer(instant_text, return_type=str), WithJsonSchema(_INSTANT_SCHEMA)]

#: A decimal number in a request: text or a JSON number. The domain checks it.
NumberGiven = Annotated[Any, WithJsonSchema(_NUMBER_GIVEN)]
#: A count in a request. The domain checks it.
CountGiven = Annotated[Any, WithJsonSchema({"type": ["integer", "null"], "minimum": 0})]
#: An instant in a request, RFC 3339. The domain checks it.
InstantGiven = Annotated[
    str | None, Field(json_schema_extra={"format": "date-time"}, examples=["2026-03-01T00:00:00Z"])
]


def _run_name(name: str) -> str:
    problem = line_problem(name)
    if problem is not None:
        raise ValueError(problem)
    return name


#: The name of a new run, which stands in tables and messages. Runs opened before this was a rule keep their names.
RunName = Annotated[str, AfterValidator(_run_name)]
#: The bound of a time in a request, RFC 3339 or a day in UTC. The domain checks it.
BoundGiven = Annotated[str | None, Field(examples=["2026-03-01", "2026-03-01T09:30:00Z"])]
#: The reason for a change in a request, without blanks around it; None where nothing is left.
ReasonInBody = Annotated[str, Field(max_length=REASON_LENGTH_MAX), AfterValidator(reason_or_none)] | None


class RequestBody(BaseModel):
    """Base of request bodies: unknown members are refused and nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Query(BaseModel):
    """Base of query parameters: converted from text. Unknown ones are refused, as a misspelt filter filters nothing."""

    model_config = ConfigDict(extra="forbid")


class ReadQuery(Query):
    """Query parameters of every read."""

    min_position: int | None = Field(
        None, ge=0, description="Wait until this log position is folded; 503 when that takes too long."
    )


class PageQuery(ReadQuery):
    """Query parameters of a list that comes in pages."""

    limit: int = Field(PAGE_ROWS_DEFAULT, ge=1, le=PAGE_ROWS_MAX, description="Rows of a page, at most.")
    cursor: str | None = Field(None, max_length=CURSOR_LENGTH_MAX, description="`next_cursor` of the previous page.")


class AsOfQuery(ReadQuery):
    """Query parameters of a read that can be asked again: as known at a log position, at a time."""

    as_of: str | None = Field(
        None,
        max_length=MOMENT_LENGTH_MAX,
        description="Answer as known then: an RFC 3339 instant, a day, or a log position.",
        examples=["2026-03-01T00:00:00Z", "1234"],
    )
    at: str | None = Field(
        None,
        max_length=MOMENT_LENGTH_MAX,
        description="Answer as if asked at this time, RFC 3339. Default: now; with `as_of`, when the tenant's last log "
        "record known then was recorded.",
        examples=["2026-03-01T00:00:00Z"],
    )

    names: ClassVar[tuple[str, str]] = ("as_of", "at")


class AsOfPageQuery(AsOfQuery, PageQuery):
    """Query parameters of a list that comes in pages and can be asked again."""


class PositionedView(BaseModel):
    """Base of responses that name the log position they are true for."""

    position: int = Field(description="The log position that this answer is true for.")


class ReadingView(PositionedView):
    """Base of responses that can be asked for again: with `as_of` and `at`, their position and time."""

    now: Instant = Field(description="The time that this answer is true for.")
