"""What the events add up to that a correction run would change: in all, by customer, and by span of a customer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import duckdb
import pyarrow as pa

from domain.correction_runs.events import CorrectionAction
from domain.usage.block_schema import TOKEN_COLUMNS
from domain.values.instants import aware
from projections.duckdb.storage.fold_reads.filtered_rows import FilteredRows
from projections.duckdb.storage.schema import root_requests
from projections.queries.corrections import CorrectedCustomer, CorrectedSums, CorrectedTotals
from projections.queries.customers import NO_CUSTOMER
from projections.row_filter import RowFilter

#: Key of the customer, start and end: of a span of a customer, in naive UTC.
KeyedSpan = tuple[int, datetime, datetime]
_UNPRICED: Final = ", ".join(
    f"r.{name}"
    for name in (
        *("locator", "customer_key", "kind_key", "time", "cost_usd"),
        *TOKEN_COLUMNS,
        *("unit_names", "unit_quantities", "requests", "quantities_unknown", "price_context"),
    )
)


class CorrectedRowSums:
    """The sums of one filter. `request_keys`: the series of the type `llm.request`."""

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        action: CorrectionAction,
        asked: RowFilter,
        request_keys: Sequence[int],
    ) -> None:
        self._cursor = cursor
        rows = FilteredRows(asked)
        self._changed = rows.current() if action == "void" else rows.voided()
        self._others = rows.voided() if action == "void" else rows.current()
        self._values = rows.values | {"requests": list(request_keys)}
        is_request = "kind_key IN (SELECT unnest($requests::INTEGER[]))"
        self._sums = f"""count(*), {root_requests(where=is_request)},
            coalesce(sum(cost_usd) FILTER ({is_request}), 0)::DECIMAL(38, 12),
            count(*) FILTER (cost_origin = 'unknown' AND {is_request})"""

    def _query(self, statement: str, **more: Any) -> list[tuple[Any, ...]]:
        values = self._values | more
        used = {name: value for name, value in values.items() if f"${name}" in statement}
        return self._cursor.execute(statement, used).fetchall()

    def totals(self) -> CorrectedTotals:
        """Return all sums, and the number of events in the filter."""
        [(customers, *sums)] = self._query(
            f"""SELECT count(DISTINCT r.customer_key) FILTER (c.customer_id <> $nobody), {self._sums}
            FROM ({self._changed}) r JOIN customers c ON c.customer_key = r.customer_key""",
            nobody=NO_CUSTOMER,
        )
        [(others,)] = self._query(f"SELECT count(*) FROM ({self._others})")
        return CorrectedTotals(sums[0] + others, customers, CorrectedSums(*sums))

    def customers(self, after: str | None, limit: int) -> list[CorrectedCustomer]:
        """Return a page of the customers with such events, by id."""
        rows = self._query(
            f"""SELECT c.customer_id, min(r.time), max(r.time) FROM ({self._changed}) r
            JOIN customers c ON c.customer_key = r.customer_key
            WHERE c.customer_id > $after GROUP BY c.customer_id ORDER BY c.customer_id LIMIT $limit""",
            after=NO_CUSTOMER if after is None else after,
            limit=limit,
        )
        return [CorrectedCustomer(name, aware(first), aware(last)) for name, first, last in rows]

    def of_spans(self, spans: Sequence[KeyedSpan]) -> list[CorrectedSums]:
        """Return the sums of each span, in the given order. Those of one customer do not overlap."""
        rows = self._query(
            f"""SELECT s.number, {self._sums} FROM ({self._changed}) r ASOF JOIN (
                SELECT unnest($numbers::BIGINT[]) AS number, unnest($keys::BIGINT[]) AS customer_key,
                    unnest($starts::TIMESTAMP[]) AS start, unnest($ends::TIMESTAMP[]) AS "end") s
            ON r.customer_key = s.customer_key AND r.time >= s.start
            WHERE r.time < s."end" GROUP BY s.number""",
            numbers=list(range(len(spans))),
            keys=[key for key, _, _ in spans],
            starts=[start for _, start, _ in spans],
            ends=[end for _, _, end in spans],
        )
        found = {number: CorrectedSums(*sums) for number, *sums in rows}
        return [found.get(number, CorrectedSums()) for number in range(len(spans))]

    def unpriced(self, after: tuple[int, int] | None, limit: int) -> pa.Table | None:
        """Return a page of the rows of unknown cost that would change, by customer key and locator.

        With the columns of `REPRICING_ROWS` and `customer_id`; None behind the last one.
        """
        behind = "" if after is None else "AND (r.customer_key, r.locator) > ($customer_key, $locator)"
        statement = f"""SELECT {_UNPRICED}, c.customer_id FROM ({self._changed}) r
            JOIN customers c ON c.customer_key = r.customer_key
            WHERE r.cost_origin = 'unknown' {behind} ORDER BY r.customer_key, r.locator LIMIT $limit"""
        values = {**self._values, "limit": limit}
        if after is not None:
            values |= {"customer_key": after[0], "locator": after[1]}
        used = {name: value for name, value in values.items() if f"${name}" in statement}
        found = self._cursor.sql(statement, params=used).to_arrow_table()
        return found if found.num_rows else None
