"""Amendments by filter, folded column by column, page by page: members of all events of a filter are set at once.

A commit, for each page of events of the filter, in their last versions:

1. Set the members; events that differ then get another version, closed already where the event is void.
2. Those that are priced, and whose series or customer differs, get the price that is known at the commit.
3. Note all of them, changed or not, so that a revert finds what the run said, and what other runs say.

A revert gives each member of a noted event what it was before, unless something that stands set it since. An event that
is priced alike then as before the run gets the cost that it had, if it had one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.correction_runs.set_members import TAG, SetMembers
from projections.amending.set_costs import COST_COLUMNS, costs_differ, with_costs
from projections.amending.set_rows import (
    Series,
    SetKeys,
    Tags,
    differing,
    replaced,
    set_tags,
    with_members,
)
from projections.arrow_columns import integers
from projections.folding.backfill_store import RawCost
from projections.folding.backfills.committing import cost_of
from projections.folding.fold_state import FoldState
from projections.folding.fold_store import FoldStore
from projections.folding.lifecycle_writes import CorrectedRows, MemberSetter, RowAmendment
from projections.row_filter import RowFilter

#: Events that are read and priced at once.
AMENDED_ROWS_MAX: Final = 100_000


class Amending:
    """The commit, or the revert, of a run that amends, within the transaction that the caller holds open."""

    def __init__(self, store: FoldStore, state: FoldState, scope_key: int, amendment: RowAmendment) -> None:
        self._store = store
        self._state = state
        self._scope_key = scope_key
        self._amendment = amendment
        self._series: dict[int, Series] = {key: one for one, key in state.kind_keys.items()}
        self._events, self._difference = 0, RawCost()

    def amend(self, asked: RowFilter, members: SetMembers) -> CorrectedRows:
        """Set members of the events of a filter."""
        keys = SetKeys(self._series.__getitem__, self._kind_key, self._customer_key)
        above = -1
        while (rows := self._store.rows_in(asked, above, AMENDED_ROWS_MAX)).num_rows:
            rows = rows.combine_chunks()
            above = rows.column("locator")[-1].as_py()
            self._store.note_corrected(self._amendment.position, rows.column("locator").combine_chunks())
            self._write(rows, with_members(rows, members, keys))
        return self._corrected()

    def undo(self, corrected_at: int, members: SetMembers) -> CorrectedRows:
        """Give the members that the run at `corrected_at` set what they were before it."""
        setters = [
            MemberSetter(run.position, member, not run.is_reverted)
            for (scope_key, _), run in self._state.correction_runs.items()
            if scope_key == self._scope_key and run.members is not None
            for member in run.members.names
        ]
        above = -1
        while len(locators := self._store.noted_events(corrected_at, above, AMENDED_ROWS_MAX)):
            above = locators[-1].as_py()
            rows = self._store.last_versions(locators).combine_chunks()
            before = self._store.before_set(corrected_at, setters, rows.column("locator").combine_chunks())
            after = self._with_values_before(rows, before.to_pylist(), members)
            self._write(rows, after, corrected_at)
        return self._corrected()

    def _corrected(self) -> CorrectedRows:
        return CorrectedRows(self._events, self._difference)

    def _write(self, before: pa.Table, after: pa.Table, undone_at: int | None = None) -> None:
        """Write those rows that differ, with their costs: of an undone run those before it, else by the prices now."""
        changed = pa.array(differing(before, after))
        before, after = before.filter(changed).combine_chunks(), after.filter(changed).combine_chunks()
        if not before.num_rows:
            return
        versions = _opened(self._with_costs(before, after, undone_at), before, self._amendment.position)
        keys = before.column("customer_key").combine_chunks()
        self._store.amend_rows(self._amendment, versions, keys)
        for place in np.flatnonzero(integers(before, "customer_key") != integers(versions, "customer_key")).tolist():
            locator, customer_key, content = (
                versions.column(name)[place].as_py() for name in ("locator", "customer_key", "content")
            )
            self._state.amended.add(locator, customer_key, content)
        self._events += versions.num_rows
        self._difference = self._difference.plus(_cost(versions).minus(_cost(before)))

    def _with_costs(self, before: pa.Table, after: pa.Table, undone_at: int | None) -> pa.Table:
        differ = costs_differ(before, after)
        if not differ.any():
            return after
        known: list[dict[str, Any]] = []
        if undone_at is not None:
            found = self._store.costs_before(undone_at, after.filter(pa.array(differ))).to_pylist()
            known = [one for one in found if one["cost_origin"] != "unknown"]
            differ &= ~np.isin(integers(after, "locator"), [one["locator"] for one in known])
        repriced = after.filter(pc.and_(pa.array(differ), pc.is_valid(after.column("repriced_at"))))
        given = self._store.given_costs(repriced.column("locator").combine_chunks()) if repriced.num_rows else []
        prices = self._state.prices
        after = with_costs(after, differ, given, prices, self._scope_key, self._series.__getitem__)
        return _with_known_costs(after, known)

    def _with_values_before(self, rows: pa.Table, values: Iterable[Mapping[str, Any]], members: SetMembers) -> pa.Table:
        """The rows with the members that go back: `values` are those of `MEMBERS_BEFORE`."""
        at = {locator: row for row, locator in enumerate(rows.column("locator").to_pylist())}
        kinds, customers = integers(rows, "kind_key").copy(), integers(rows, "customer_key").copy()
        tags: list[Tags] = rows.column("tags").to_pylist()
        tags_before: dict[int, dict[str, Tags]] = {}
        for one in values:
            row, member = at[one["locator"]], one["member"]
            if member == "customer":
                customers[row] = one["customer_key"]
            elif member in ("model", "provider"):
                kinds[row] = self._kind_with(int(kinds[row]), member, self._series[one["kind_key"]])
            else:
                tags_before.setdefault(row, {})[member.removeprefix(TAG)] = one["tags"]
        for row, before in tags_before.items():
            tags[row] = _tags_before(tags[row], before, members)
        rows = replaced(rows, "kind_key", pa.array(kinds))
        rows = replaced(rows, "customer_key", pa.array(customers))
        return replaced(rows, "tags", pa.array(tags, pa.list_(pa.utf8())))

    def _kind_with(self, kind_key: int, member: str, of: Series) -> int:
        """The series that has the model, or the provider, of another one."""
        event_type, provider, model = self._series[kind_key]
        _, old_provider, old_model = of
        after = (event_type, provider, old_model) if member == "model" else (event_type, old_provider, model)
        return self._kind_key(*after)

    def _kind_key(self, event_type: str, provider: str | None, model: str | None) -> int:
        kind_key = self._state.kind_key(event_type, provider, model)
        self._series[kind_key] = event_type, provider, model
        return kind_key

    def _customer_key(self, customer_id: str) -> int:
        return self._state.customer_key(self._scope_key, customer_id, self._amendment.position)


def _opened(rows: pa.Table, before: pa.Table, position: int) -> pa.Table:
    """The versions that a position opens; those of void events are closed at once."""
    at = pa.array(np.full(rows.num_rows, position, dtype=np.int64))
    is_void = pc.is_valid(before.column("closed_at"))
    return replaced(replaced(rows, "counted_at", at), "closed_at", pc.if_else(is_void, at, pa.scalar(None, pa.int64())))


def _cost(rows: pa.Table) -> RawCost:
    """What the events cost that are not void."""
    return cost_of(rows.filter(pc.is_null(rows.column("closed_at"))))


def _with_known_costs(rows: pa.Table, known: Iterable[Mapping[str, Any]]) -> pa.Table:
    """The rows with the costs in `COSTS_BEFORE`, where it has one."""
    by_locator = {one["locator"]: one for one in known}
    if not by_locator:
        return rows
    locators = rows.column("locator").to_pylist()
    for name in COST_COLUMNS:
        values = [
            by_locator[locator][name] if locator in by_locator else value
            for locator, value in zip(locators, rows.column(name).to_pylist(), strict=True)
        ]
        kind = pa.utf8() if name == "cost_origin" else rows.schema.field(name).type
        rows = replaced(rows, name, pa.array(values, kind))
    return rows


def _tags_before(now: Tags, before: Mapping[str, Tags], members: SetMembers) -> Tags:
    """The tags with those that go back. `before`: by each of them, all tags of the version that tells it.

    The very list of before comes back if the event has just what the run made of it.
    """
    first = next(iter(before.values()))
    touched = (*members.add_tags, *members.remove_tags)
    is_whole = len(before) == len(touched) and all(one == first for one in before.values())
    if is_whole and list(now or ()) == list(set_tags(first, members.add_tags, members.remove_tags) or ()):
        return first
    add = [tag for tag, tags in before.items() if tag in (tags or ())]
    return set_tags(now, add, [tag for tag, tags in before.items() if tag not in (tags or ())])
