"""Read side of a data folder: read store, identity index and projector, which are opened and swapped together."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from consumers.settings import Settings
from domain.customers.personal_keys import PersonalKeys
from domain.log.chain import CHAIN_START
from domain.log.records import EventLog
from projections.duckdb.reading.snapshot import DuckDBReads
from projections.duckdb.storage.database import (
    DuckDBDatabase,
    DuckDBOptions,
    check_schema,
    create_tables,
    is_empty,
    translated_errors,
)
from projections.duckdb.writing.fold_store import DuckDBFoldStore
from projections.duckdb.writing.rebuild_store import RebuildStore
from projections.folding.projector import STEP_EVENTS_MAX, Listener, Projector
from projections.folding.recovery import catch_up_index, check_store_against_log, log_creation
from projections.identity.index import IdentityIndex

#: Larger than when serving: nobody waits for a single step, and an event costs a fifth less.
REFOLDING_STEP_EVENTS_MAX: Final = 120_000


class ReadSide(msgspec.Struct, frozen=True):
    """Everything that is derived from the log, in one folder."""

    folder: Path
    database: DuckDBDatabase
    store: DuckDBFoldStore
    index: IdentityIndex
    projector: Projector
    reads: DuckDBReads

    def finish_refolding(self) -> None:
        """End `refolding` once the log is folded: from here on every step is durable."""
        if isinstance(self.store, RebuildStore):
            self.store.finish()
            self.database.compress_from_now_on()
            self.projector.step_events_max = STEP_EVENTS_MAX

    def close(self) -> None:
        """Write everything out and close the files."""
        self.index.checkpoint()
        self.database.checkpoint()
        self.discard()

    def retire(self) -> None:
        """Stop writing. Readers keep their snapshots, and the database closes with the last of them.

        Closing the database here would close their connections too.
        """
        self.index.close()
        self.store.close()

    def discard(self) -> None:
        """Close the files as they are, even while they are read."""
        self.index.close()
        self.store.close()
        self.database.close()


def open_read_side(
    folder: Path,
    log: EventLog,
    keys: PersonalKeys,
    settings: Settings,
    on_lifecycle: Listener | None = None,
    refolding: bool = False,
) -> ReadSide:
    """Open the read side in `folder`; create it when the folder is empty.

    1. Open the database, create its tables if needed, and check their schema.
    2. Check that the store is a fold of this very log.
    3. Open the identity index and let it catch up with the store.
    4. Build the projector, which continues at the store's position.

    `refolding`: the log is folded from its first record, and nothing reads the store until `finish_refolding`. After an
    error or a crash before that, the folder is useless.

    Raises `ReadStoreCorrupted` or `ReadStoreMismatch` when the store is not a fold of this log, and
    `IdentityIndexCorrupted` when the index is not; a rebuild repairs either. Raises `ReadStoreUnavailable` when the
    storage fails.
    """
    creation = log_creation(log)
    options = DuckDBOptions(f"{settings.duckdb_memory_bytes_max}B", settings.duckdb_threads, compressed=not refolding)
    database = DuckDBDatabase.open(folder / "store.duckdb", options)
    try:
        with translated_errors(folder / "store.duckdb"):
            cursor = database.cursor()
            if is_empty(cursor):
                create_tables(cursor, creation.log_id, CHAIN_START)
            check_schema(cursor, creation.log_id)
            store = RebuildStore(cursor) if refolding else DuckDBFoldStore(cursor)
            check_store_against_log(log, store)
        index = IdentityIndex.open(
            folder / "identity",
            creation.log_id,
            filter_bytes_max=settings.identity_filter_bytes_max,
            memory_entries_max=settings.identity_pending_entries_max,
        )
        store.drop_leftovers()
        catch_up_index(index, folder / "identity", log, store)
        projector = Projector(log, store, index, keys, on_lifecycle)
        if refolding:
            projector.step_events_max = REFOLDING_STEP_EVENTS_MAX
        projector.restore_seed(creation.hash_seed)
    except BaseException:
        database.close()
        raise
    return ReadSide(folder, database, store, index, projector, DuckDBReads(database.cursor, store.changes))
