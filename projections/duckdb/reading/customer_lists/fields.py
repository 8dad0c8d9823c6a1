"""The fields of a list as SQL expressions, and the relations that they come from."""

from __future__ import annotations

from typing import Final

import msgspec

from domain.customers.events import CUSTOMER_CREATED
from projections.duckdb.reading.bound_query import BoundQuery
from projections.duckdb.reading.customer_pages import PRESENT_FACTS
from projections.queries.customer_list import DIALECT_PREFIXES, METADATA_PREFIX

#: Fields of the profile, by the member of facts that sets them.
_OF_PROFILE: Final[dict[str, str]] = {"name": "name", "email": "email", "currency": "currency"}
_OF_USAGE: Final[dict[str, str]] = {
    "last_seen_at": "u.last_time",
    "active_days": "coalesce(u.active_days, 0)",
    "requests": "coalesce(u.requests, 0)",
    "input_tokens": "coalesce(u.input_tokens, 0)",
    "output_tokens": "coalesce(u.output_tokens, 0)",
    "total_tokens": "coalesce(u.input_tokens, 0) + coalesce(u.output_tokens, 0)",
    "reported_cost_usd": "coalesce(u.cost, 0)",
}
_OF_AVERAGES: Final[dict[str, str]] = {"average_latency": "a.latency", "average_ttft": "a.ttft"}
_TEXTS: Final = frozenset({"customer_id", *_OF_PROFILE})


class FieldSql(msgspec.Struct, frozen=True):
    """A field: its expression, whether it is text, and the joins that it needs, by the name of the relation joined."""

    expression: str
    is_text: bool
    joins: dict[str, str]


def needs_usage(fields: set[str]) -> bool:
    """Return whether one of these fields comes from the relation `usage`."""
    return bool(fields & {*_OF_USAGE, "first_seen_at"})


def needs_averages(fields: set[str]) -> bool:
    """Return whether one of these fields comes from the relation `averages`."""
    return bool(fields & _OF_AVERAGES.keys())


def field_sql(query: BoundQuery, field: str, number: int, now: str) -> FieldSql:
    """Return a field of customers `c` at the bound instant `now`. `number` sets its relations apart from others."""
    if field in _OF_USAGE:
        return FieldSql(_OF_USAGE[field], False, {"u": _joined("usage", "u")})
    if field in _OF_AVERAGES:
        return FieldSql(_OF_AVERAGES[field], False, {"a": _joined("averages", "a")})
    if field == "first_seen_at":
        told = f"""(SELECT customer_key, min(effective_at) AS at FROM ({PRESENT_FACTS})
            WHERE effective_at <= {now} GROUP BY customer_key)"""
        joins = {"u": _joined("usage", "u"), "t": _joined(told, "t")}
        return FieldSql("coalesce(u.first_time, t.at)", False, joins)
    if field == "created_position":
        created = f"""(SELECT customer_key, max(position) AS position FROM ({PRESENT_FACTS})
            WHERE kind = '{CUSTOMER_CREATED}' AND effective_at <= {now} GROUP BY customer_key)"""
        return FieldSql("coalesce(k.position, c.first_position)", False, {"k": _joined(created, "k")})
    if field == "customer_id":
        return FieldSql("c.customer_id", True, {})
    name = f"p{number}"
    return FieldSql(f"{name}.found.value", True, {name: _joined(_profile(query, field, now), name)})


def _joined(relation: str, name: str) -> str:
    return f"LEFT JOIN {relation} {name} ON {name}.customer_key = c.customer_key"


def _profile(query: BoundQuery, field: str, now: str) -> str:
    """The text of a member of the profile at `now`, from the last fact about it in the present life."""
    prefix = next((one for one in (METADATA_PREFIX, *DIALECT_PREFIXES) if field.startswith(one)), None)
    if prefix is not None:
        about, member = prefix.removesuffix(":"), field.removeprefix(prefix)
        steps = member.split("/", 1) if prefix in DIALECT_PREFIXES else [member]
        pointer = query.bind("/".join(["", about, *(step.replace("~", "~0").replace("/", "~1") for step in steps)]))
        replaced = f"json_exists(fields, '/{about}') AND NOT list_contains(patched, '{about}')"
        names_it = f"(json_exists(fields, {pointer}) OR ({replaced}))"
    else:
        about = _OF_PROFILE[field]
        pointer = query.bind(f"/{about}")
        names_it = f"json_exists(fields, {pointer})"
    return f"""(SELECT customer_key, arg_max({{'value': json_extract_string(fields, {pointer})}},
            (effective_at, position)) AS found FROM ({PRESENT_FACTS})
        WHERE effective_at <= {now} AND contains(fields, '"{about}"') AND {names_it} GROUP BY customer_key)"""
