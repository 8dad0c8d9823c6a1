"""The versions of usage rows that were opened or closed between two log positions, each with sign, kind and markup.

A version that was opened adds its numbers at its first position, one that was closed takes them away at its last one.
The sum of all is what the numbers at the later position differ by from those at the earlier one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from domain.backfills.events import BACKFILL_COMMITTED, BACKFILL_REVERTED
from domain.correction_runs.events import CORRECTION_RUN_COMMITTED, CORRECTION_RUN_REVERTED
from domain.corrections.events import USAGE_AMENDED, USAGE_REPLACED, USAGE_RESTORED, USAGE_VOIDED
from domain.log.records import USAGE_BATCH_TOPIC
from domain.prices.events import DISCOUNT_SET, PRICE_LISTED, PRICE_SET
from domain.repricings.events import REPRICING_COMMITTED, REPRICING_REVERTED
from domain.usage.block_schema import TOKEN_COLUMNS
from domain.values.instants import naive
from projections.duckdb.reading.bound_query import BoundQuery
from projections.duckdb.reading.event_pages import Markups
from projections.duckdb.reading.usage_sums import UNMARKED

#: Columns of rows that changes are made of.
_COLUMNS: Final = ", ".join(
    (
        *("customer_key", "locator", "time", "source", "id", "cost_usd", "cost_origin", "parent_request", "requests"),
        *(*TOKEN_COLUMNS, "unit_names", "unit_quantities", "counted_at", "closed_at"),
    )
)
_KINDS: Final = {
    USAGE_VOIDED: "voided",
    USAGE_RESTORED: "restored",
    USAGE_AMENDED: "amended",
    USAGE_REPLACED: "amended",
    REPRICING_COMMITTED: "repriced",
    REPRICING_REVERTED: "reverted",
    CORRECTION_RUN_COMMITTED: "corrected",
    CORRECTION_RUN_REVERTED: "reverted",
    BACKFILL_COMMITTED: "backfilled",
    BACKFILL_REVERTED: "reverted",
    PRICE_LISTED: "priced",
    PRICE_SET: "priced",
    DISCOUNT_SET: "priced",
}
_OF_SUBSCRIPTIONS: Final = "subscription."
#: Signed sums of changed rows `c`, in the order of the fields of UsageSums up to its units.
SIGNED_SUMS: Final = ", ".join(
    (
        "sum(c.sign)::BIGINT AS events",
        *(f"sum(c.sign * c.{name}::HUGEINT) AS {name}" for name in TOKEN_COLUMNS),
        "coalesce(sum(CASE WHEN c.sign > 0 THEN c.cost_usd ELSE -c.cost_usd END), 0)::DECIMAL(38, 12) AS cost_usd",
        "coalesce(sum(c.sign) FILTER (c.cost_origin = 'unknown'), 0)::BIGINT AS cost_unknown_events",
        "coalesce(sum(c.sign * coalesce(c.requests, 1)) FILTER (c.parent_request IS NULL), 0)::BIGINT AS root_requests",
    )
)


def kind_of_topic(query: BoundQuery, topic: str, is_late: str) -> str:
    """Return the kind of a change by the topic of its log record, an SQL expression; `is_late` is a condition."""
    whens = " ".join(f"WHEN {query.bind(one)} THEN '{kind}'" for one, kind in _KINDS.items())
    return f"""CASE WHEN {topic} = {query.bind(USAGE_BATCH_TOPIC)} THEN CASE WHEN {is_late} THEN 'late' ELSE 'new' END
        WHEN starts_with({topic}, {query.bind(_OF_SUBSCRIPTIONS)}) THEN 'moved'
        ELSE CASE {topic} {whens} ELSE 'changed' END END"""


class ChangedRows(msgspec.Struct, frozen=True):
    """What is asked of changed rows, with keys in place of names. Positions are (since, until]; times naive UTC.

    `markups` are the changes of every customer asked for that ever had a markup, as known at `since`.
    """

    scope_key: int
    customer_key: int | None
    kind_keys: Sequence[int]
    since: int
    until: int
    start: datetime
    end: datetime
    late_before: datetime | None
    markups: Markups

    def percentages(self) -> list[Decimal]:
        """The markups, by the number that rows have as `markup`; the first one is that of no markup."""
        changed = {change.percentage for changes in self.markups.values() for change in changes} - {UNMARKED}
        return [UNMARKED, *sorted(changed)]

    def relation(self, query: BoundQuery, more: Sequence[str] = ()) -> str:
        """Return the subquery: columns of rows, `position`, `sign`, `is_late`, and `markup`, a number.

        `more` are further conditions on rows.
        """
        since, until = query.bind(self.since), query.bind(self.until)
        conditions = [
            f"scope_key = {query.bind(self.scope_key)}",
            f"kind_key IN (SELECT unnest({query.bind(list(self.kind_keys))}::INTEGER[]))",
            f"time >= {query.bind(self.start)} AND time < {query.bind(self.end)}",
            "(closed_at IS NULL OR closed_at > counted_at)",
            *more,
        ]
        if self.customer_key is not None:
            conditions.append(f"customer_key = {query.bind(self.customer_key)}")
        late = "false" if self.late_before is None else f"time < {query.bind(self.late_before)}"

        def changed(column: str, sign: int) -> str:
            between = f"{column} > {since} AND {column} <= {until}"
            return f"""SELECT {_COLUMNS}, {column} AS position, {sign} AS sign, {late} AS is_late FROM usage_rows
                WHERE {" AND ".join((*conditions, between))}"""

        both = f"{changed('counted_at', 1)} UNION ALL {changed('closed_at', -1)}"
        if not self.markups:
            return f"(SELECT *, 0 AS markup FROM ({both}))"
        return f"""(SELECT v.*, coalesce(m.markup, 0) AS markup FROM ({both}) v
            ASOF LEFT JOIN ({self._markup_changes(query)}) m
            ON m.customer_key = v.customer_key AND v.time >= m.start)"""

    def _markup_changes(self, query: BoundQuery) -> str:
        numbers = {percentage: number for number, percentage in enumerate(self.percentages())}
        changes = [(key, change) for key, changes in self.markups.items() for change in changes]
        return f"""SELECT unnest({query.bind([key for key, _ in changes])}::BIGINT[]) AS customer_key,
            unnest({query.bind([naive(change.start) for _, change in changes])}::TIMESTAMP[]) AS start,
            unnest({query.bind([numbers[change.percentage] for _, change in changes])}::INTEGER[]) AS markup"""
