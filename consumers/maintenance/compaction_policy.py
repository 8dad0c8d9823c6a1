"""Compaction policy: how many open rows are compacted, fewer while the engine is idle and more under load.

Compaction and folding compete for the same cores. Open rows are counted all the same and only slow down reads, so
compaction can wait, up to the bounds in the settings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from consumers.settings import Settings
from projections.read_side.compaction import MERGE_RATIO_IDLE, MERGE_RATIO_LOADED, GenerationKind

#: Under light load the fold is behind for the few milliseconds of a step: mostly, all samples find it caught up.
#: Under full load it catches up now and then, until intake's next append: one sample in four finds it so, but hardly
#: ever five in a row.
LAG_SAMPLES: Final = 5
LAG_SAMPLE_INTERVAL_SECONDS: Final = 0.1


class CompactionBounds(msgspec.Struct, frozen=True):
    """The number of open rows from which a kind is compacted, and the `merge_ratio` of `Compaction.run`."""

    open_rows_min: int
    merge_ratio: int


def bounds_of(settings: Settings, kind: GenerationKind, behind: bool) -> CompactionBounds:
    """Return the bounds of a kind of generation; `behind`: the fold is behind the log."""
    minimum, maximum = {
        "days": (settings.compact_deltas_min, settings.compact_deltas_max),
        "rows": (settings.compact_rows_min, settings.compact_rows_max),
    }[kind]
    if behind:
        return CompactionBounds(maximum, MERGE_RATIO_LOADED)
    return CompactionBounds(minimum, MERGE_RATIO_IDLE)


def is_behind(folded_position: Callable[[], int], head_position: Callable[[], int], wait: Callable[[], object]) -> bool:
    """Return whether any of `LAG_SAMPLES` samples, with a `wait` in between, finds the fold behind the log."""
    for sample in range(LAG_SAMPLES):
        if sample:
            wait()
        head = head_position()
        if folded_position() < head:
            return True
    return False
