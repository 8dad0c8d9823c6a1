"""SQL expressions of the dimensions that usage can be grouped by, and of members of an event's data.

In these expressions `r` is a usage row, `d` a day of the rollups, and `k` its series (a row of `kinds`). Paths into
data come from outside: they are bound as JSON pointers, in which only `~` and `/` are special.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from domain.errors import InvalidInput
from domain.usage.block_schema import REQUEST_TYPE, TOKEN_COLUMNS
from projections.duckdb.reading.bound_query import BoundQuery
from projections.duckdb.storage.series import SERIES_DIMENSIONS
from projections.queries.usage import GROUP_COLUMNS

PROPERTY_PREFIX: Final = "property:"
GROUPS_BY_MAX: Final = 10

#: Members of an llm.request's data that are stored as columns. Meters can use them like any other member.
_REQUEST_COLUMNS: Final = {
    "status": "r.status",
    **{name: f"r.{name}" for name in TOKEN_COLUMNS},
    "total_tokens": "(r.input_tokens::HUGEINT + r.output_tokens)",
}
_COLUMNS: Final = {
    "provider": "k.provider",
    "model": "k.model",
    "cost_usd": "r.cost_usd",
    "subscription": "r.subscription",
    "parent_request": "r.parent_request",
    "hold_id": "r.hold_id",
    "latency_ms": "(r.latency_us::DECIMAL(21, 3) / 1000)::DECIMAL(21, 3)",
    "ttft_ms": "(r.ttft_us::DECIMAL(21, 3) / 1000)::DECIMAL(21, 3)",
}

_TAGS: Final = "unnest(CASE WHEN len(tags) > 0 THEN list_distinct(tags) ELSE [NULL::VARCHAR] END)"
#: DuckDB's JSON reader may change numbers with this many digits or decimals, or with an exponent.
_LONG_NUMBER: Final = r"[0-9](\.?[0-9]){15}|\.[0-9]{13}|[0-9][eE]"
_JSON_LEXEME: Final = r'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|[^"0-9-]+'
_NUMBER: Final = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"
_TIE_BELOW_EVEN: Final = r"-?[0-9]+\.[0-9]{11}[02468]50*"
VALUE_DIGITS_MAX: Final = 38
#: Values must be below this, so that no sum of them can overflow.
VALUE_LIMIT: Final = 10**15


class Dimension(msgspec.Struct, frozen=True):
    """A dimension as SQL on rows and on rollup days; `of_day` None: rollups do not keep it, rows must be read."""

    of_row: str
    of_day: str | None
    unnests_tags: bool = False
    needs_kind: bool = False


def dimensions(query: BoundQuery, group_by: Sequence[str]) -> tuple[Dimension, ...]:
    """Return the dimension of each name in `group_by`. Raises `InvalidInput` for unknown, repeated or too many names.

    An event with two tags counts in both groups, one without tags in the group null.
    """
    if len(group_by) > GROUPS_BY_MAX:
        raise InvalidInput("group_by", f"must not have more than {GROUPS_BY_MAX} names")
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
    return _or_column(f"TRY(json_extract_string(r.properties, {query.bind(_pointer(path))}))", path, "::VARCHAR")


def members_equal(query: BoundQuery, properties: Sequence[tuple[str, str]]) -> list[str]:
    """Return the conditions that data members, given as (dotted path, text), have these texts."""
    return [f"{member_text(query, path)} = {query.bind(text)}" for path, text in properties]


def member_json(query: BoundQuery, path: str) -> str:
    """Return the data member at a dotted path as JSON text, so that the string "1" and the number 1 differ."""
    extracted = f"nullif(TRY(json_extract(r.properties, {query.bind(_pointer(path))}))::VARCHAR, 'null')"
    return _or_column(extracted, path, None)


def member_value(query: BoundQuery, path: str) -> str:
    """Return the data member at a dotted path as DECIMAL(38, 12), rounded half to even.

    Null where it is no number, or one that does not fit. DuckDB reads JSON numbers as floats, so in documents with a
    long number every number is put in quotes first, which preserves its digits.
    """
    exact = f"""CASE WHEN regexp_matches(r.properties, {query.bind(_LONG_NUMBER)}) THEN array_to_string(list_transform(
        regexp_extract_all(r.properties, {query.bind(_JSON_LEXEME)}),
        lambda t: CASE WHEN t[1] BETWEEN '0' AND '9' OR t[1] = '-' THEN '"' || t || '"' ELSE t END), '')
        ELSE r.properties END"""
    text = _or_column(f"TRY(json_extract_string({exact}, {query.bind(_pointer(path))}))", path, "::VARCHAR")
    return f"""(SELECT CASE WHEN abs(v) < {VALUE_LIMIT} THEN v END FROM (SELECT CASE
        WHEN regexp_full_match(t, {query.bind(_TIE_BELOW_EVEN)})
            THEN TRY_CAST(regexp_extract(t, '-?[0-9]+[.][0-9]{{12}}') AS DECIMAL(38, 12))
        ELSE TRY_CAST(t AS DECIMAL(38, 12)) END AS v FROM (SELECT CASE
            WHEN NOT regexp_full_match(t, {query.bind(_NUMBER)}) THEN NULL
            WHEN length(regexp_replace(t, '[eE].*$|[^0-9]', '', 'g')) > {VALUE_DIGITS_MAX} THEN NULL
            WHEN regexp_matches(t, '[eE]') THEN coalesce(TRY_CAST(t AS DECIMAL(38, 25))::VARCHAR, t)
            ELSE t END AS t FROM (SELECT {text} AS t))))"""


def _or_column(extracted: str, path: str, cast: str | None) -> str:
    """`extracted`, or else the column in which the decoder stored the member."""
    column = _COLUMNS.get(path)
    if column is None and path in _REQUEST_COLUMNS:
        column = f"CASE WHEN k.type = '{REQUEST_TYPE}' THEN {_REQUEST_COLUMNS[path]} END"
    if column is None:
        return extracted
    return f"coalesce({extracted}, " + (f"to_json({column})::VARCHAR)" if cast is None else f"({column}){cast})")


def _pointer(path: str) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path.split("."))


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
