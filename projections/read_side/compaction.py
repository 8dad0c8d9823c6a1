"""Compaction of a read store, as the engine asks for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Literal, Protocol

#: What is compacted by itself: usage rows, or the deltas of whole days.
GenerationKind = Literal["rows", "days"]
#: Pauses the fold for as long as the context lasts.
FoldPause = Callable[[], AbstractContextManager[object]]
#: Held while anything but the fold writes to the store, and while a checkpoint is made of it.
WriteTurn = Callable[[], AbstractContextManager[object]]


class Compaction(Protocol):
    """One round of compaction, in one thread, while the fold goes on. It changes no answer."""

    def sort(self, kind: GenerationKind, open_rows_min: int) -> bool:
        """Sort the open rows (or sum the open deltas) of a kind into a generation of their own.

        Does nothing with fewer than `open_rows_min` of them. Returns whether it did.
        """

    def merge(self, kind: GenerationKind, together_min: int | None = None) -> bool:
        """Merge compacted generations of similar size, if there are enough; return whether it did.

        `together_min`: how many are enough; by default as many as suits the kind.
        """

    def shrink_file(self, checkpoint: Callable[[], object]) -> None:
        """Rewrite what lies at the end of the store's file, so that checkpoints can truncate it.

        `checkpoint` is called after each part, and at the end; it must checkpoint the store.
        """

    def interrupt(self) -> None:
        """Make a running compaction stop and drop what it has written. Called from another thread, until it ends."""
