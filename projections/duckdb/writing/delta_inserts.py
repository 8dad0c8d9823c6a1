"""The SQL that adds usage rows to the deltas of days, or takes them away."""

from __future__ import annotations

from typing import Final

from projections.duckdb.storage.schema import root_requests

_DELTA_SUMS: Final = """
    {sign}count(*), {sign}sum(input_tokens), {sign}sum(cached_input_tokens), {sign}sum(cache_write_tokens),
    {sign}sum(output_tokens), {sign}sum(reasoning_tokens), {sign}coalesce(sum(cost_usd), 0),
    {sign}count(*) FILTER (cost_origin = 'unknown'), {sign}{root_requests}"""
#: First and last event time, and the events taken away.
ADDED: Final = "min(time), max(time), 0"
TAKEN: Final = "NULL, NULL, count(*)"
CHANGED: Final = "NULL, NULL, 0"


def insert_deltas(days: str, source: str, sign: str = "") -> str:
    """Return the INSERT of the day deltas of the rows of `source` into `days`; with `sign` "-" of their negation."""
    return (
        f"INSERT INTO {days} SELECT scope_key, customer_key, time::DATE, kind_key,"
        f"{_DELTA_SUMS.format(sign=sign, root_requests=root_requests())}, {TAKEN if sign else ADDED}"
        f" FROM {source} GROUP BY scope_key, customer_key, time::DATE, kind_key"
    )


def insert_taken(days: str, source: str) -> str:
    """Return the INSERT that tells `days` that the rows of `source` were taken away, whose sums are there no more."""
    return (
        f"INSERT INTO {days} SELECT scope_key, customer_key, time::DATE, kind_key,"
        f" 0, 0, 0, 0, 0, 0, 0, 0, 0, {TAKEN} FROM {source} GROUP BY ALL"
    )


def insert_unit_deltas(source: str, sign: str = "", into: str = "unit_days") -> str:
    """Return the INSERT of the deltas of units of the rows of `source`, of which at least one must have units.

    With `sign` "-" it inserts their negation.
    """
    return f"""INSERT INTO {into} SELECT scope_key, customer_key, day, kind_key, unit, {sign}sum(quantity)
        FROM (SELECT scope_key, customer_key, time::DATE AS day, kind_key, unnest(unit_names) AS unit,
            unnest(unit_quantities) AS quantity FROM {source})
        GROUP BY scope_key, customer_key, day, kind_key, unit"""
