"""Compaction of a read store, as the engine asks for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Literal, Protocol

#: What is compacted by itself: usage rows, or the deltas of whole days.
GenerationKind = Literal["rows", "days"]
#: Pauses the fold for as long as the context lasts.
FoldPause = Callable[[], AbstractContextManager[object]]

#: A compacted generation joins a merge if it has at most this many times the rows of everything smaller in the merge.
#: A higher ratio leaves fewer generations to read; a lower one rewrites each row less often.
MERGE_RATIO_IDLE: Final = 3
MERGE_RATIO_LOADED: Final = 1


class Compaction(Protocol):
    """One round of compaction, in one thread, while the fold goes on. It changes no answer."""

    def open_rows(self, kind: GenerationKind) -> int:
        """Return the number of rows (or deltas) of a kind since its last compaction; 0 when interrupted."""

    def run(self, kind: GenerationKind, open_rows_min: int, merge_ratio: int = MERGE_RATIO_IDLE) -> bool:
        """Compact a kind if it has at least `open_rows_min` open rows; return whether it did.

        `merge_ratio` bounds the size of compacted generations that join the merge, see `MERGE_RATIO_IDLE`.
        """

    def shrink_file(self, checkpoint: Callable[[], object]) -> None:
        """Rewrite what lies at the end of the store's file, so that checkpoints can truncate it.

        `checkpoint` is called after each part, and at the end; it must checkpoint the store.
        """

    def interrupt(self) -> None:
        """Make a running compaction stop and drop what it has written. Called from another thread, until it ends."""
