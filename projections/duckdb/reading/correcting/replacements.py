"""The deliveries of a request that differ from the events that they repeat, and which delivery an event equals now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb

from domain.usage.locators import LOCATOR_ROW_BITS
from projections.duckdb.reading.bound_query import BoundQuery
from projections.duckdb.reading.events import outcomes_in
from projections.duckdb.storage.schema import NOTHING_CHANGED
from projections.queries.events import RowSpan

_AMENDED: Final = f"changed <> '{NOTHING_CHANGED}'"


def differing_deliveries(
    cursor: duckdb.DuckDBPyConnection, spans: Sequence[RowSpan], known_at: int
) -> list[tuple[int, int]]:
    """Return the locators of an event and of the delivery in these spans that differs from it as it is now.

    Of several deliveries of an event the first one counts. Events that were counted or amended after the log position
    `known_at` are left out: by these spans, or by others that know better.
    """
    if not spans:
        return []
    query = BoundQuery()
    told, known = outcomes_in(query, spans), query.bind(known_at)
    rows = query.rows(
        cursor,
        f"""WITH first AS (SELECT locator, first_locator, outcome, content FROM {told}
            WHERE outcome IN ('duplicate', 'conflict') AND first_locator IS NOT NULL
            QUALIFY row_number() OVER (PARTITION BY first_locator ORDER BY locator) = 1),
        last AS (SELECT locator, max(position) AS at, arg_max(content, position) AS content FROM amendments
            WHERE {_AMENDED} AND locator IN (SELECT first_locator FROM first) GROUP BY locator)
        SELECT f.first_locator, f.locator FROM first f LEFT JOIN last l ON l.locator = f.first_locator
        WHERE (f.first_locator >> {LOCATOR_ROW_BITS}) <= {known} AND coalesce(l.at, 0) <= {known}
            AND CASE WHEN l.content IS NULL THEN f.outcome = 'conflict' ELSE l.content <> f.content END
        ORDER BY f.first_locator""",
    )
    return [(counted, received) for counted, received in rows]


def replaced_by(cursor: duckdb.DuckDBPyConnection, locator: int) -> int | None:
    """Return the locator of the delivery that an event equals now; None where no replacement was its last amendment."""
    rows = cursor.execute(
        f"SELECT changed FROM amendments WHERE locator = ? AND {_AMENDED} ORDER BY position DESC LIMIT 1", [locator]
    ).fetchall()
    return None if not rows or rows[0][0].startswith("[") else int(rows[0][0])
