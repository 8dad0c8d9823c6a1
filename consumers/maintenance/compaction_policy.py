"""When what has gathered is worth a compaction: soon while the engine has time for it, later while it has none.

Compaction and fold want the same cores. What gathers meanwhile is counted all the same, only read more slowly, so that
compaction can wait; for how much, the settings say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from consumers.settings import Settings
from projections.duckdb.storage.compaction import MERGE_RATIO_IDLE, MERGE_RATIO_LOADED
from projections.duckdb.storage.generations import GenerationKind

#: A light load leaves the fold behind for the few milliseconds of each step: most ticks find it caught up at every
#: look, and the next tick makes up for another. Under a full load it catches up now and then, for as long as intake
#: needs for its next append: one look in four would take that for rest, five together hardly ever do.
LOOKS: Final = 5
LOOK_APART_SECONDS: Final = 0.1


class CompactionBounds(msgspec.Struct, frozen=True):
    """From how many open rows on a kind is compacted, and `Compaction.run`'s `merge_ratio`."""

    open_rows_min: int
    merge_ratio: int


def bounds_of(settings: Settings, kind: GenerationKind, behind: bool) -> CompactionBounds:
    """The bounds of a kind now; `behind`: the fold has records to fold."""
    least, most = {
        "days": (settings.compact_deltas_min, settings.compact_deltas_max),
        "rows": (settings.compact_rows_min, settings.compact_rows_max),
    }[kind]
    if behind:
        return CompactionBounds(most, MERGE_RATIO_LOADED)
    return CompactionBounds(least, MERGE_RATIO_IDLE)


def is_behind(folded_position: Callable[[], int], head_position: Callable[[], int], wait: Callable[[], object]) -> bool:
    """Whether any of a few looks, with a `wait` between, finds the fold behind the log."""
    for look in range(LOOKS):
        if look:
            wait()
        head = head_position()
        if folded_position() < head:
            return True
    return False
