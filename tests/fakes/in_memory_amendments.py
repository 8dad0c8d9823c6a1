"""The part of the in-memory fold store that amendments by filter need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from domain.usage.block_schema import TOKEN_COLUMNS
from projections.folding.lifecycle_writes import MemberSetter, NewAmendment, RowAmendment
from projections.folding.staged_tables import COSTS_BEFORE, MEMBERS_BEFORE, USAGE_ROWS
from projections.row_filter import RowFilter

#: A row of an Arrow table by column, with aware instants.
Row = dict[str, Any]
_PRICED_BY = (
    *("kind_key", "customer_key", "time", "status", *TOKEN_COLUMNS),
    *("unit_names", "unit_quantities", "requests", "quantities_unknown", "price_context"),
)


class InMemoryAmendments:
    """Reads and writes of amendments by filter on the tables of a store."""

    _written: Any
    _seen: Any
    close_row: Callable[[int, int, int], None]
    _withdrawn: Callable[[], set[int]]

    def _last_versions_in(self, asked: RowFilter) -> list[Row]:
        withdrawn = self._withdrawn()
        last = [versions[-1] for locator, versions in self._seen.versions.items() if locator not in withdrawn]
        return [row for row in last if _is_in_filter(asked, row)]

    def rows_in(self, asked: RowFilter, above_locator: int, rows_max: int) -> pa.Table:
        found = [row for row in self._last_versions_in(asked) if row["locator"] > above_locator]
        found.sort(key=lambda row: row["locator"])
        return pa.Table.from_pylist([naive_row(row) for row in found[:rows_max]], USAGE_ROWS)

    def given_costs(self, locators: pa.Array) -> list[int]:
        found = []
        for locator in locators.to_pylist():
            unpriced = [one for one in self._seen.versions[locator] if one["repriced_at"] is None]
            found += [locator] if unpriced and unpriced[-1]["cost_origin"] == "producer" else []
        return found

    def amend_rows(self, amendment: RowAmendment, versions: pa.Table, customer_keys: pa.Array) -> None:
        for row, before in zip(rows_of(versions), customer_keys.to_pylist(), strict=True):
            locator, key = row["locator"], row["customer_key"]
            self.close_row(before, locator, amendment.position)
            self._written.versions[locator] += (row,)
            if before != key:
                place = row["scope_key"], locator, amendment.position, key, before
                said = row["time"], row["content"], "[]", amendment.recorded_at
                self._written.amendments.append(NewAmendment(*place, *said))

    def note_corrected(self, position: int, locators: pa.Array) -> None:
        self._written.corrected_events += [(position, locator) for locator in locators.to_pylist()]

    def noted_events(self, corrected_at: int, above_locator: int, events_max: int) -> pa.Array:
        noted = sorted(locator for at, locator in self._seen.corrected_events if at == corrected_at)
        found = [one for one in noted if one > above_locator and one not in self._withdrawn()]
        return pa.array(found[:events_max], pa.int64())

    def before_set(self, corrected_at: int, setters: Sequence[MemberSetter], locators: pa.Array) -> pa.Table:
        found = []
        for locator in locators.to_pylist():
            for member in sorted(one.member for one in setters if one.position == corrected_at):
                said = sorted(self._setters_of(locator, member, setters))
                if any(stands and at > corrected_at for at, stands in said):
                    continue
                last = max((at for at, stands in said if stands and at < corrected_at), default=0)
                first = min(at for at, stands in said if not stands and at > last)
                before = [one for one in self._seen.versions[locator] if one["counted_at"] < first][-1]
                found.append({"locator": locator, "member": member, **before})
        return pa.Table.from_pylist(
            [{name: row[name] for name in MEMBERS_BEFORE.names} for row in found], MEMBERS_BEFORE
        )

    def _setters_of(self, locator: int, member: str, setters: Sequence[MemberSetter]) -> Iterator[tuple[int, bool]]:
        """Positions at which something set a member of an event, and whether each stands."""
        for one in setters:
            if one.member == member and (one.position, locator) in self._seen.corrected_events:
                yield one.position, one.stands
        path = {"customer": '"subject"'}.get(member, f'"data.{member}"')
        named = '"data.tags' if member.startswith("tag:") else path
        runs = {run.position for run in self._seen.correction_runs}
        for one in self._seen.amendments:
            is_move = one.changed == "[]" and one.position not in runs and member == "customer"
            if one.locator == locator and (is_move or one.changed.isdigit() or f'"member":{named}' in one.changed):
                yield one.position, True

    def costs_before(self, corrected_at: int, rows: pa.Table) -> pa.Table:
        ended = {(run.scope_key, run.name) for run in self._seen.repricings if run.kind == "repricing.reverted"}
        undone = {run.position for run in self._seen.repricings if (run.scope_key, run.name) in ended}
        found = []
        for row in sorted(rows_of(rows), key=lambda one: one["locator"]):
            alike = [
                one
                for one in self._seen.versions[row["locator"]]
                if one["counted_at"] < corrected_at
                and all(one[name] == row[name] for name in _PRICED_BY)
                and one["repriced_at"] not in undone
                and (one["cost_origin"] != "producer" or row["repriced_at"] is not None)
            ]
            found += [{name: alike[-1][name] for name in COSTS_BEFORE.names}] if alike else []
        return pa.Table.from_pylist(found, COSTS_BEFORE)


def rows_of(table: pa.Table) -> list[Row]:
    """The rows of an Arrow table; its instants, which are UTC without a zone, become aware."""
    return [{name: _aware(stored) for name, stored in row.items()} for row in table.to_pylist()]


def naive_row(row: Row) -> Row:
    """The row with its instants as Arrow tables have them."""
    return row | {name: stored.replace(tzinfo=None) for name, stored in row.items() if isinstance(stored, datetime)}


def _aware(stored: Any) -> Any:
    return stored.replace(tzinfo=UTC) if isinstance(stored, datetime) else stored


def _is_in_filter(asked: RowFilter, row: Row) -> bool:
    return (
        row["scope_key"] == asked.scope_key
        and row["counted_at"] <= asked.counted_up_to
        and (asked.kind_keys is None or row["kind_key"] in asked.kind_keys)
        and (asked.customer_keys is None or row["customer_key"] in asked.customer_keys)
        and (not asked.sources or row["source"] in asked.sources)
        and (not asked.tags or bool(set(asked.tags) & set(row["tags"] or ())))
        and (asked.start is None or asked.start <= row["time"])
        and (asked.end is None or row["time"] < asked.end)
        and (asked.recorded_from is None or asked.recorded_from <= row["recorded_at"])
        and (asked.recorded_to is None or row["recorded_at"] < asked.recorded_to)
    )
