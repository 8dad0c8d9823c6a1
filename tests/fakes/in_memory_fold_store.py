"""A fold store in memory: the plain model that other implementations are compared with.

Everything stored is in one `StoredTables`. What is in its containers is never changed in place, only replaced; so
`begin` copies the containers, writes go to the copy, `commit` puts it in place of the original, `rollback` drops it.
"""

from __future__ import annotations

import json
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

import msgspec
import pyarrow as pa

from domain.customers.events import CUSTOMER_DELETED
from domain.log.chain import CHAIN_START
from domain.scope import Scope
from projections.folding.backfill_store import NewBackfill, NewStagedBlock, RawCost
from projections.folding.fold_state import CommittedRun, FoldState, NewKeys, SeriesKey
from projections.folding.lifecycle_writes import (
    CorrectedRows,
    CustomerMove,
    NewAmendment,
    NewApiKey,
    NewCorrection,
    NewCorrectionRun,
    NewDiscount,
    NewFact,
    NewPrice,
    NewReplacement,
    NewRepricing,
    SourceProgress,
)
from projections.folding.staged_tables import REPRICING_ROWS, UNKNOWN_COST_ROWS, USAGE_ROWS
from projections.pricing.row_range import RowRange
from projections.pricing.rules import LifeEnded, PricingRecord
from projections.row_filter import RowFilter
from tests.fakes.in_memory_amendments import InMemoryAmendments, Row, naive_row, rows_of
from tests.fakes.in_memory_backfills import InMemoryBackfills, load_backfills

#: What a re-pricing changes of a row.
COSTS = ("cost_usd", "cost_origin", "price_position", "discount_positions", "repriced_at")


@dataclass
class StoredTables:
    """Everything stored. `versions`: the versions of each event by locator, oldest first; the last may be current."""

    log_id: str
    position: int = 0
    running_hash: bytes = CHAIN_START
    recorded_at: datetime | None = None
    scopes: dict[int, Scope] = field(default_factory=dict)
    series: dict[int, SeriesKey] = field(default_factory=dict)
    customers: dict[int, tuple[int, str, int]] = field(default_factory=dict)  # scope key, id, first position
    log_records: dict[int, Row] = field(default_factory=dict)  # by position
    versions: dict[int, tuple[Row, ...]] = field(default_factory=dict)
    outcomes: list[Row] = field(default_factory=list)
    backfills: list[NewBackfill] = field(default_factory=list)
    staged_blocks: list[NewStagedBlock] = field(default_factory=list)
    facts: list[NewFact] = field(default_factory=list)
    corrections: list[NewCorrection] = field(default_factory=list)
    repricings: list[NewRepricing] = field(default_factory=list)
    replacements: list[NewReplacement] = field(default_factory=list)
    correction_runs: list[NewCorrectionRun] = field(default_factory=list)
    corrected_events: list[tuple[int, int]] = field(default_factory=list)  # position of the commit, and locator
    amendments: list[NewAmendment] = field(default_factory=list)
    prices: list[NewPrice] = field(default_factory=list)
    discounts: list[NewDiscount] = field(default_factory=list)
    api_keys: dict[str, NewApiKey] = field(default_factory=dict)
    revoked: dict[str, datetime] = field(default_factory=dict)  # by key id
    sources: dict[str, SourceProgress] = field(default_factory=dict)  # by stream, with the counts of all its progress

    def copied(self) -> StoredTables:
        return replace(self, **{name: copy(stored) for name, stored in vars(self).items()})

    def current(self, locator: int) -> Row | None:
        """The current version of an event, if it has one."""
        versions = self.versions.get(locator, ())
        return versions[-1] if versions and versions[-1]["closed_at"] is None else None


class InMemoryFoldStore(InMemoryAmendments, InMemoryBackfills):
    """A `FoldStore` that keeps its tables in memory only. Tests may read `committed`."""

    def __init__(self, log_id: str) -> None:
        self.committed = StoredTables(log_id)
        self._open: StoredTables | None = None

    # -- transactions and progress

    def begin(self) -> None:
        assert self._open is None, "a transaction is open already"
        self._open = self.committed.copied()

    def commit(self) -> None:
        self.committed, self._open = self._written, None

    def durable_position(self) -> int:
        return self.committed.position

    def rollback(self) -> None:
        self._open = None

    @property
    def _written(self) -> StoredTables:
        assert self._open is not None, "nothing is written outside a transaction"
        return self._open

    @property
    def _seen(self) -> StoredTables:
        return self._open or self.committed

    def load_state(self) -> FoldState:
        assert self._open is None, "the state is loaded outside a transaction"
        stored, state = self.committed, FoldState()
        state.log_id, state.position = stored.log_id, stored.position
        state.running_hash, state.recorded_at = stored.running_hash, stored.recorded_at
        state.scope_keys = {scope: key for key, scope in stored.scopes.items()}
        state.kind_keys = {series: key for key, series in stored.series.items()}
        state.customer_keys.update({(scope, name): key for key, (scope, name, _) in stored.customers.items()})
        for scope_key, record in _pricing_records(stored):
            state.prices.add(scope_key, record)
        state.repricings = {
            (run.scope_key, run.name): run.position for run in stored.repricings if run.kind == "repricing.committed"
        }
        ended = {(run.scope_key, run.name) for run in stored.correction_runs if run.kind == "correction_run.reverted"}
        state.correction_runs = {
            (run.scope_key, run.name): CommittedRun(run.position, run.members, (run.scope_key, run.name) in ended)
            for run in stored.correction_runs
            if run.kind == "correction_run.committed"
        }
        for one in stored.amendments:
            state.amended.add(one.locator, one.customer_key, one.content)
        for fact in stored.facts:
            if fact.owner.subject == "subscription" and fact.owner.id is not None:
                told = fact.position, fact.effective_at, fact.kind, fact.fields
                state.subscribers.add_fact(fact.owner.scope_key, fact.owner.id, *told)
            if fact.kind == CUSTOMER_DELETED and fact.owner.customer_key is not None:
                _, customer_id, _ = stored.customers[fact.owner.customer_key]
                state.subscribers.add_deletion(fact.owner.scope_key, customer_id, fact.effective_at)
        state.taken = load_backfills(stored, state.backfills)
        state.waiting_voids = self.waiting_voids()
        return state

    def reached(self) -> tuple[int, bytes]:
        return self._seen.position, self._seen.running_hash

    def running_hash_at(self, position: int) -> bytes | None:
        record = self._seen.log_records.get(position)
        return None if record is None else bytes(record["running_hash"])

    def add_keys(self, new: NewKeys) -> None:
        self._written.scopes.update(new.scopes)
        self._written.series.update({key: (kind, provider, model) for key, kind, provider, model in new.kinds})
        self._written.customers.update({key: (scope_key, name, first) for key, scope_key, name, first in new.customers})

    def add_log_records(self, records: pa.Table) -> None:
        self._written.log_records.update({row["position"]: row for row in rows_of(records)})

    def advance(self, position: int, running_hash: bytes, recorded_at: datetime | None) -> None:
        stored = self._written
        stored.position, stored.running_hash, stored.recorded_at = position, running_hash, recorded_at

    # -- usage

    def add_rows(self, staged_rows: pa.Table) -> None:
        self._written.versions.update({row["locator"]: (row,) for row in rows_of(staged_rows)})

    def add_outcomes(self, outcomes: pa.Table) -> None:
        self._written.outcomes.extend(row | {"closed_at": None} for row in rows_of(outcomes))

    def refused_locators(self, first: int, last: int) -> list[int]:
        refused = [row["locator"] for row in self._seen.outcomes if row["decided_at"] == row["locator"] >> 16]
        return [locator for locator in refused if first <= locator < last]

    def close_row(self, customer_key: int, locator: int, position: int) -> None:
        current = self._written.current(locator)
        if current is not None:
            closed = current | {"closed_at": position}
            self._written.versions[locator] = (*self._written.versions[locator][:-1], closed)

    def reopen_row(self, customer_key: int, locator: int, position: int) -> int | None:
        versions = self._written.versions[locator]
        if self._written.current(locator) is not None:
            return None
        opened = versions[-1] | {"counted_at": position, "closed_at": None}
        self._written.versions[locator] = (*versions, opened)
        return int(opened["kind_key"])

    def last_version(self, customer_key: int, locator: int) -> pa.Table:
        last = [naive_row(row) for row in self._written.versions.get(locator, ())[-1:]]
        return pa.Table.from_pylist(last, USAGE_ROWS)

    def add_version(self, version: pa.Table) -> None:
        [row] = rows_of(version)
        assert self._written.current(row["locator"]) is None, "an event has one current version"
        self._written.versions[row["locator"]] += (row,)

    def rows_of_source(
        self, customer_key: int, source: str, start: datetime, end: datetime, above_locator: int, rows_max: int
    ) -> pa.Table:
        found = []
        for locator in sorted(self._seen.versions):
            of_customer = [one for one in self._seen.versions[locator] if one["customer_key"] == customer_key]
            if locator > above_locator and of_customer and of_customer[-1]["source"] == source:
                found += [naive_row(row) for row in of_customer[-1:] if start <= row["time"] < end]
        return pa.Table.from_pylist(found[:rows_max], USAGE_ROWS)

    def move_rows(self, move: CustomerMove, versions: pa.Table) -> None:
        for row in rows_of(versions):
            self.close_row(move.customer_key_before, row["locator"], move.position)
            self._written.versions[row["locator"]] += (row,)
            before, content = move.customer_key_before, row["content"]
            key, time, scope_key = row["customer_key"], row["time"], row["scope_key"]
            self._written.amendments.append(
                NewAmendment(
                    scope_key, row["locator"], move.position, key, before, time, content, "[]", move.recorded_at
                )
            )

    def unknown_cost_rows(
        self, kind_key: int, scope_key: int, above_locator: int, rows_max: int, customer_key: int | None = None
    ) -> pa.Table:
        rows = []
        for locator in sorted(self._seen.versions):
            row = self._seen.current(locator)
            if row is None or locator <= above_locator or row["cost_origin"] != "unknown":
                continue
            if customer_key is not None and row["customer_key"] != customer_key:
                continue
            if (row["kind_key"], row["scope_key"]) == (kind_key, scope_key):
                rows.append({name: row[name] for name in UNKNOWN_COST_ROWS.names})
        return pa.Table.from_pylist(rows[:rows_max], UNKNOWN_COST_ROWS)

    def price_rows(self, priced: pa.Table, position: int) -> None:
        for price in rows_of(priced):
            current = self._written.current(price["locator"])
            if current is None:
                continue
            self.close_row(price["customer_key"], price["locator"], position)
            opened = current | price | {"cost_origin": "price", "counted_at": position}
            self._written.versions[price["locator"]] += (opened,)

    def rows_to_reprice(self, asked: RowRange, after: tuple[int, int] | None, rows_max: int) -> pa.Table:
        rows = [self._seen.current(locator) for locator in self._seen.versions]
        found = [
            {name: row[name] for name in REPRICING_ROWS.names}
            for row in rows
            if row is not None and row["scope_key"] == asked.scope_key and row["counted_at"] <= asked.counted_up_to
            if self._is_in(asked, row)
            if after is None or (row["customer_key"], row["locator"]) > after
        ]
        found.sort(key=lambda row: (row["customer_key"], row["locator"]))
        return pa.Table.from_pylist(found[:rows_max], REPRICING_ROWS)

    def _is_in(self, asked: RowRange, row: Row) -> bool:
        is_zero = row["cost_origin"] == "producer" and row["cost_usd"] == 0
        mark = str(json.loads(row["properties"] or "{}").get("cache_hit")).lower()
        is_cached = "_cache_hit" in row["id"] or mark in ("true", "1")
        return (
            (row["cost_origin"] == "price" or (asked.given_costs == "zeros" and is_zero and not is_cached))
            and row["kind_key"] in asked.kind_keys
            and (asked.customer_keys is None or row["customer_key"] in asked.customer_keys)
            and (asked.start is None or asked.start <= row["time"])
            and (asked.end is None or row["time"] < asked.end)
        )

    def undo_repricing(self, repriced_at: int, position: int) -> tuple[int, Decimal]:
        stored, events, difference = self._written, 0, Decimal(0)
        ended = {run.name for run in stored.repricings if run.kind == "repricing.reverted"}
        undone = {run.position for run in stored.repricings if run.kind == "repricing.committed" and run.name in ended}
        for locator, versions in list(stored.versions.items()):
            last = versions[-1]
            if last["repriced_at"] != repriced_at:
                continue
            others = [one for one in versions if one["repriced_at"] not in undone | {repriced_at}]
            priced_by = ("kind_key", "customer_key")
            preferred = [
                one
                for one in others
                if one["cost_origin"] == "producer" or all(one[name] == last[name] for name in priced_by)
            ]
            before = (preferred or others)[-1]
            is_current = last["closed_at"] is None
            self.close_row(last["customer_key"], locator, position)
            costs = {name: before[name] for name in COSTS}
            opened = last | costs | {"counted_at": position, "closed_at": None if is_current else position}
            stored.versions[locator] += (opened,)
            events += is_current and before["cost_usd"] != last["cost_usd"]
            difference += ((before["cost_usd"] or 0) - (last["cost_usd"] or 0)) * is_current
        return events, difference

    def last_versions(self, locators: pa.Array) -> pa.Table:
        found = [self._seen.versions[one][-1] for one in sorted(locators.to_pylist()) if one in self._seen.versions]
        return pa.Table.from_pylist([naive_row(row) for row in found], USAGE_ROWS)

    def replace_rows(self, replacement: NewReplacement, versions: pa.Table, before: pa.Table) -> None:
        self._written.replacements.append(replacement)
        for row, was in zip(rows_of(versions), before.to_pylist(), strict=True):
            self.close_row(was["customer_key"], row["locator"], replacement.position)
            self._written.versions[row["locator"]] += (row,)
            self._written.amendments.append(
                NewAmendment(
                    scope_key=row["scope_key"],
                    locator=row["locator"],
                    position=replacement.position,
                    customer_key=row["customer_key"],
                    customer_key_before=was["customer_key"],
                    time=row["time"],
                    content=row["content"],
                    changed=str(was["received"]),
                    recorded_at=replacement.recorded_at,
                )
            )

    def void_rows(self, asked: RowFilter, position: int) -> CorrectedRows:
        return self._noted(self._last_versions_in(asked), True, position)

    def restore_rows(self, asked: RowFilter, position: int) -> CorrectedRows:
        closed = [
            row
            for row in self._last_versions_in(asked)
            if row["closed_at"] is not None and row["closed_at"] <= asked.counted_up_to
        ]
        return self._noted(closed, False, position)

    def _noted(self, rows: list[Row], is_void: bool, position: int) -> CorrectedRows:
        self._written.corrected_events += [(position, row["locator"]) for row in rows]
        return self._corrected([(row, is_void) for row in rows], position)

    def undo_corrections(self, corrected_at: int, position: int) -> CorrectedRows:
        stored, withdrawn = self._written, self._withdrawn()
        noted = [locator for at, locator in stored.corrected_events if at == corrected_at and locator not in withdrawn]
        rows = [stored.versions[locator][-1] for locator in noted]
        return self._corrected([(row, self._is_void(row, corrected_at)) for row in rows], position)

    def _is_void(self, row: Row, without_run: int | None = None) -> bool:
        """Whether the last correction of an event that stands is a void."""
        stored = self._written
        ended = {(run.scope_key, run.name) for run in stored.correction_runs if run.kind == "correction_run.reverted"}
        standing = {
            run.position: run.action == "void"
            for run in stored.correction_runs
            if run.kind == "correction_run.committed"
            and run.action != "amend"
            and (run.scope_key, run.name) not in ended
            and run.position != without_run
        }
        noted = [at for at, locator in stored.corrected_events if locator == row["locator"] and at in standing]
        said = [(at, standing[at]) for at in noted]
        said += [
            (one.position, one.kind == "usage.voided")
            for one in stored.corrections
            if (one.scope_key, one.source, one.id) == (row["scope_key"], row["source"], row["id"])
            and one.kind != "usage.amended"
        ]
        return bool(said) and max(said)[1]

    def _corrected(self, wanted: list[tuple[Row, bool]], position: int) -> CorrectedRows:
        """Close or open versions where the last one is not as wanted: void, or not."""
        events, difference, unknown = 0, RawCost(), set()
        for row, is_void in wanted:
            if is_void == (row["closed_at"] is not None):
                continue
            events += 1
            cost = RawCost(row["cost_usd"] or Decimal(0), int(row["cost_origin"] == "unknown"))
            if is_void:
                self.close_row(row["customer_key"], row["locator"], position)
                difference = difference.minus(cost)
            else:
                self.reopen_row(row["customer_key"], row["locator"], position)
                difference = difference.plus(cost)
                if row["cost_origin"] == "unknown":
                    unknown.add(row["kind_key"])
        return CorrectedRows(events, difference, tuple(sorted(unknown)))

    # -- lifecycle

    def add_correction_run(self, run: NewCorrectionRun) -> None:
        self._written.correction_runs.append(run)

    def add_repricing(self, repricing: NewRepricing) -> None:
        self._written.repricings.append(repricing)

    def add_fact(self, fact: NewFact) -> None:
        self._written.facts.append(fact)

    def add_correction(self, correction: NewCorrection) -> None:
        self._written.corrections.append(correction)

    def add_amendment(self, amendment: NewAmendment) -> None:
        self._written.amendments.append(amendment)

    def add_price(self, price: NewPrice) -> None:
        self._written.prices.append(price)

    def add_discount(self, discount: NewDiscount) -> None:
        self._written.discounts.append(discount)

    def add_api_key(self, key: NewApiKey) -> None:
        self._written.api_keys[key.key_id] = key

    def revoke_api_key(self, key_id: str, revoked_at: datetime) -> None:
        if key_id in self._written.api_keys:
            self._written.revoked.setdefault(key_id, revoked_at)

    def update_source(self, progress: SourceProgress) -> None:
        known = self._written.sources.get(progress.stream)
        if known is not None:
            latest = progress if progress.position > known.position else known
            progress = msgspec.structs.replace(
                latest,
                records_lost=known.records_lost + progress.records_lost,
                commands_refused=known.commands_refused + progress.commands_refused,
            )
        self._written.sources[progress.stream] = progress


def _pricing_records(stored: StoredTables) -> list[tuple[int | None, PricingRecord]]:
    """Prices, discounts and deletions with their scopes, in the order of the log."""
    records: list[tuple[int | None, PricingRecord]] = [(one.scope_key, one.rule) for one in stored.prices]
    records += [(one.scope_key, one.rule) for one in stored.discounts]
    for fact in stored.facts:
        if fact.kind == CUSTOMER_DELETED and fact.owner.customer_key is not None:
            _, customer_id, _ = stored.customers[fact.owner.customer_key]
            records.append((fact.owner.scope_key, LifeEnded(fact.position, customer_id, fact.effective_at)))
    return sorted(records, key=lambda one: one[1].position)
