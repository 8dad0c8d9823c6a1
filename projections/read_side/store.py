"""A read store that is open, and how one is opened: all that the engine knows of the kind of its read store.

The event log is the truth, so a store need not make every step of the fold durable. `unflushed` tells what it holds in
memory alone, and `checkpoint` makes that durable; after a crash it is folded again. A store that commits every step
durably has nothing unflushed, ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol

import msgspec
import pyarrow as pa

from domain.scope import Scope
from projections.folding.backfill_store import PreparedTables, Reinstated, ReplacedRange, Withdrawal, WithdrawnRows
from projections.folding.fold_store import FoldStore
from projections.folding.numbers_first.numbers import NumbersStore
from projections.queries.snapshot import ReadStore
from projections.read_side.compaction import Compaction, FoldPause, WriteTurn
from projections.read_side.missing_rows import MissingRows, RowFilling
from projections.read_side.verification import HeldStore, StoreComparison

#: How the whole log is folded into a new store: everything at once, or the numbers first and the rows afterwards.
Refolding = Literal["whole", "numbers first"]


class StoreDatabase(Protocol):
    """The database under a read store."""

    def is_usable(self) -> bool:
        """Return false once a storage error has invalidated the database; it must be opened again then."""

    def file_bytes(self) -> int:
        """Return the size of the file."""

    def free_share(self) -> float:
        """Return the share of the file that is free for reuse: 0 to 1."""


class Unflushed(msgspec.Struct, frozen=True):
    """What a store holds in memory alone: events and other records, and about how many bytes of them.

    `is_costly`: also a change that was prepared, which a start after a crash would have to work out.
    """

    records: int
    bytes: int
    is_costly: bool = False


class Preparation(Protocol):
    """Writes what a commit or revert of a backfill changes into tables that nobody reads until the fold attaches them.

    In one thread, while the fold goes on. `by` tells who withdraws events, and not when.
    """

    def arriving(self, rows: pa.Table, outcomes: Sequence[pa.Table]) -> PreparedTables:
        """Write `USAGE_ROWS` of events that are to count, none of them closed, and `OUTCOME_ROWS` of others."""

    def leaving_blocks(self, positions: Sequence[int], by: Withdrawal) -> tuple[WithdrawnRows, PreparedTables]:
        """Write what the withdrawal of the events of these blocks changes."""

    def leaving_range(self, asked: ReplacedRange, by: Withdrawal) -> tuple[WithdrawnRows, PreparedTables] | None:
        """Write what the withdrawal of the events of a range changes; None where some of them are void.

        A void holds for what replaces its event, which is not prepared.
        """

    def returning(self, replaced_at: int) -> tuple[Reinstated, PreparedTables]:
        """Write what changes when the events count again that were withdrawn at a position."""

    def drop(self, *prepared: PreparedTables) -> None:
        """Drop tables, except those that the fold has attached. It attaches none of them any more."""


class OpenedStore(Protocol):
    """A read store that is open. One thread at a time uses `fold`; everything else may be used by any thread."""

    @property
    def fold(self) -> FoldStore:
        """What the projector writes to."""

    @property
    def reads(self) -> ReadStore:
        """What readers open snapshots of."""

    @property
    def database(self) -> StoreDatabase:
        """The database under it."""

    def unflushed(self) -> Unflushed:
        """Return what was folded since the last checkpoint; nothing, in a store in which every step is durable."""

    def busy_subscribers(self, customers_max: int) -> list[tuple[Scope, str]]:
        """Return customers with a subscription whose usage changed much since they were last returned, at most so many.

        Those with much usage are among the first, after the store was opened. None where reads keep nothing.
        """

    def checkpoint(self) -> bool:
        """Make everything durable that is folded; return false when another write, or an older read, prevented it.

        Nothing may be folded meanwhile.
        """

    def drop_leftovers(self) -> None:
        """Remove what an interrupted compaction has left."""

    def finish_refolding(self) -> None:
        """Make a store that was opened for refolding one like any other, once the log is folded; else do nothing."""

    def compaction(self, paused: FoldPause, write_turn: WriteTurn) -> AbstractContextManager[Compaction]:
        """Prepare a compaction; it is over at the end of the context.

        Its merges take a `write_turn` whenever they write. Whoever sorts or calls `checkpoint` must hold it.
        """

    def missing_rows(self) -> MissingRows | None:
        """Return which rows of usage are missing, because the numbers came first; None when none are.

        While some are, every question that is answered from rows raises `RowsBeingWritten`.
        """

    def begin_numbers(self, until: int) -> None:
        """Note, in an empty store opened with "numbers first", that the rows up to position `until` are missing."""

    @property
    def numbers(self) -> NumbersStore:
        """What the numbers are written to first; only of a store opened with "numbers first"."""

    def row_filling(self, paused: FoldPause, write_turn: WriteTurn) -> AbstractContextManager[RowFilling]:
        """Prepare the writing of missing rows; see `compaction` for the two arguments."""

    def preparation(self, write_turn: WriteTurn) -> AbstractContextManager[Preparation]:
        """Begin to prepare a change of a backfill; see `compaction` for the argument."""

    def held(self) -> AbstractContextManager[HeldStore]:
        """Hold the store at its present position for as long as the context lasts."""

    def compared(self, folder: Path) -> AbstractContextManager[StoreComparison]:
        """Hold the store, with an empty second one in `folder` beside it. The caller removes the folder."""

    def retire(self) -> None:
        """End folding. Readers keep their snapshots, and the files close with the last reference to this store.

        Closing them here would end those snapshots.
        """

    def close(self) -> None:
        """Close the files, even while they are read. What is not durable by then is folded again after `open`."""


class StoreOpener(Protocol):
    """Opens read stores of one kind."""

    @property
    def formats(self) -> Mapping[str, int]:
        """The versions of the formats that such a store is written in, by the name of the format."""

    def open(
        self, folder: Path, log_id: str, check: Callable[[FoldStore], None], refolding: Refolding | None = None
    ) -> OpenedStore:
        """Open the store in `folder`; create it when there is none.

        `check` is called before anything in an existing store is changed; when it raises, the store is closed again.
        `refolding`: nobody reads the store before `finish_refolding`, and it is empty. After a crash before that it is
        thrown away, or, with "numbers first", opened like that again: it then has what was checkpointed.

        Raises `ReadStoreMismatch` when the store was folded from another log or written by a newer release,
        `ReadStoreOutdated` when an older one wrote it, `ReadStoreCorrupted` when it cannot be read, and
        `ReadStoreUnavailable` when the storage fails.
        """
