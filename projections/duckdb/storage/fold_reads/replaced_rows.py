"""The events of a range that a replacement withdraws, as SQL."""

from __future__ import annotations

from typing import Any

from domain.values.instants import naive
from projections.duckdb.storage.fold_reads.filtered_rows import LAST_VERSION
from projections.folding.backfill_store import ReplacedRange


def replaced_rows(asked: ReplacedRange, rows: str) -> tuple[str, dict[str, Any]]:
    """Return the SQL of the last versions of the events that were in a range at a log position, and its values.

    Some of them may be withdrawn already. `claimed_at`: the position from which each of them claimed its identity.
    """
    values: dict[str, Any] = {
        "scope": asked.scope_key,
        "start": naive(asked.start),
        "end": naive(asked.end),
        "until": asked.counted_up_to,
    }
    within = "scope_key = $scope AND time >= $start AND time < $end"
    if asked.customer_keys is not None:
        values["customers"] = list(asked.customer_keys)
        within += " AND customer_key IN (SELECT unnest($customers::BIGINT[]))"
    if asked.sources:
        values["sources"] = list(asked.sources)
        within += " AND source IN (SELECT unnest($sources::VARCHAR[]))"
    statement = f"""WITH rows AS (SELECT * FROM {rows}),
        known AS (SELECT * FROM rows WHERE scope_key = $scope AND counted_at <= $until AND locator IN (
            SELECT locator FROM rows WHERE {within} AND counted_at <= $until) {LAST_VERSION}),
        versions AS (SELECT * FROM rows WHERE scope_key = $scope AND locator IN (
            SELECT locator FROM known WHERE {within}))
        SELECT *, min(counted_at) OVER (PARTITION BY locator) AS claimed_at FROM versions {LAST_VERSION}"""
    return statement, values
