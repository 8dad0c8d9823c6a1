"""The write interface of a read store, through which the fold knows it.

A store contains no rules of metering: it keeps what it is given, and answers the few questions that the fold asks.

1. `load_state` once, and again after every rollback.
2. For each step: `begin`; then adds and changes, in the order of the log where they concern one event; then
   `add_log_records`, `add_keys` and `advance`; then `commit`, or `rollback` when anything failed.
3. `reached`, `running_hash_at` and `refused_locators` at any time.

One thread calls these methods; other threads may read the same data through snapshots. Nothing is written outside a
transaction. Between `begin` and `commit` the methods of this interface see the writes of the transaction, except those
of `add_fact` and `update_source`, which may wait for `advance`; snapshots see none of them.

Any method may raise an error of the storage. The step is then rolled back and repeated as a whole, so no call needs to
be idempotent unless it says that it is. Log positions ascend from step to step.

Usage is kept in versions. The version of an event in effect at log position P is the one with `counted_at <= P` and
`closed_at` null or above P; its current version is the one with `closed_at` null, and there is at most one. Values of a
version never change, except that it is closed. A store that keeps sums by day keeps those of the current versions.
Calls name an event by the key of its customer and its locator: the locator is unique, and the key says where to look.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

import pyarrow as pa

from projections.folding.backfill_store import BackfillStore
from projections.folding.fold_state import FoldState, NewKeys
from projections.folding.lifecycle_writes import (
    CorrectedRows,
    CustomerMove,
    MemberSetter,
    NewAmendment,
    NewApiKey,
    NewCorrection,
    NewCorrectionRun,
    NewDiscount,
    NewFact,
    NewPrice,
    NewReplacement,
    NewRepricing,
    RowAmendment,
    SourceProgress,
)
from projections.pricing.row_range import RowRange
from projections.row_filter import RowFilter


class FoldStore(BackfillStore, Protocol):
    """A read store as the fold writes to it. Columns of Arrow tables: see `staged_tables`."""

    # -- transactions and progress

    def begin(self) -> None:
        """Begin a transaction; none is open."""

    def commit(self) -> None:
        """Make all writes since `begin` visible to snapshots: all of them, or none if this raises.

        They may become durable later, together with later ones: after a crash the store is as one of its commits left
        it, and everything since is folded again. A store that is thrown away after a crash may write several
        transactions as one.
        """

    def durable_position(self) -> int:
        """Return the position up to which a crash undoes nothing. What is derived beside the store stays behind it."""

    def rollback(self) -> None:
        """Undo all writes since `begin`. Does nothing without an open transaction; may be repeated after an error."""

    def load_state(self) -> FoldState:
        """Return the state as of the last committed `advance`, without the hash seed. No transaction is open.

        The caller extends the state in place, by what it also gives to the store. A store may go on reading its
        `customer_keys`, which only grow, and which after a rollback are those of the next `load_state`.
        """

    def reached(self) -> tuple[int, bytes]:
        """Return the last folded position and the running hash there; 0 and `CHAIN_START` before the first."""

    def running_hash_at(self, position: int) -> bytes | None:
        """Return the running hash after a folded position; None for any other."""

    def add_keys(self, new: NewKeys) -> None:
        """Store surrogate keys, each once. Rows and facts of the same transaction may use them before this call."""

    def add_log_records(self, records: pa.Table) -> None:
        """Store `LOG_RECORDS`; their positions follow those stored before."""

    def advance(self, position: int, running_hash: bytes, recorded_at: datetime | None) -> None:
        """Store how far the fold is, in the transaction that took it there; the last call before `commit`.

        `recorded_at` is the greatest recorded time up to `position`.
        """

    # -- usage

    def add_rows(self, staged_rows: pa.Table) -> None:
        """Store `USAGE_ROWS`: the first version of each of these events. Some may be closed already."""

    def add_outcomes(self, outcomes: pa.Table) -> None:
        """Store `OUTCOME_ROWS`."""

    def refused_locators(self, first: int, last: int) -> list[int]:
        """Return the locators in [first, last) of events that were not counted when they came, in any order."""

    def close_row(self, customer_key: int, locator: int, position: int) -> None:
        """Close the current version of an event: it is in effect below `position` only.

        Idempotent: does nothing when the event has no current version.
        """

    def reopen_row(self, customer_key: int, locator: int, position: int) -> int | None:
        """Open a version from `position` on, otherwise equal to the last one, and return the key of its series.

        Idempotent: does nothing and returns None when the event has a current version. Raises `LookupError` when it
        has no version at all.
        """

    def last_version(self, customer_key: int, locator: int) -> pa.Table:
        """Return `USAGE_ROWS`: the version of an event that was opened last; no row when it has none."""

    def add_version(self, version: pa.Table) -> None:
        """Store `USAGE_ROWS`: one more version of an event that has no current version, in effect from `counted_at` on.

        It may be of another customer. It may be closed already; then it is in effect at no position, but is the last
        one.
        """

    def rows_of_source(
        self, customer_key: int, source: str, start: datetime, end: datetime, above_locator: int, rows_max: int
    ) -> pa.Table:
        """Return `USAGE_ROWS`: the last versions of the first `rows_max` events of a customer after `above_locator`.

        Those of one source alone, whose last version with this customer is of a time in [start, end); ascending by
        locator.
        """

    def move_rows(self, move: CustomerMove, versions: pa.Table) -> None:
        """Store `USAGE_ROWS`: one more version of each of these events, of another customer than before.

        Closes their current versions, at the position of the move. Versions may be closed already, as in
        `add_version`. Stores an amendment of each that changes no member, so a later `load_state` finds it in
        `amended`.
        """

    def unknown_cost_rows(
        self, kind_key: int, scope_key: int, above_locator: int, rows_max: int, customer_key: int | None = None
    ) -> pa.Table:
        """Return `UNKNOWN_COST_ROWS`: the first `rows_max` of one series in one scope after `above_locator`.

        Those of one customer alone, if its key is given.
        """

    def price_rows(self, priced: pa.Table, position: int) -> None:
        """Give events the costs in `PRICED_ROWS`, each event at most once, from `position` on.

        Closes the current version of each and opens another with cost origin "price" and these values. Leaves alone
        events without a current version. An event is priced once at a position.
        """

    def rows_to_reprice(self, asked: RowRange, after: tuple[int, int] | None, rows_max: int) -> pa.Table:
        """Return `REPRICING_ROWS`: the first `rows_max` in the range after `after`, a customer key and a locator.

        They are current versions with a cost by a price, or with one that the range adds.
        """

    def undo_repricing(self, repriced_at: int, position: int) -> tuple[int, Decimal]:
        """Give events that have the cost of the re-pricing at `repriced_at` the one before it, from `position` on.

        That is the cost of their last version which no re-pricing gave that is or was undone, this one included.
        Everything else stays as it is; an event without a current version gets one that is closed at `position`, for
        `reopen_row`. Returns the number of events whose current cost changed, and what their costs grew by.
        """

    def last_versions(self, locators: pa.Array) -> pa.Table:
        """Return `USAGE_ROWS`: the version of each of these events that was opened last, ascending by locator."""

    def replace_rows(self, replacement: NewReplacement, versions: pa.Table, before: pa.Table) -> None:
        """Store a replacement, and `USAGE_ROWS`: one more version of each of its events.

        `before`: `locator`, `customer_key` and `received`: the customer that each event had, and the locator of the
        delivery that it now equals. Closes their current versions. Versions may be of another customer, and closed
        already, as in `add_version`. Stores an amendment of each, so a later `load_state` finds it in `amended`.
        """

    def void_rows(self, asked: RowFilter, position: int) -> CorrectedRows:
        """Close the current versions of the events of a filter, from `position` on.

        Every event of the filter is noted for `undo_corrections`, those without a current version too. The filter is
        asked of the last version of an event.
        """

    def restore_rows(self, asked: RowFilter, position: int) -> CorrectedRows:
        """Open a version, equal to the last one, of the events of a filter that had none at its `counted_up_to`.

        Those that have none at `position` still; each is noted for `undo_corrections`.
        """

    def undo_corrections(self, corrected_at: int, position: int) -> CorrectedRows:
        """Close or open, from `position` on, versions of the events that the run at `corrected_at` noted.

        So that each is voided or not by the last that stands of: its corrections that are no amendments, and the
        commits of other runs that noted it and were not reverted. Without any it is valid.
        """

    def rows_in(self, asked: RowFilter, above_locator: int, rows_max: int) -> pa.Table:
        """Return `USAGE_ROWS`: the last versions of the first `rows_max` events of a filter above a locator.

        Ascending by locator. Voided events are among them, what a backfill withdrew is not.
        """

    def given_costs(self, locators: pa.Array) -> list[int]:
        """Return those of these events whose cost is given, re-pricings aside."""

    def amend_rows(self, amendment: RowAmendment, versions: pa.Table, customer_keys: pa.Array) -> None:
        """Store `USAGE_ROWS`: one more version of each of these events, and close their current ones.

        `customer_keys`: those that the events had. Versions may be of another customer, and closed already, as in
        `add_version`. Of each that gets another customer an amendment is stored that changes nothing of what was sent;
        a later `load_state` finds it in `amended`.
        """

    def note_corrected(self, position: int, locators: pa.Array) -> None:
        """Note events of the run committed at a position, for `noted_events` and the explanation of each."""

    def noted_events(self, corrected_at: int, above_locator: int, events_max: int) -> pa.Array:
        """Return the locators of the first events above one that the run at `corrected_at` noted, ascending.

        Those that a backfill withdrew are left out.
        """

    def before_set(self, corrected_at: int, setters: Sequence[MemberSetter], locators: pa.Array) -> pa.Table:
        """Return `MEMBERS_BEFORE`: what the members were before the run at `corrected_at` set them in these events.

        `setters`: of all runs of the scope that amend. A member is left out where something that stands set it later:
        such a run that noted the event, an amendment of it, or a move to another customer. Otherwise it is that of the
        last version before the first setter of which none behind it stands.
        """

    def costs_before(self, corrected_at: int, rows: pa.Table) -> pa.Table:
        """Return `COSTS_BEFORE`: of each of these rows the cost that it had before the run at `corrected_at`.

        That is the cost of the last version opened before it with the same values that a price looks at, and without a
        cost by a re-pricing that was undone; a given cost only where a re-pricing replaced it since. Events without
        such a version are left out.
        """

    # -- lifecycle

    def add_correction_run(self, run: NewCorrectionRun) -> None:
        """Store an event of a correction run. A later `load_state` finds the position of each commit."""

    def add_repricing(self, repricing: NewRepricing) -> None:
        """Store an event of a re-pricing run. A later `load_state` finds the position of each commit."""

    def add_fact(self, fact: NewFact) -> None:
        """Store a fact. A later `load_state` finds those that tell the customers of subscriptions in `subscribers`."""

    def add_correction(self, correction: NewCorrection) -> None:
        """Store a void, a restoration or an amendment; the rows are changed by other calls.

        A later `load_state` finds in `waiting_voids` each identity whose last void or restoration, by position, is a
        void and that no event in the store has.
        """

    def add_amendment(self, amendment: NewAmendment) -> None:
        """Store an amendment of an event. A later `load_state` finds it in `amended`."""

    def add_price(self, price: NewPrice) -> None:
        """Store a price. A later `load_state` finds it in `prices`, one of a customer up to its deletion."""

    def add_discount(self, discount: NewDiscount) -> None:
        """Store a discount. A later `load_state` finds it in `prices` likewise."""

    def add_api_key(self, key: NewApiKey) -> None:
        """Store an API key, which is valid until it is revoked."""

    def revoke_api_key(self, key_id: str, revoked_at: datetime) -> None:
        """Mark an API key as revoked. Idempotent: the first revocation stands; an unknown key is left out."""

    def update_source(self, progress: SourceProgress) -> None:
        """Add the progress of a partition to what is stored of it.

        Lost records and refused commands are added up; everything else is that of the highest position.
        """
