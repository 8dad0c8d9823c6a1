"""The projector: reads the log in position order and folds it into the read store, one transaction per step.

A step takes the next records of the log that can be folded together: either usage batches and those lifecycle events
that do not affect them (of customers, budgets, sources and honoured commands), or lifecycle events only. The deletion
of a customer with prices or subscriptions of its own affects usage:

1. Read the next records, within `STEP_RECORDS_MAX` (`STEP_SMALL_RECORDS_MAX` where commands make them small) and
   `step_events_max`.
2. Begin a transaction of the read store.
3. Usage: resolve identities against the index; find the customers of events that have that of a subscription; write
   rows, days and outcomes, and the facts that counted events carry. Then lifecycle: apply one event after the other.
4. Write one row per record with its running hash, the new surrogate keys, and the checkpoint. Commit.
5. Only then add the claims to the identity index, so that it is never ahead of the read store. Where the step is
   durable already, write the index out when it is full; otherwise that waits for the store.
6. Notify the listener of lifecycle events, then the threads that wait for this position.

After a crash a step is repeated as a whole or not at all. A step that fails is rolled back, its reason is kept in
`failure`, and the fold stays at its position until the next attempt: it never skips a record. When 5 or 6 fails, the
next attempt completes it first: no record is folded with an index that lacks claims.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from domain.backfills.events import BackfillEvent
from domain.customers.events import CUSTOMER_DELETED, CustomerDeleted
from domain.customers.personal_keys import PersonalKeys
from domain.event import LifecycleEvent
from domain.log.blocks import BlockHeader, read_header
from domain.log.chain import chain
from domain.log.event_codec import decode_lifecycle
from domain.log.records import STAGED_BATCH_TOPIC, USAGE_BATCH_TOPIC, EventLog, LogRecord
from domain.scope import Scope
from domain.usage.outcomes import OUTCOMES
from domain.values.instants import naive
from projections.folding.attribution.attributed_rows import with_customers, without_customer
from projections.folding.backfills.folder import BackfillFolder
from projections.folding.backfills.prepared import PreparedChanges
from projections.folding.event_facts import facts_of_events
from projections.folding.event_lookup import EventLookup
from projections.folding.fold_store import FoldStore
from projections.folding.lifecycle_events import LifecycleFolder
from projections.folding.lifecycle_writes import SourceProgress
from projections.folding.numbers_first.numbers import NumbersFirst
from projections.folding.numbers_first.rows_of_log import RowsOfLog
from projections.folding.staged_tables import LOG_RECORDS
from projections.folding.step_planning import CHANGES_OF_CLAIMS, before_corrections, count_within, foldable_together
from projections.folding.usage_blocks import (
    FoldBlock,
    StepRows,
    concatenate_blocks,
    decoded_block,
    outcome_rows,
    received_rows,
    usage_rows,
)
from projections.identity.entries import NO_U64, U64
from projections.identity.index import IdentityIndex
from projections.identity.resolution import OUTCOME_OF_CODE, Resolution, SameAsStored, SameHere, resolve
from projections.pricing.rules import PricingRecord
from projections.storage_errors import failure_text

STEP_RECORDS_MAX: Final = 256
STEP_EVENTS_MAX: Final = 40_000
#: Records read for one step when they are small.
STEP_SMALL_RECORDS_MAX: Final = 4_096


Listener = Callable[[Sequence[LifecycleEvent]], None]


class _Entry(msgspec.Struct, frozen=True):
    """The row of one record in `log_records`. `counts`: events by outcome."""

    recorded_at: datetime
    scope_key: int | None
    counts: tuple[int, int, int, int, int]


class _Committed(msgspec.Struct, frozen=True):
    """The work left after the commit of a step: claims for the index, lifecycle events for the listener."""

    position: int
    running_hash: bytes
    claims: tuple[U64, U64, U64]
    lifecycle: list[LifecycleEvent]


class Projector:
    """Folds one log into one read store and one identity index. One thread calls `step`; any thread may wait."""

    def __init__(
        self,
        log: EventLog,
        store: FoldStore,
        index: IdentityIndex,
        keys: PersonalKeys,
        on_lifecycle: Listener | None = None,
    ) -> None:
        self._log = log
        self._store = store
        self._index = index
        self._lookup = EventLookup(log)
        self._keys = keys
        self._lifecycle = LifecycleFolder(store, index, self._lookup, keys)
        self._backfills = BackfillFolder(log, store, index, self._comparisons)
        self.on_lifecycle = on_lifecycle
        self.step_events_max = STEP_EVENTS_MAX
        #: Usage is folded into numbers alone, except the rows that it keeps. None: all rows are written.
        self.numbers_first: NumbersFirst | None = None
        #: Rows up to this position are missing: what later records change in rows waits until they are written.
        self.rows_missing_until: int | None = None
        self._read_ahead: list[LogRecord] = []  # read already, but too many for one step
        self._state = store.load_state()
        self._folded = threading.Condition()
        self._position = self._state.position
        self._unfinished: _Committed | None = None
        self._state_is_stale = False  # the state in memory may be ahead of the stored one
        self.failure: str | None = None

    @property
    def position(self) -> int:
        """The last folded position."""
        return self._position

    @property
    def prepared(self) -> PreparedChanges:
        """The change of a backfill that is prepared for this fold; used while it is paused."""
        return self._backfills.prepared

    @property
    def running_hash(self) -> bytes:
        """The running hash at `position`."""
        return self._state.running_hash

    def wait_for(self, position: int, timeout_seconds: float) -> bool:
        """Wait until `position` is folded; False when the timeout passed first."""
        with self._folded:
            return self._folded.wait_for(lambda: self._position >= position, timeout_seconds)

    def step(self, until: int | None = None) -> int:
        """Fold the next records (none beyond `until`); return how many. Any error is raised after a rollback."""
        try:
            self._finish_committed()
            if self._state_is_stale:
                self._roll_back()
            records = self._next_records(until)
            if records:
                records = self._fold(records)
                self._finish_committed()
        except BaseException as error:
            self.failure = failure_text(error)
            raise
        self.failure = None
        return len(records)

    def _next_records(self, until: int | None) -> list[LogRecord]:
        """The records of the next step: from those read before and not folded yet, otherwise read now.

        Commands make many small records; of these more are read at once than of usage batches.
        """
        position = self._state.position
        ahead = [record for record in self._read_ahead if record.position > position]
        if not ahead or ahead[0].position != position + 1:
            ahead = self._log.read(position, STEP_RECORDS_MAX, until)
            if self._are_small(ahead):
                ahead += self._log.read(ahead[-1].position, STEP_SMALL_RECORDS_MAX - len(ahead), until)
        self._read_ahead = ahead
        asked = [record for record in ahead if until is None or record.position <= until]
        if self.rows_missing_until is not None:
            asked = before_corrections(asked, self.rows_missing_until)
        return foldable_together(asked, self._affects_usage)

    def rows_of_log(self, records: Sequence[tuple[int | None, PricingRecord]]) -> RowsOfLog:
        """Return what makes rows of usage that is folded already. `records`: all that a price book is made of."""
        return RowsOfLog(self._log, self._state, records)

    def _affects_usage(self, record: LogRecord) -> bool:
        """Whether a record is the deletion of a customer that has prices, discounts or subscriptions of its own."""
        state = self._state
        if record.topic != CUSTOMER_DELETED or not (state.prices.has_customers or state.subscribers.has_customers):
            return False
        event = decode_lifecycle(record.topic, record.state)
        if not isinstance(event, CustomerDeleted):
            return False
        scope_key = state.scope_keys.get(Scope(event.tenant, event.environment))
        if scope_key is None:
            return False
        has_prices = state.prices.has_rules_of(scope_key, event.customer_id)
        return has_prices or bool(state.subscribers.subscriptions_of(scope_key, event.customer_id))

    def _are_small(self, records: Sequence[LogRecord]) -> bool:
        """Whether one step has room for more records like these."""
        return (
            len(records) == STEP_RECORDS_MAX
            and any(record.topic != USAGE_BATCH_TOPIC for record in records)
            and count_within(records, self.step_events_max) == len(records)
            and len(foldable_together(records, self._affects_usage)) == len(records)
        )

    def _fold(self, records: list[LogRecord]) -> list[LogRecord]:
        """Fold these records, or as many leading ones as a step may hold, in one transaction; return those folded."""
        try:
            self._store.begin()
            hashes = list(chain(self._state.running_hash, records))
            records = records[: count_within(records, self.step_events_max)]
            usage = [record for record in records if record.topic == USAGE_BATCH_TOPIC]
            others = [record for record in records if record.topic != USAGE_BATCH_TOPIC]
            usage_entries, claims = self._fold_usage(usage) if usage else ([], (NO_U64, NO_U64, NO_U64))
            lifecycle_entries, lifecycle, of_backfill = self._fold_lifecycle(others, records, hashes)
            claims = claims if of_backfill is None else of_backfill
            self._finish(records, hashes[: len(records)], _entries_in_order(records, usage_entries, lifecycle_entries))
            self._store.commit()
            self.prepared.note(records, claims[0], self._state)
        except BaseException:
            self.prepared.give_up()
            self._state_is_stale = True
            self._roll_back()
            raise
        self._unfinished = _Committed(records[-1].position, self._state.running_hash, claims, lifecycle)
        return records

    def _finish_committed(self) -> None:
        """Complete the work left by a committed step, then wake the threads waiting for its position."""
        committed = self._unfinished
        if committed is None:
            return
        if self._index.covered_position < committed.position:
            self._index.add(*committed.claims, up_to_position=committed.position, running_hash=committed.running_hash)
        if self._index.is_full() and self._store.durable_position() >= committed.position:
            self._index.checkpoint()
        # The listener comes before the waiting threads: an API key must be valid when its issue is answered.
        if committed.lifecycle and self.on_lifecycle is not None:
            self.on_lifecycle(committed.lifecycle)
        self._unfinished = None
        with self._folded:
            self._position = committed.position
            self._folded.notify_all()

    def _roll_back(self) -> None:
        """Undo uncommitted changes in the store and in memory. Until this succeeds nothing is read or folded."""
        self._store.rollback()
        state = self._store.load_state()
        state.hash_seed = self._state.hash_seed
        self._state = state
        self._state_is_stale = False

    def restore_seed(self, hash_seed: int) -> None:
        """Set the seed of identity hashes, which only the first record of the log contains."""
        self._state.hash_seed = hash_seed

    # -- usage

    def _fold_usage(self, records: Sequence[LogRecord]) -> tuple[list[_Entry], tuple[U64, U64, U64]]:
        numbers = self.numbers_first
        blocks = [decoded_block(record, self._scope_key, free=numbers is None) for record in records]
        step_rows = concatenate_blocks(blocks)
        rows = received_rows(step_rows)
        prior = self._state.taken.standing(self._index.lookup(rows.identities))
        resolved = resolve(rows, prior, *self._comparisons(step_rows))
        resolved = self._state.amended.resolved(rows, resolved)
        counted = resolved.counted
        for block in blocks:
            if "next_offset" in block.header.extra:
                self._store.update_source(_source_progress(block))
        attributed = without_customer(step_rows, counted)
        step_rows = with_customers(step_rows, attributed, self._state.subscribers)
        if numbers is not None:
            step_rows = numbers.add(records, step_rows, counted, attributed, self._state)
        elif counted.any():
            self._store.add_rows(usage_rows(step_rows, counted, self._state))
        for fact in facts_of_events(blocks, counted, self._state, self._keys):
            self._store.add_fact(fact)
        if not counted.all():
            self._store.add_outcomes(outcome_rows(step_rows, resolved))
        entries = [
            _Entry(block.header.recorded_at, block.scope_key, counts)
            for block, counts in zip(blocks, _counts(blocks, resolved), strict=True)
        ]
        return entries, (rows.identities[counted], rows.contents[counted], rows.locators[counted])

    def _scope_key(self, header: BlockHeader) -> int:
        return self._state.scope_key(header.scope)

    def _comparisons(self, step_rows: StepRows) -> tuple[SameAsStored, SameHere]:
        return self._lookup.comparisons(step_rows, self._state.scope_keys)

    # -- lifecycle

    def _fold_lifecycle(
        self, records: Sequence[LogRecord], step: Sequence[LogRecord], hashes: Sequence[bytes]
    ) -> tuple[list[_Entry], list[LifecycleEvent], tuple[U64, U64, U64] | None]:
        """Fold records that are no live usage. Returns claims, too, of a record that let events of a backfill claim.

        Such a record is folded in a step of its own.
        """
        step_hashes = {record.position: hash_ for record, hash_ in zip(step, hashes, strict=False)}

        def hash_at(position: int) -> bytes | None:
            return step_hashes.get(position) or self._store.running_hash_at(position)

        entries, folded, claims = [], [], None
        for record in records:
            if record.topic == STAGED_BATCH_TOPIC:
                staged = self._backfills.stage(self._state, record)
                entries.append(_Entry(read_header(record.state).recorded_at, staged.scope_key, staged.counts))
                continue
            event = decode_lifecycle(record.topic, record.state)
            folded.append(event)
            if isinstance(event, BackfillEvent):
                changed = self._backfills.apply(self._state, record.position, record.topic, event)
                entries.append(_Entry(event.recorded_at, changed.scope_key, changed.counts))
                claims = changed.claims if record.topic in CHANGES_OF_CLAIMS else claims
                continue
            scope_key = self._lifecycle.apply(self._state, record.position, record.topic, event, hash_at)
            entries.append(_Entry(event.recorded_at, scope_key, (0, 0, 0, 0, 0)))
        return entries, folded, claims

    # -- both

    def _finish(self, records: Sequence[LogRecord], hashes: Sequence[bytes], step_entries: Iterable[_Entry]) -> None:
        state, entries = self._state, list(step_entries)
        recorded = []
        for entry in entries:
            latest = entry.recorded_at if state.recorded_at is None else max(state.recorded_at, entry.recorded_at)
            state.recorded_at = latest
            recorded.append(naive(latest))
        counts = np.array([entry.counts for entry in entries], dtype=np.int32)
        columns = {
            "position": [record.position for record in records],
            "recorded_at": recorded,
            "running_hash": hashes,
            "topic": [record.topic for record in records],
            "scope_key": [entry.scope_key for entry in entries],
            "stream": [record.stream for record in records],
            "received": counts.sum(axis=1, dtype=np.int32),
        }
        columns |= {name: counts[:, number] for number, name in enumerate(OUTCOMES)}
        self._store.add_log_records(pa.table(columns, LOG_RECORDS))
        self._store.add_keys(state.take_new_keys())
        state.position, state.running_hash = records[-1].position, hashes[-1]
        self._store.advance(state.position, state.running_hash, state.recorded_at)


def _entries_in_order(
    records: Sequence[LogRecord], usage_entries: Sequence[_Entry], lifecycle_entries: Sequence[_Entry]
) -> Iterator[_Entry]:
    """The entries of all records of a step, in log order."""
    usage, others = iter(usage_entries), iter(lifecycle_entries)
    return (next(usage if record.topic == USAGE_BATCH_TOPIC else others) for record in records)


def _source_progress(block: FoldBlock) -> SourceProgress:
    """The progress of a Kafka partition, from a block that ends a poll of it."""
    extra = block.header.extra
    return SourceProgress(
        block.stream,
        str(extra["topic"]),
        int(extra["partition"]),
        int(extra["next_offset"]),
        block.position,
        block.header.recorded_at,
    )


def _counts(blocks: Sequence[FoldBlock], resolved: Resolution) -> list[tuple[int, int, int, int, int]]:
    """The numbers of counted, duplicate, conflicting and rejected events of every block."""
    ends = np.cumsum([block.typed.num_rows for block in blocks])
    counts = []
    for end, block in zip(ends.tolist(), blocks, strict=True):
        codes = resolved.codes[end - block.typed.num_rows : end]
        by_code = np.bincount(codes, minlength=len(OUTCOME_OF_CODE)).tolist()
        counts.append((by_code[0], by_code[1], by_code[2], by_code[3] + by_code[4], 0))
    return counts
