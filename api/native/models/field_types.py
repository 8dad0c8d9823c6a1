"""Shapes that many requests and answers share."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from api.http.paging import CURSOR_LENGTH_MAX, PAGE_ROWS_DEFAULT
from domain.values.instants import instant_text
from domain.values.money import money_text
from projections.queries.snapshot import PAGE_ROWS_MAX

_MONEY_SCHEMA: Final = {"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "examples": ["0.0125"]}
_INSTANT_SCHEMA: Final = {"type": "string", "format": "date-time", "examples": ["2026-03-01T00:00:00.000000Z"]}
_NUMBER_GIVEN: Final = {"type": ["string", "number", "null"], "examples": ["25.00"]}

#: Decimal text, without exponent and without trailing zeros.
DecimalText = Annotated[Decimal, PlainSerializer(money_text, return_type=str), WithJsonSchema(_MONEY_SCHEMA)]
#: RFC 3339, UTC, microseconds.
Instant = Annotated[datetime, PlainSerializer(instant_text, return_type=str), WithJsonSchema(_INSTANT_SCHEMA)]

#: A decimal number as a caller may write it: text or JSON number. The rules are the domain's.
NumberGiven = Annotated[Any, WithJsonSchema(_NUMBER_GIVEN)]
CountGiven = Annotated[Any, WithJsonSchema({"type": ["integer", "null"], "minimum": 0})]
InstantGiven = Annotated[
    str | None, Field(json_schema_extra={"format": "date-time"}, examples=["2026-03-01T00:00:00Z"])
]


class Given(BaseModel):
    """A body or a query: nothing that is not known, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Query(BaseModel):
    """Parameters of a query, converted from text; unknown ones are refused, as a misspelt filter filters nothing."""

    model_config = ConfigDict(extra="forbid")


class Reading(Query):
    min_position: int | None = Field(None, ge=0, description="Wait until this log position is folded, else 503.")


class PageQuery(Reading):
    limit: int = Field(PAGE_ROWS_DEFAULT, ge=1, le=PAGE_ROWS_MAX, description="Rows of a page at most.")
    cursor: str | None = Field(None, max_length=CURSOR_LENGTH_MAX, description="`next_cursor` of the page before.")


class AsOf(Reading):
    as_of: str | None = Field(
        None,
        max_length=40,
        description="As known then: an RFC 3339 instant, or a log position.",
        examples=["2026-03-01T00:00:00Z", "1234"],
    )


class PositionOnly(BaseModel):
    position: int = Field(description="The log position that this is true for.")
