"""The end of a re-pricing: rows get the costs that they had before it.

1. Find the last version of each event that has a cost of the run. Events that got another cost since are left alone.
2. Beside it, find the last version with a cost of no run that was undone, this one included. Versions of another
   series or customer are passed over, which an amendment by filter leaves that was reverted.
3. Close current versions, add the difference to the days, and open versions with the earlier costs. Events without a
   current version get one that is never valid, from which a restoration takes its values.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import duckdb
import msgspec
import numpy as np
import numpy.typing as npt

from domain.repricings.events import REPRICING_COMMITTED, REPRICING_REVERTED
from projections.duckdb.storage.generations import Generations
from projections.duckdb.writing.version_changes import close_versions

#: What a re-pricing changes of a row.
_COSTS: Final = ("cost_usd", "cost_origin", "price_position", "discount_positions", "repriced_at")
_LAST: Final = """QUALIFY row_number() OVER (
    PARTITION BY locator ORDER BY counted_at DESC, closed_at DESC NULLS FIRST) = 1"""
#: The cost of a version `v` was given, or it was one of the same series and customer as the last version `l`.
_PREFERRED: Final = "(v.cost_origin = 'producer' OR v.kind_key = l.kind_key AND v.customer_key = l.customer_key)"
#: `$ROWS` stands for the subquery of all rows.
_FIND: Final = f"""CREATE TEMP TABLE undone AS
    WITH rows AS (SELECT * FROM $ROWS), of_run AS (SELECT locator FROM rows WHERE repriced_at = $1),
    versions AS (SELECT * FROM rows WHERE locator IN (FROM of_run)),
    ended AS (SELECT c.position FROM repricings c WHERE c.kind = '{REPRICING_COMMITTED}' AND EXISTS (
        SELECT 1 FROM repricings r WHERE r.scope_key = c.scope_key AND r.name = c.name
            AND r.kind = '{REPRICING_REVERTED}')),
    last AS (SELECT * FROM versions {_LAST}),
    before AS (SELECT v.locator, {{{", ".join(f"'{name}': v.{name}" for name in _COSTS)}}} AS before
        FROM versions v JOIN last l USING (locator)
        WHERE v.repriced_at IS NULL OR v.repriced_at <> $1 AND v.repriced_at NOT IN (SELECT position FROM ended)
        QUALIFY row_number() OVER (PARTITION BY v.locator ORDER BY {_PREFERRED} DESC, v.counted_at DESC,
            v.closed_at DESC NULLS FIRST) = 1)
    SELECT last.*, before.before FROM last JOIN before USING (locator) WHERE last.repriced_at = $1"""
_GROWN_BY: Final = "coalesce(u.before.cost_usd, 0) - coalesce(u.cost_usd, 0)"
_TOTALS: Final = f"""SELECT coalesce(list(DISTINCT customer_key), []),
    count(*) FILTER (closed_at IS NULL AND u.before.cost_usd IS DISTINCT FROM u.cost_usd),
    coalesce(sum({_GROWN_BY}) FILTER (closed_at IS NULL), 0)::DECIMAL(38, 12) FROM undone u"""


class UndoneRepricing(msgspec.Struct, frozen=True, eq=False):
    """The customers whose rows changed, the number of events that got another cost, and what their costs grew by."""

    customers: npt.NDArray[np.int64]
    events: int
    difference_usd: Decimal


def undo_repricing(
    cursor: duckdb.DuckDBPyConnection, generations: Generations, repriced_at: int, position: int
) -> UndoneRepricing:
    """Give rows the cost that they had before the re-pricing at `repriced_at`, from `position` on."""
    cursor.execute(_FIND.replace("$ROWS", generations.rows()), [repriced_at])
    customers, events, difference = cursor.execute(_TOTALS).fetchall()[0]
    if customers:
        close_versions(cursor, generations, "undone", position)
        _open(cursor, generations, position)
    cursor.execute("DROP TABLE undone")
    return UndoneRepricing(np.array(customers, dtype=np.int64), events, difference)


def _open(cursor: duckdb.DuckDBPyConnection, generations: Generations, position: int) -> None:
    cursor.execute(
        f"""INSERT INTO {generations.open_name("days")} SELECT u.scope_key, u.customer_key, u.time::DATE, u.kind_key,
        0, 0, 0, 0, 0, 0, sum({_GROWN_BY}), count(*) FILTER (u.before.cost_origin = 'unknown'), 0, NULL, NULL, 0
        FROM undone u WHERE u.closed_at IS NULL GROUP BY ALL"""
    )
    costs = ", ".join(f"u.before.{name} AS {name}" for name in _COSTS)
    cursor.execute(
        f"""INSERT INTO {generations.open_name("rows")} BY NAME SELECT u.* EXCLUDE (before) REPLACE ({costs},
        $1::BIGINT AS counted_at, CASE WHEN u.closed_at IS NOT NULL THEN $1::BIGINT END AS closed_at) FROM undone u""",
        [position],
    )
