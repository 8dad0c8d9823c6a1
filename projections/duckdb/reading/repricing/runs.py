"""Re-pricing runs, each put together from its events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import duckdb
import msgspec

from domain.repricings.repricing_range import RepricingRange
from projections.duckdb.reading.bound_query import Row
from projections.duckdb.reading.named_runs import RunTable, step_of
from projections.queries.repricing import RepricingChange, RepricingRecord

REPRICINGS: Final = RunTable("repricings", ("events", "difference_usd", "range", "previewed_at"))
_range: Final = msgspec.json.Decoder(RepricingRange)


def repricings(
    cursor: duckdb.DuckDBPyConnection, scope_key: int | None, after: str | None, limit: int
) -> list[RepricingRecord]:
    """Return a page of the runs of a scope, in ascending order of name; none of a scope without a key."""
    return [_run(one) for one in REPRICINGS.page(cursor, scope_key, after, limit)]


def repricing(cursor: duckdb.DuckDBPyConnection, scope_key: int | None, name: str) -> RepricingRecord | None:
    """Return the run of this name in a scope, if there is one."""
    return next((_run(one) for one in REPRICINGS.run(cursor, scope_key, name)), None)


def _run(steps: Mapping[str, Row]) -> RepricingRecord:
    opened, committed = steps["opened"], steps.get("committed")
    position, recorded_at, actor, reason = step_of(opened)
    _, _, asked, _ = REPRICINGS.own(opened)
    return RepricingRecord(
        opened[0],
        _range.decode(asked),
        recorded_at,
        position,
        actor,
        reason,
        None if committed is None else committed[-1],
        _change(committed),
        _change(steps.get("reverted")),
    )


def _change(row: Row | None) -> RepricingChange | None:
    return None if row is None else RepricingChange(*step_of(row), *REPRICINGS.own(row)[:2])
