"""Facts about ids, decoded once: what stands at a log position never changes."""

from __future__ import annotations

import threading
from typing import Final

import msgspec

from projections.queries.facts import Fact, Subject

#: Characters of the fields of facts that are kept, of all together; when there are more, all are dropped.
TEXT_KEPT_MAX: Final = 32 * 1024 * 1024


class NamedFact(msgspec.Struct, frozen=True):
    """A fact, and what it is about."""

    scope_key: int
    id: str
    fact: Fact


class NamedFacts:
    """The facts that are kept, by position and subject; None: none there about such a subject. Any thread may use it.

    A reader leaves out positions after its own.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[int, Subject], NamedFact | None] = {}
        self._text = 0
        self._lock = threading.Lock()

    def known(self, subject: Subject, positions: list[int]) -> dict[int, NamedFact | None]:
        """Return what is kept, by position."""
        kept = self._kept
        return {position: kept[position, subject] for position in positions if (position, subject) in kept}

    def keep(self, subject: Subject, position: int, found: NamedFact | None, text_length: int) -> None:
        """Keep what was read at a position; `text_length` is that of its fields."""
        with self._lock:
            self._text += text_length
            if self._text > TEXT_KEPT_MAX:
                self._kept = {}
                self._text = text_length
            self._kept[position, subject] = found
