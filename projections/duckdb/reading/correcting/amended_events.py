"""The events that a correction run would amend, and what each adds to sums before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from domain.correction_runs.set_members import SetMembers
from domain.usage.block_schema import REQUEST_TYPE, TOKEN_COLUMNS
from projections.amending.set_costs import costs_differ, with_costs
from projections.amending.set_rows import Series, SetKeys, differing, with_members
from projections.arrow_columns import integers
from projections.duckdb.storage.fold_reads.filtered_rows import FilteredRows
from projections.duckdb.storage.series import Series as StoredSeries
from projections.queries.corrections import AMENDED_EVENTS
from projections.queries.repricing import ScopePricing

#: Rows that are priced at once.
PAGE_ROWS: Final = 100_000
#: The key of a customer that the store does not know yet; stored keys begin with 1.
_UNKNOWN_CUSTOMER: Final = 0
_COLUMNS: Final = ", ".join(
    f"r.{name}"
    for name in (
        *("locator", "customer_key", "kind_key", "time", "status", *TOKEN_COLUMNS, "source", "subscription", "tags"),
        *("cost_usd", "cost_origin", "price_position", "discount_positions", "repriced_at", "closed_at"),
        *("parent_request", "unit_names", "unit_quantities", "requests", "quantities_unknown", "price_context"),
    )
)


class AmendedEvents:
    """What a run sets, with the keys of its scope; series that the store does not know yet get keys below 0."""

    def __init__(
        self, series: Sequence[StoredSeries], pricing: ScopePricing, members: SetMembers, customer_key: int | None
    ) -> None:
        self._series: dict[int, Series] = {one.key: (one.type, one.provider, one.model) for one in series}
        self._keys = {one: key for key, one in self._series.items()}
        self._pricing = pricing
        self._members = members
        self._customer_key = _UNKNOWN_CUSTOMER if customer_key is None else customer_key

    def read(self, cursor: Any, rows: FilteredRows) -> pa.Table:
        """Return `AMENDED_EVENTS` of the rows, reading them page by page."""
        pages, above = [AMENDED_EVENTS.empty_table()], -1
        while (page := _page(cursor, rows, above)).num_rows:
            page = page.combine_chunks()
            above = page.column("locator")[-1].as_py()
            pages.append(self._amended(page))
        return pa.concat_tables(pages)

    def _amended(self, rows: pa.Table) -> pa.Table:
        keys = SetKeys(self._series.__getitem__, self._kind_key, lambda _: self._customer_key)
        after = with_members(rows, self._members, keys)
        changed = pa.array(differing(rows, after))
        rows, after = rows.filter(changed).combine_chunks(), after.filter(changed).combine_chunks()
        pricing = self._pricing
        differ = costs_differ(rows, after)
        after = with_costs(after, differ, (), pricing.prices, pricing.scope_key, self._series.__getitem__)
        return pa.table(self._columns(rows, after), AMENDED_EVENTS)

    def _columns(self, rows: pa.Table, after: pa.Table) -> dict[str, Any]:
        requests = [key for key, (event_type, _, _) in self._series.items() if event_type == REQUEST_TYPE]
        is_request = pc.is_in(rows.column("kind_key"), pa.array(requests, pa.int32()))
        is_root = pc.and_(is_request, pc.is_null(rows.column("parent_request")))
        moved = pa.array(integers(rows, "customer_key") != integers(after, "customer_key"))
        customers = rows.column("customer_id")
        columns: dict[str, Any] = {
            "customer_id": customers,
            "new_customer_id": pc.if_else(moved, pa.scalar(self._members.customer or "", pa.utf8()), customers),
            "time": rows.column("time"),
            "is_void": pc.is_valid(rows.column("closed_at")),
            "requests": pc.if_else(is_root, pc.fill_null(rows.column("requests"), 1), 0),
        }
        for table, cost, unknown in ((rows, "cost_usd", "is_unknown"), (after, "new_cost_usd", "is_new_unknown")):
            origins = table.column("cost_origin").cast(pa.utf8())
            columns[cost] = pc.if_else(is_request, table.column("cost_usd"), None)
            columns[unknown] = pc.and_(is_request, pc.equal(origins, "unknown")).cast(pa.int64())
        return columns

    def _kind_key(self, event_type: str, provider: str | None, model: str | None) -> int:
        series = event_type, provider, model
        if series not in self._keys:
            key = -1 - len(self._keys)
            self._keys[series], self._series[key] = key, series
        return self._keys[series]


def _page(cursor: Any, rows: FilteredRows, above: int) -> pa.Table:
    statement = f"""SELECT {_COLUMNS}, c.customer_id FROM ({rows.current()} UNION ALL {rows.voided()}) r
        JOIN customers c ON c.customer_key = r.customer_key
        WHERE r.locator > $above ORDER BY r.locator LIMIT $most"""
    found: pa.Table = cursor.sql(statement, params=rows.values | {"above": above, "most": PAGE_ROWS}).to_arrow_table()
    return found
