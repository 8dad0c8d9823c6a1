"""The part of the in-memory fold store that backfills need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from domain.usage.outcomes import REPLACED, REVERTED
from projections.folding.backfill_store import (
    NewBackfill,
    NewStagedBlock,
    RawCost,
    Reinstated,
    ReplacedRange,
    UndoneOutcomes,
    Withdrawal,
    WithdrawnRows,
)
from projections.identity.claims import TakenClaims
from projections.identity.entries import U64
from projections.identity.known_backfills import KnownBackfills

Row = dict[str, Any]


class InMemoryBackfills:
    """Reads and writes of `BackfillStore` on the tables of a store."""

    _written: Any
    _seen: Any
    add_rows: Callable[[pa.Table], None]
    add_outcomes: Callable[[pa.Table], None]
    close_row: Callable[[int, int, int], None]
    _is_void: Callable[[Row], bool]
    reopen_row: Callable[[int, int, int], int | None]

    def add_backfill(self, backfill: NewBackfill) -> None:
        self._written.backfills.append(backfill)

    def add_staged_block(self, block: NewStagedBlock) -> None:
        self._written.staged_blocks.append(block)

    def add_claimed_rows(self, rows: pa.Table) -> None:
        self.add_rows(rows)

    def add_late_outcomes(self, outcomes: pa.Table) -> None:
        self.add_outcomes(outcomes)

    def withdraw_range(self, asked: ReplacedRange, by: Withdrawal) -> WithdrawnRows:
        found: list[int] = []
        before: list[int] = []
        for locator, versions in self._seen.versions.items():
            if self._is_replaced(asked, versions):
                (before if locator in self._withdrawn() else found).append(locator)
        withdrawn = self._withdraw(found, by)
        return WithdrawnRows(withdrawn.locators, 0, withdrawn.cost, _locators(before))

    @staticmethod
    def _is_replaced(asked: ReplacedRange, versions: Sequence[Row]) -> bool:
        known = [one for one in versions if one["counted_at"] <= asked.counted_up_to]
        if not known:
            return False
        last = known[-1]
        return (
            last["scope_key"] == asked.scope_key
            and asked.start <= last["time"] < asked.end
            and (asked.customer_keys is None or last["customer_key"] in asked.customer_keys)
            and (not asked.sources or last["source"] in asked.sources)
        )

    def withdraw_blocks(self, positions: Sequence[int], by: Withdrawal) -> WithdrawnRows:
        return self._withdraw([one for one in self._seen.versions if one >> 16 in positions], by)

    def _withdraw(self, locators: Iterable[int], by: Withdrawal) -> WithdrawnRows:
        stored, cost, found = self._written, RawCost(), sorted(locators)
        already = set(found) & self._withdrawn()
        self._end(lambda row: row["locator"] in already and row["outcome"] == "withdrawn", by.position)
        for locator in found:
            last = stored.versions[locator][-1]
            if last["closed_at"] is None:
                cost = cost.plus(_cost(last))
                self.close_row(last["customer_key"], locator, by.position)
            customer, kind = stored.customers[last["customer_key"]][1], stored.series[last["kind_key"]][0]
            stored.outcomes.append(_withdrawn_outcome(last | {"customer_id": customer or None, "type": kind}, by))
        return WithdrawnRows(_locators(found), len(already), cost)

    def withdraw_uncounted(self, positions: Sequence[int], by: Withdrawal) -> UndoneOutcomes:
        ended = self._end(
            lambda row: row["locator"] >> 16 in positions and row["outcome"] in ("duplicate", "conflict"), by.position
        )
        self._written.outcomes.extend(_withdrawn_outcome(row, by) for row in ended)
        names = [row["outcome"] for row in ended]
        return UndoneOutcomes(names.count("duplicate"), names.count("conflict"))

    def reinstate(self, replaced_at: int, position: int) -> Reinstated:
        ended = self._end(
            lambda row: row["outcome"] == "withdrawn" and (row["reason"], row["decided_at"]) == (REPLACED, replaced_at),
            position,
        )
        cost, unknown = RawCost(), set()
        for locator in sorted(row["locator"] for row in ended):
            last = self._written.versions[locator][-1]
            if self._is_void(last):
                continue
            self.reopen_row(last["customer_key"], locator, position)
            cost = cost.plus(_cost(last))
            if last["cost_origin"] == "unknown":
                unknown.add(last["kind_key"])
        return Reinstated(_locators(row["locator"] for row in ended), cost, tuple(unknown))

    def take_followers(self, positions: Sequence[int], position: int) -> pa.Table:
        ended = self._end(
            lambda row: row["outcome"] in ("duplicate", "conflict") and (row["first_locator"] or 0) >> 16 in positions,
            position,
        )
        ended.sort(key=lambda row: (row["decided_at"], row["locator"]))
        schema = pa.schema([("locator", pa.int64()), ("outcome", pa.utf8())])
        return pa.Table.from_pylist([{name: row[name] for name in schema.names} for row in ended], schema)

    def waiting_voids(self) -> set[tuple[int, str, str]]:
        stored = self._seen
        gone = {row["locator"] for row in stored.outcomes if row["reason"] == REVERTED} | self._withdrawn()
        firsts = [versions[0] for locator, versions in stored.versions.items() if locator not in gone]
        return _voided(stored.corrections) - {(row["scope_key"], row["source"], row["id"]) for row in firsts}

    def claimed_at(self, position: int) -> list[int]:
        back = {
            row["locator"]
            for row in self._seen.outcomes
            if row["outcome"] == "withdrawn" and row["closed_at"] == position
        }
        claimed = [
            locator
            for locator, versions in self._seen.versions.items()
            if any(one["counted_at"] == position for one in versions)
        ]
        return [locator for locator in claimed if locator >> 16 != position and locator not in back]

    def _end(self, which: Callable[[Row], bool], position: int) -> list[Row]:
        """End the outcomes in effect of which this is true, and return them."""
        ended = [row for row in self._written.outcomes if row["closed_at"] is None and which(row)]
        self._written.outcomes = [
            row | {"closed_at": position} if row in ended else row for row in self._written.outcomes
        ]
        return ended

    def _withdrawn(self) -> set[int]:
        return {row["locator"] for row in self._seen.outcomes if _is_withdrawn(row)}


def _cost(version: Row) -> RawCost:
    return RawCost(version["cost_usd"] or Decimal(0), int(version["cost_origin"] == "unknown"))


def load_backfills(stored: Any, known: KnownBackfills) -> TakenClaims:
    """Load what the fold keeps of backfills; return the claims that they took."""
    for event in stored.backfills:
        if event.kind == "backfill.opened":
            known.open(event.scope_key, event.name)
    for block in stored.staged_blocks:
        known.get(block.scope_key, block.name).blocks.append(block.position)
    for event in stored.backfills:
        backfill = known.get(event.scope_key, event.name)
        if event.kind == "backfill.committed":
            backfill.committed_at, backfill.blocks = event.position, backfill.blocks[: event.blocks]
        elif event.kind != "backfill.opened":
            backfill.ended = True
    taken = [row for row in stored.outcomes if _is_withdrawn(row)]
    return TakenClaims(
        *(_locators(row["locator"] for row in taken if row["reason"] == reason) for reason in (REPLACED, REVERTED))
    )


def _is_withdrawn(row: Row) -> bool:
    return row["outcome"] == "withdrawn" and row["closed_at"] is None


def _withdrawn_outcome(row: Row, by: Withdrawal) -> Row:
    kept = {name: row[name] for name in ("locator", "scope_key", "source", "id", "customer_id", "type", "content")}
    empty = dict.fromkeys(("detail", "first_locator", "raw", "closed_at"))
    told = {"outcome": "withdrawn", "reason": by.reason, "recorded_at": by.recorded_at, "stream": by.stream}
    return kept | empty | told | {"decided_at": by.position}


def _voided(corrections: Iterable[Any]) -> set[tuple[int, str, str]]:
    last = {(one.scope_key, one.source, one.id): one.kind for one in corrections if one.kind != "usage.amended"}
    return {identity for identity, kind in last.items() if kind == "usage.voided"}


def _locators(found: Iterable[int]) -> U64:
    return np.array(sorted(found), dtype=np.uint64)
