"""Read side of a data folder: read store, identity index and projector, which are opened and replaced together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Final

import msgspec

from domain.customers.personal_keys import PersonalKeys
from domain.log.records import EventLog
from projections.errors import ReadStoreOutdated, ReadStoreUnavailable
from projections.folding.numbers_first.kept_rows import read_ahead
from projections.folding.numbers_first.numbers import NumbersFirst
from projections.folding.projector import STEP_EVENTS_MAX, Listener, Projector
from projections.folding.recovery import catch_up_index, check_store_against_log, log_creation
from projections.identity.index import IdentityIndex
from projections.read_side.compaction import FoldPause, WriteTurn
from projections.read_side.missing_rows import MissingRows
from projections.read_side.store import OpenedStore, Refolding, StoreOpener

#: Larger than when serving: nobody waits for a single step, and an event costs a fifth less.
REFOLDING_STEP_EVENTS_MAX: Final = 120_000
#: Missing rows that are written at once, as one generation: about four row groups of DuckDB. With more of them reads
#: would have fewer generations to look into, and the two copies that sorting needs would take more than 400 MB.
FILLED_ROWS_MAX: Final = 4 * 122_880


class ReadSide(msgspec.Struct, frozen=True):
    """Everything that is derived from the log, in one folder."""

    folder: Path
    store: OpenedStore
    index: IdentityIndex
    projector: Projector

    def catch_up(self, until: int) -> Iterator[int]:
        """Fold up to position `until`, in large steps; yield the position after each. Nobody else may fold meanwhile.

        For what a crash has undone, before anybody reads: see `projections.read_side.store`.
        """
        self.projector.step_events_max = REFOLDING_STEP_EVENTS_MAX
        try:
            while self.projector.position < until and self.projector.step(until):
                yield self.projector.position
        finally:
            self.projector.step_events_max = STEP_EVENTS_MAX

    def finish_refolding(self) -> None:
        """End refolding once the log is folded: from here on steps are small, and readers see each."""
        self.store.finish_refolding()
        self.projector.numbers_first = None
        self.projector.step_events_max = STEP_EVENTS_MAX

    def write_missing_rows(
        self,
        paused: FoldPause = nullcontext,
        write_turn: WriteTurn = nullcontext,
        rows_max: int = FILLED_ROWS_MAX,
    ) -> Iterator[MissingRows]:
        """Write the rows of usage that are missing, in parts of about `rows_max`; yield what is missing after each.

        Others may fold meanwhile, if `paused` pauses them. What is written is durable after the next checkpoint.
        """
        while (missing := self.store.missing_rows()) is not None:
            with self.store.row_filling(paused, write_turn) as filling:
                made = self.projector.rows_of_log(filling.pricing_records())
                position, rows = made.chunk(missing.written_to, missing.until, rows_max, filling.settled_locators)
                filling.write(rows, position)
            if position >= missing.until:
                self.projector.rows_missing_until = None
            yield MissingRows(missing.until, position)

    def received_events(self) -> int:
        """Return the number of events received, whatever their outcome."""
        with self.store.reads.snapshot() as snapshot:
            return snapshot.totals().received

    def checkpoint(self) -> None:
        """Write everything out. Nobody may fold or read meanwhile."""
        if not self.index.checkpoint(self.store.checkpoint):
            raise ReadStoreUnavailable("the read store could not be written out, because it is read or written")

    def retire(self) -> None:
        """Stop writing. Readers keep their snapshots, and the database closes with the last of them."""
        self.index.close()
        self.store.retire()

    def discard(self) -> None:
        """Close the files as they are, even while they are read."""
        self.index.close()
        self.store.close()


class ReadSideOpener:
    """Opens the read sides of one log, all with the same kind of store."""

    def __init__(
        self,
        log: EventLog,
        keys: PersonalKeys,
        stores: StoreOpener,
        index_filter_bytes_max: int,
        index_memory_entries_max: int,
    ) -> None:
        self._log = log
        self._keys = keys
        self._stores = stores
        self._index_filter_bytes_max = index_filter_bytes_max
        self._index_memory_entries_max = index_memory_entries_max

    def open(
        self, folder: Path, on_lifecycle: Listener | None = None, *, refolding: Refolding | None = None
    ) -> ReadSide:
        """Open the read side in `folder`; create it when the folder is empty.

        1. Open the store, create it if needed, and check its schema.
        2. Check that the store is a fold of this very log.
        3. Open the identity index and let it catch up with the store.
        4. Build the projector, which continues at the store's position.

        `refolding`: the log is folded from its first record, and nothing reads the store until `finish_refolding`.
        After an error or a crash before that, the folder is useless, unless the numbers come first: opened like that
        again, it goes on from its last checkpoint. With the numbers first, no record after the position up to which
        rows are missing may be folded before `finish_refolding`.

        Raises `ReadStoreCorrupted` or `ReadStoreMismatch` when the store is not a fold of this log, and
        `IdentityIndexCorrupted` when the index is not; a rebuild repairs either. Raises `ReadStoreUnavailable` when the
        storage fails.
        """
        creation = log_creation(self._log)
        store = self._stores.open(
            folder, creation.log_id, lambda fold: check_store_against_log(self._log, fold), refolding
        )
        try:
            index = IdentityIndex.open(
                folder / "identity",
                creation.log_id,
                filter_bytes_max=self._index_filter_bytes_max,
                memory_entries_max=self._index_memory_entries_max,
            )
            store.drop_leftovers()
            catch_up_index(index, folder / "identity", self._log, store.fold)
            projector = Projector(self._log, store.fold, index, self._keys, on_lifecycle)
            projector.restore_seed(creation.hash_seed)
            self._prepare_refolding(store, projector, creation.hash_seed, refolding)
        except BaseException:
            store.close()
            raise
        return ReadSide(folder, store, index, projector)

    def _prepare_refolding(
        self, store: OpenedStore, projector: Projector, hash_seed: int, refolding: Refolding | None
    ) -> None:
        if refolding is not None:
            projector.step_events_max = REFOLDING_STEP_EVENTS_MAX
        if refolding == "numbers first" and projector.position == 0 and store.missing_rows() is None:
            store.begin_numbers(self._log.head_position())
        missing = store.missing_rows()
        if missing is None:
            return
        projector.rows_missing_until = missing.until
        if projector.position < missing.until:
            if refolding is None:
                raise ReadStoreOutdated("the read store was not finished by the rebuild that made it")
            projector.numbers_first = NumbersFirst(store.numbers, read_ahead(self._log, hash_seed))
