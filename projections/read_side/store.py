"""A read store that is open, and how one is opened: all that the engine knows of the kind of its read store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from projections.folding.fold_store import FoldStore
from projections.queries.snapshot import ReadStore
from projections.read_side.compaction import Compaction, FoldPause
from projections.read_side.verification import HeldStore, StoreComparison


class StoreDatabase(Protocol):
    """The database under a read store: its file, and a write-ahead log of what was written since a checkpoint."""

    def is_usable(self) -> bool:
        """Return false once a storage error has invalidated the database; it must be opened again then."""

    def checkpoint(self) -> bool:
        """Write the write-ahead log into the file; return false when an open transaction prevented it.

        Nothing may be folded meanwhile.
        """

    def write_ahead_bytes(self) -> int:
        """Return the size of the write-ahead log."""

    def file_bytes(self) -> int:
        """Return the size of the file, without its write-ahead log."""

    def free_share(self) -> float:
        """Return the share of the file that is free for reuse: 0 to 1."""


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

    def drop_leftovers(self) -> None:
        """Remove what an interrupted compaction has left."""

    def finish_refolding(self) -> None:
        """Make everything durable that was folded into a store opened for refolding, and from now on every step.

        Does nothing in any other store.
        """

    def compaction(self, paused: FoldPause, before_chunk: Callable[[], bool]) -> AbstractContextManager[Compaction]:
        """Prepare a compaction; it is over at the end of the context.

        `before_chunk` is called now and then while the fold runs; it returns whether the compaction must hurry.
        """

    def held(self) -> AbstractContextManager[HeldStore]:
        """Hold the store at its present position for as long as the context lasts."""

    def compared(self, folder: Path) -> AbstractContextManager[StoreComparison]:
        """Hold the store, with an empty second one in `folder` beside it. The caller removes the folder."""

    def retire(self) -> None:
        """End folding. Readers keep their snapshots, and the files close with the last reference to this store.

        Closing them here would end those snapshots.
        """

    def close(self) -> None:
        """Close the files as they are, even while they are read. What `fold` has committed is kept."""


class StoreOpener(Protocol):
    """Opens read stores of one kind."""

    @property
    def formats(self) -> Mapping[str, int]:
        """The versions of the formats that such a store is written in, by the name of the format."""

    def open(
        self, folder: Path, log_id: str, check: Callable[[FoldStore], None], refolding: bool = False
    ) -> OpenedStore:
        """Open the store in `folder`; create it when there is none.

        `check` is called before anything in an existing store is changed; when it raises, the store is closed again.
        `refolding`: the store is empty, and nobody reads it before `finish_refolding`; until then it need not be
        durable. Raises `ReadStoreMismatch` when the store was folded from another log or written by a newer release,
        `ReadStoreOutdated` when an older one wrote it, `ReadStoreCorrupted` when it cannot be read, and
        `ReadStoreUnavailable` when the storage fails.
        """
