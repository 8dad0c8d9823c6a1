"""The deliveries of a request that differ from the events that they repeat, and which delivery an event equals now.

What an event is now: its last amendment tells its content, else it is the delivery that was counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb

from domain.usage.locators import LOCATOR_ROW_BITS
from projections.duckdb.reading.bound_query import BoundQuery
from projections.duckdb.reading.events import outcomes_in, receipt
from projections.duckdb.storage.schema import NOTHING_CHANGED
from projections.queries.events import Receipt, RowSpan

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
        last AS ({_last_amendments("SELECT first_locator FROM first")})
        SELECT f.first_locator, f.locator FROM first f LEFT JOIN last l ON l.locator = f.first_locator
        WHERE (f.first_locator >> {LOCATOR_ROW_BITS}) <= {known} AND coalesce(l.at, 0) <= {known}
            AND CASE WHEN l.content IS NULL THEN f.outcome = 'conflict' ELSE l.content <> f.content END
        ORDER BY f.first_locator""",
    )
    return [(counted, received) for counted, received in rows]


def replacement_receipt(
    cursor: duckdb.DuckDBPyConnection, spans: Sequence[RowSpan], received: Sequence[int], shown_max: int
) -> Receipt:
    """Return the receipt of a request whose deliveries `received` replaced events, as of after that.

    These are among the counted ones. Of the others, one that repeats an event is a duplicate if the event is like it
    now, else a conflict.
    """

    def told(query: BoundQuery, asked: Sequence[RowSpan]) -> str:
        equal = "coalesce(l.content = o.content, outcome = 'duplicate')"
        return f"""(WITH told AS (SELECT * FROM {outcomes_in(query, asked)}
                WHERE locator NOT IN (SELECT unnest({query.bind(list(received))}::BIGINT[]))),
            last AS ({_last_amendments("SELECT first_locator FROM told")})
            SELECT o.* REPLACE (CASE WHEN outcome NOT IN ('duplicate', 'conflict') THEN outcome
                WHEN {equal} THEN 'duplicate' ELSE 'conflict' END AS outcome)
            FROM told o LEFT JOIN last l ON l.locator = o.first_locator)"""

    return receipt(cursor, spans, shown_max, told)


def _last_amendments(locators: str) -> str:
    """The position and content of the last amendment of each of the events that a statement tells, as SQL."""
    return f"""SELECT locator, max(position) AS at, arg_max(content, position) AS content FROM amendments
        WHERE {_AMENDED} AND locator IN ({locators}) GROUP BY locator"""


def replaced_by(cursor: duckdb.DuckDBPyConnection, locator: int) -> int | None:
    """Return the locator of the delivery that an event equals now; None where no replacement was its last amendment."""
    rows = cursor.execute(
        f"SELECT changed FROM amendments WHERE locator = ? AND {_AMENDED} ORDER BY position DESC LIMIT 1", [locator]
    ).fetchall()
    return None if not rows or rows[0][0].startswith("[") else int(rows[0][0])
