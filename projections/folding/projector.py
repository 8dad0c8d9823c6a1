"""The projector: reads the log in position order and folds it into the read store, one transaction a step.

A step takes what comes next in the log, as far as it can be folded together: usage batches, and lifecycle events that
change nothing about them (of customers, budgets, sources, honoured commands); or lifecycle events only:

1. Read the next records, within `step_records_max` and `step_events_max`.
2. Begin a transaction of the read store.
3. Usage: resolve identities against the index, write rows, days and outcomes.
   Then lifecycle: apply one event after the other.
4. Write the records themselves with the running hash, new surrogate keys, and the position reached. Commit.
5. Only now add the claims to the identity index, so that it is never ahead of the read store.
6. Tell whoever listens to lifecycle events, then whoever waits for this position.

A crash repeats a step as a whole or not at all. A step that fails is rolled back, its reason is kept in
`failure`, and the fold stands still at its position until the next attempt: it never skips a record. What fails after
the commit (5, 6) is done first at the next attempt: no record is folded by an index that lacks claims.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from domain.customers.personal_keys import PersonalKeys
from domain.event import LifecycleEvent
from domain.log.blocks import decode_free, decode_typed, read_header
from domain.log.chain import chain
from domain.log.event_codec import decode_lifecycle
from domain.log.records import USAGE_BATCH_TOPIC, EventLog, LogRecord
from domain.scope import Scope
from domain.usage.locators import locator_of
from domain.usage.outcomes import OUTCOMES
from domain.values.instants import naive
from projections.arrow_columns import column, unsigned
from projections.duckdb.storage.storage_errors import storage_refusal
from projections.duckdb.writing.fold_store import DuckDBFoldStore
from projections.folding.event_lookup import EventLookup
from projections.folding.fold_store import SourceMoved
from projections.folding.lifecycle_events import LifecycleFolder
from projections.folding.usage_blocks import FoldBlock, Laid, lay, outcome_rows, received_rows, usage_rows
from projections.identity.entries import NO_U64, U64
from projections.identity.index import IdentityIndex
from projections.identity.resolution import OUTCOME_OF_CODE, Resolution, resolve

STEP_RECORDS_MAX: Final = 256
STEP_EVENTS_MAX: Final = 40_000
#: Of small records so many are read for one step.
STEP_SMALL_RECORDS_MAX: Final = 4_096
#: Topics of lifecycle events that fold alike before or after usage: who a customer is says nothing of what it used.
_BESIDE_USAGE: Final = ("customer.", "budget.", "source.", "command.")

Listener = Callable[[Sequence[LifecycleEvent]], None]


class _Entry(msgspec.Struct, frozen=True):
    """What `log_records` keeps of one record."""

    recorded_at: datetime
    scope_key: int | None
    counts: tuple[int, int, int, int]


class _Committed(msgspec.Struct, frozen=True):
    """What a committed step still owes: its claims to the index, its lifecycle events to the listener."""

    position: int
    running_hash: bytes
    claims: tuple[U64, U64, U64]
    lifecycle: list[LifecycleEvent]


class Projector:
    """Folds one log into one read store and one identity index. One thread calls `step`; any may wait."""

    def __init__(
        self,
        log: EventLog,
        store: DuckDBFoldStore,
        index: IdentityIndex,
        keys: PersonalKeys,
        on_lifecycle: Listener | None = None,
    ) -> None:
        self._log = log
        self._store = store
        self._index = index
        self._located = EventLookup(log)
        self._lifecycle = LifecycleFolder(store, index, self._located, keys)
        self.on_lifecycle = on_lifecycle
        self.step_events_max = STEP_EVENTS_MAX
        self._ahead: list[LogRecord] = []  # read, for a step that could not hold them all
        self._state = store.load_state()
        self._folded = threading.Condition()
        self._position = self._state.position
        self._owing: _Committed | None = None
        self._is_astray = False  # the state in memory may be ahead of the stored one
        self.failure: str | None = None

    @property
    def position(self) -> int:
        """The last folded position."""
        return self._position

    @property
    def running_hash(self) -> bytes:
        """The running hash at `position`."""
        return self._state.running_hash

    def wait_for(self, position: int, timeout_seconds: float) -> bool:
        """Wait until `position` is folded; False when that took longer."""
        with self._folded:
            return self._folded.wait_for(lambda: self._position >= position, timeout_seconds)

    def step(self, until: int | None = None) -> int:
        """Fold the next records (none beyond `until`); answer how many. Raises what went wrong, after undoing it."""
        try:
            self._pay()
            if self._is_astray:
                self._return_to_stored()
            records = self._next_records(until)
            if records:
                records = self._fold(records)
                self._pay()
        except BaseException as error:
            self.failure = _told(error)
            raise
        self.failure = None
        return len(records)

    def _next_records(self, until: int | None) -> list[LogRecord]:
        """What the next step folds: of what was read before and not folded, or else of what is read now.

        Commands make many small records: then more are read than of usage.
        """
        position = self._state.position
        ahead = [record for record in self._ahead if record.position > position]
        if not ahead or ahead[0].position != position + 1:
            ahead = self._log.read(position, STEP_RECORDS_MAX, until)
            if self._are_small(ahead):
                ahead += self._log.read(ahead[-1].position, STEP_SMALL_RECORDS_MAX - len(ahead), until)
        self._ahead = ahead
        return _together([record for record in ahead if until is None or record.position <= until])

    def _are_small(self, records: Sequence[LogRecord]) -> bool:
        """Whether one step has room for more records like these."""
        return (
            len(records) == STEP_RECORDS_MAX
            and any(record.topic != USAGE_BATCH_TOPIC for record in records)
            and _within(records, self.step_events_max) == len(_together(records)) == len(records)
        )

    def _fold(self, records: list[LogRecord]) -> list[LogRecord]:
        """Fold these in one transaction, or the leading ones of them that it may hold; answer which."""
        try:
            self._store.begin()
            hashes = list(chain(self._state.running_hash, records))
            records = records[: _within(records, self.step_events_max)]
            usage = [record for record in records if record.topic == USAGE_BATCH_TOPIC]
            others = [record for record in records if record.topic != USAGE_BATCH_TOPIC]
            of_usage, claims = self._fold_usage(usage) if usage else ([], (NO_U64, NO_U64, NO_U64))
            of_others, lifecycle = self._fold_lifecycle(others, records, hashes)
            self._finish(records, hashes[: len(records)], _in_order(records, of_usage, of_others))
            self._store.commit()
        except BaseException:
            self._is_astray = True
            self._return_to_stored()
            raise
        self._owing = _Committed(records[-1].position, self._state.running_hash, claims, lifecycle)
        return records

    def _pay(self) -> None:
        """Do what a committed step owes, then tell whoever waits for its position. Each part is done once."""
        owed = self._owing
        if owed is None:
            return
        if self._index.covered_position < owed.position:
            self._index.add(*owed.claims, up_to_position=owed.position, running_hash=owed.running_hash)
        # Before anyone who waits for the position goes on: a key that was answered as issued has to open.
        if owed.lifecycle and self.on_lifecycle is not None:
            self.on_lifecycle(owed.lifecycle)
        self._owing = None
        with self._folded:
            self._position = owed.position
            self._folded.notify_all()

    def _return_to_stored(self) -> None:
        """Undo what is not committed, here and in the store. Until that succeeds nothing is read or folded."""
        self._store.rollback()
        state = self._store.load_state()
        state.hash_seed = self._state.hash_seed
        self._state = state
        self._is_astray = False

    def restore_seed(self, hash_seed: int) -> None:
        """The key of identity hashes, which only the log's first record holds."""
        self._state.hash_seed = hash_seed

    # -- usage

    def _fold_usage(self, records: Sequence[LogRecord]) -> tuple[list[_Entry], tuple[U64, U64, U64]]:
        blocks = [self._block(record) for record in records]
        laid = lay(blocks)
        rows = received_rows(laid)
        resolved = resolve(rows, self._index.lookup(rows.identities), *self._comparisons(laid))
        counted = resolved.counted
        for block in blocks:
            if "next_offset" in block.header.extra:
                self._store.move_source(_moved_by(block))
        if counted.any():
            self._store.add_rows(usage_rows(laid, counted, self._state))
        if not counted.all():
            self._store.add_outcomes(outcome_rows(laid, resolved))
        entries = [
            _Entry(block.header.recorded_at, block.scope_key, counts)
            for block, counts in zip(blocks, _counts(blocks, resolved), strict=True)
        ]
        return entries, (rows.identities[counted], rows.contents[counted], rows.locators[counted])

    def _block(self, record: LogRecord) -> FoldBlock:
        header = read_header(record.state)
        return FoldBlock(
            position=record.position,
            stream=record.stream,
            scope_key=self._state.scope_key(Scope(header.tenant, header.environment)),
            header=header,
            typed=decode_typed(record.state),
            free=decode_free(record.state),
        )

    def _comparisons(self, laid: Laid) -> tuple[Callable[[int, int], bool], Callable[[int, int], bool]]:
        scopes = {key: scope for scope, key in self._state.scope_keys.items()}
        sources, ids = column(laid.typed, "source"), column(laid.typed, "id")

        def identity(row: int) -> tuple[int, str, str]:
            return int(laid.scope_keys[row]), sources[row].as_py(), ids[row].as_py()

        def same_as_stored(row: int, locator: int) -> bool:
            scope_key, source, event_id = identity(row)
            stored = self._located.at(locator)
            return (stored.scope, stored.source, stored.id) == (scopes[scope_key], source, event_id)

        return same_as_stored, lambda row, other: identity(row) == identity(other)

    # -- lifecycle

    def _fold_lifecycle(
        self, records: Sequence[LogRecord], step: Sequence[LogRecord], hashes: Sequence[bytes]
    ) -> tuple[list[_Entry], list[LifecycleEvent]]:
        step_hashes = {record.position: hash_ for record, hash_ in zip(step, hashes, strict=False)}

        def hash_at(position: int) -> bytes | None:
            return step_hashes.get(position) or self._store.running_hash_at(position)

        entries, folded = [], []
        for record in records:
            event = decode_lifecycle(record.topic, record.state)
            scope_key = self._lifecycle.apply(self._state, record.position, record.topic, event, hash_at)
            entries.append(_Entry(event.recorded_at, scope_key, (0, 0, 0, 0)))
            folded.append(event)
        return entries, folded

    # -- both

    def _finish(self, records: Sequence[LogRecord], hashes: Sequence[bytes], told: Iterable[_Entry]) -> None:
        state, entries = self._state, list(told)
        recorded = []
        for entry in entries:
            latest = entry.recorded_at if state.recorded_at is None else max(state.recorded_at, entry.recorded_at)
            state.recorded_at = latest
            recorded.append(naive(latest))
        counts = np.array([entry.counts for entry in entries], dtype=np.int32)
        columns = {
            "position": [record.position for record in records],
            "recorded_at": pa.array(recorded, pa.timestamp("us")),
            "running_hash": pa.array(hashes, pa.binary()),
            "topic": [record.topic for record in records],
            "scope_key": pa.array([entry.scope_key for entry in entries], pa.int32()),
            "stream": [record.stream for record in records],
            "received": counts.sum(axis=1, dtype=np.int32),
        }
        columns |= {name: counts[:, number] for number, name in enumerate(OUTCOMES)}
        self._store.add_log_records(pa.table(columns))
        self._store.add_keys(state.take_new_keys())
        state.position, state.running_hash = records[-1].position, hashes[-1]
        self._store.advance(state.position, state.running_hash, state.recorded_at)


def _together(records: Sequence[LogRecord]) -> list[LogRecord]:
    """The leading records that can be folded in one step: no usage with lifecycle events that it depends on."""
    usage, lifecycle = False, False
    for number, record in enumerate(records):
        if record.topic == USAGE_BATCH_TOPIC:
            usage = True
        elif not record.topic.startswith(_BESIDE_USAGE):
            lifecycle = True
        if usage and lifecycle:
            return list(records[:number])
    return list(records)


def _in_order(
    records: Sequence[LogRecord], of_usage: Sequence[_Entry], of_others: Sequence[_Entry]
) -> Iterator[_Entry]:
    """The entry of each record of a step."""
    usage, others = iter(of_usage), iter(of_others)
    return (next(usage if record.topic == USAGE_BATCH_TOPIC else others) for record in records)


def _moved_by(block: FoldBlock) -> SourceMoved:
    """Where its source goes on, from a block that is the last of a poll."""
    extra = block.header.extra
    return SourceMoved(
        block.stream,
        str(extra["topic"]),
        int(extra["partition"]),
        int(extra["next_offset"]),
        block.position,
        block.header.recorded_at,
    )


def _within(records: Sequence[LogRecord], events_max: int) -> int:
    """How many leading records hold at most `events_max` events of usage; at least one."""
    events = 0
    for number, record in enumerate(records):
        if record.topic == USAGE_BATCH_TOPIC:
            events += read_header(record.state).count
        if events > events_max and number:
            return number
    return len(records)


def _counts(blocks: Sequence[FoldBlock], resolved: Resolution) -> list[tuple[int, int, int, int]]:
    """Counted, duplicate, conflict and rejected of every block."""
    ends = np.cumsum([block.typed.num_rows for block in blocks])
    counts = []
    for end, block in zip(ends.tolist(), blocks, strict=True):
        codes = resolved.codes[end - block.typed.num_rows : end]
        by_code = np.bincount(codes, minlength=len(OUTCOME_OF_CODE)).tolist()
        counts.append((by_code[0], by_code[1], by_code[2], by_code[3] + by_code[4]))
    return counts


def _told(error: BaseException) -> str:
    """Why the fold stands still; where the storage is to blame, first of all what to do."""
    advice = storage_refusal(error)
    what = f"{type(error).__name__}: {error}"
    return what if advice is None else f"the read store cannot be written, {advice}; the fold then goes on ({what})"


def recorded_at_of(record: LogRecord) -> datetime:
    """When a record was written, by its own word."""
    if record.topic == USAGE_BATCH_TOPIC:
        return read_header(record.state).recorded_at
    return decode_lifecycle(record.topic, record.state).recorded_at


def claims_of(record: LogRecord, refused: Sequence[int]) -> tuple[U64, U64, U64]:
    """The claims of an already folded batch, for an index that does not have them: all but the `refused` locators."""
    typed = pa.Table.from_batches([decode_typed(record.state)])
    locators = np.uint64(locator_of(record.position, 0)) + np.arange(typed.num_rows, dtype=np.uint64)
    stands = ~np.isin(locators, np.array(refused, dtype=np.uint64))
    return unsigned(typed, "identity")[stands], unsigned(typed, "content")[stands], locators[stands]
