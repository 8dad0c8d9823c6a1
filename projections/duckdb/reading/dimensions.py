"""SQL expressions of the dimensions that usage can be grouped by, and of members of an event's data.

In these expressions `r` is a usage row, `d` a day of the rollups, and `k` its series (a row of `kinds`). A number has
the same text in all its spellings, whether the member is read from the data or from the column that stores it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from domain.errors import InvalidInput
from domain.usage.block_schema import REQUEST_TYPE, TOKEN_COLUMNS
from domain.values.json_numbers import canonical_number, written_decimal
from projections.duckdb.reading import json_members
from projections.duckdb.reading.bound_query import BoundQuery
from projections.duckdb.storage.series import SERIES_DIMENSIONS
from projections.queries.usage import GROUP_COLUMNS, GROUPS_BY_MAX

PROPERTY_PREFIX: Final = "property:"

#: Members of an llm.request's data that are stored as columns. Meters can use them like any other member.
_TEXT_COLUMNS: Final = {
    "provider": "k.provider",
    "model": "k.model",
    "subscription": "r.subscription",
    "parent_request": "r.parent_request",
    "hold_id": "r.hold_id",
}
_NUMBER_COLUMNS: Final = {
    "cost_usd": "r.cost_usd",
    "latency_ms": "(r.latency_us::DECIMAL(21, 3) / 1000)::DECIMAL(21, 3)",
    "ttft_ms": "(r.ttft_us::DECIMAL(21, 3) / 1000)::DECIMAL(21, 3)",
}
_COUNT_COLUMNS: Final = {
    **{name: f"r.{name}" for name in TOKEN_COLUMNS},
    "total_tokens": "(r.input_tokens::HUGEINT + r.output_tokens)",
}
_STATUS: Final = "status"
_IS_REQUEST: Final = f"k.type = '{REQUEST_TYPE}'"
_PROPERTIES: Final = "r.properties"

_TAGS: Final = "unnest(CASE WHEN len(tags) > 0 THEN list_distinct(tags) ELSE [NULL::VARCHAR] END)"
_NUMBER: Final = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"
_TIE_BELOW_EVEN: Final = r"-?[0-9]+\.[0-9]{11}[02468]50*"
VALUE_DIGITS_MAX: Final = 38
#: Decimals of values, which are rounded half to even.
VALUE_DECIMALS: Final = 12
#: Values must be below this, so that no sum of them can overflow.
VALUE_LIMIT: Final = 10**15


class Dimension(msgspec.Struct, frozen=True):
    """A dimension as SQL on rows and on rollup days; `of_day` None: rollups do not keep it, rows must be read."""

    of_row: str
    of_day: str | None
    unnests_tags: bool = False
    needs_kind: bool = False


def dimensions(query: BoundQuery, group_by: Sequence[str], names_max: int = GROUPS_BY_MAX) -> tuple[Dimension, ...]:
    """Return the dimension of each name in `group_by`. Raises `InvalidInput` for unknown, repeated or too many names.

    An event with two tags counts in both groups, one without tags in the group null.
    """
    if len(group_by) > names_max:
        raise InvalidInput("group_by", f"must not have more than {names_max} names")
    if len(set(group_by)) < len(group_by):
        raise InvalidInput("group_by", "must not repeat a name")
    return tuple(_dimension(query, name) for name in group_by)


def _dimension(query: BoundQuery, name: str) -> Dimension:
    if name == "customer":
        return Dimension("r.customer_key", "d.customer_key")
    if name in SERIES_DIMENSIONS:
        return Dimension(f"k.{name}", None, needs_kind=True)
    if name == "tag":
        return Dimension("r.tag", None, unnests_tags=True)
    if name in GROUP_COLUMNS:
        return Dimension(f"r.{name}", None)
    if name.startswith(PROPERTY_PREFIX) and len(name) > len(PROPERTY_PREFIX):
        return Dimension(member_text(query, name.removeprefix(PROPERTY_PREFIX)), None, needs_kind=True)
    raise InvalidInput("group_by", f"must be one of customer, {', '.join(GROUP_COLUMNS)}, or property:<path>")


def member_text(query: BoundQuery, path: str) -> str:
    """Return the text of the data member at a dotted path: strings unquoted, null for JSON null or no member."""
    return _either(json_members.member_text(query, _PROPERTIES, path), _text_of_column(path))


def members_equal(query: BoundQuery, properties: Sequence[tuple[str, str]]) -> list[str]:
    """Return the conditions that data members, given as (dotted path, text), have these texts.

    The text of a number stands for that number in all its spellings.
    """
    return [_member_equals(query, path, text) for path, text in properties]


def _member_equals(query: BoundQuery, path: str, text: str) -> str:
    equal = f"{member_text(query, path)} = {query.bind(text)}"
    number = None if written_decimal(text) is None else canonical_number(text)
    return equal if number in (None, text) else f"({equal} OR {member_json(query, path)} = {query.bind(number)})"


def member_json(query: BoundQuery, path: str) -> str:
    """Return the data member at a dotted path as JSON text, so that the string "1" and the number 1 differ."""
    column = _text_of_column(path)
    if column is not None and (path in _TEXT_COLUMNS or path == _STATUS):
        column = f"to_json({column})::VARCHAR"
    return _either(json_members.member_json(query, _PROPERTIES, path), column)


def member_value(query: BoundQuery, path: str) -> str:
    """Return the data member at a dotted path as DECIMAL(38, 12), rounded half to even.

    Null where it is no number, or one that does not fit.
    """
    text = _either(json_members.member_digits(query, _PROPERTIES, path), _text_of_column(path))
    return f"""(SELECT CASE WHEN abs(v) < {VALUE_LIMIT} THEN v END FROM (SELECT CASE
        WHEN regexp_full_match(t, {query.bind(_TIE_BELOW_EVEN)})
            THEN TRY_CAST(regexp_extract(t, '-?[0-9]+[.][0-9]{{12}}') AS DECIMAL(38, 12))
        ELSE TRY_CAST(t AS DECIMAL(38, 12)) END AS v FROM (SELECT CASE
            WHEN NOT regexp_full_match(t, {query.bind(_NUMBER)}) THEN NULL
            WHEN length(regexp_replace(t, '[eE].*$|[^0-9]', '', 'g')) > {VALUE_DIGITS_MAX} THEN NULL
            WHEN regexp_matches(t, '[eE]') THEN coalesce(TRY_CAST(t AS DECIMAL(38, 25))::VARCHAR, t)
            ELSE t END AS t FROM (SELECT {text} AS t))))"""


def _text_of_column(path: str) -> str | None:
    """The text of the column in which the decoder stored the member at a path; None if there is no such column."""
    if path in _TEXT_COLUMNS:
        return _TEXT_COLUMNS[path]
    if path in _NUMBER_COLUMNS:
        return f"rtrim(rtrim({_NUMBER_COLUMNS[path]}::VARCHAR, '0'), '.')"
    if path in _COUNT_COLUMNS:
        return f"CASE WHEN {_IS_REQUEST} THEN {_COUNT_COLUMNS[path]}::VARCHAR END"
    return f"CASE WHEN {_IS_REQUEST} THEN r.status END" if path == _STATUS else None


def _either(extracted: str, column: str | None) -> str:
    return extracted if column is None else f"coalesce({extracted}, {column})"


def row_source(where: str, dims: Sequence[Dimension]) -> str:
    """Return a subquery of the usage rows that meet a condition, one per tag if a dimension unnests tags."""
    tags = f", {_TAGS} AS tag" if any(dim.unnests_tags for dim in dims) else ""
    return f"(SELECT *{tags} FROM usage_rows WHERE {where})"


def version_holds(query: BoundQuery, as_of: int | None) -> str:
    """Return the condition that a version of a row is valid now, or was valid at position `as_of`."""
    if as_of is None:
        return "closed_at IS NULL"
    position = query.bind(as_of)
    return f"counted_at <= {position} AND (closed_at IS NULL OR closed_at > {position})"
