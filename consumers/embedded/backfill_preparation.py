"""Preparation of commits and reverts of backfills with many events, so that their fold holds nobody up.

1. Pause the fold for a moment: from here on, it notes what it folds.
2. Work out, beside the fold, what the record will change, and write it into tables of their own.
3. Pause the fold for a moment: hand it the change, unless something that it folded since 1 has made it another. Then
   begin again, a few times.

Whoever calls this writes the record then. Nothing depends on it but how long the fold takes: a change that could not be
worked out, that is not handed over, or that does not hold any more when its record comes, is left to the fold.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import structlog

from consumers.embedded.live_read_side import LiveReadSide
from domain.scope import Scope
from projections.folding.backfills.prepared import PreparedChange
from projections.read_side.loaded_events import LoadedEvents
from projections.read_side.prepared_changes import AskedCommit, ChangePreparation
from projections.read_side.store import Preparation
from projections.storage_errors import failure_text

#: The fold works out smaller changes itself, in less than a tenth of a second.
PREPARED_EVENTS_MIN: Final = 20_000
ATTEMPTS_MAX: Final = 3

_Work = Callable[[ChangePreparation], PreparedChange | None]
_logger = structlog.get_logger("meterfold.engine")


class BackfillPreparation:
    """Prepares one change at a time for the fold of an engine. Any thread may call it."""

    def __init__(self, live: LiveReadSide, tried: LoadedEvents, events_min: int = PREPARED_EVENTS_MIN) -> None:
        """Changes of fewer than `events_min` events are not prepared."""
        self._live = live
        self._tried = tried
        self._events_min = events_min
        self._preparing = threading.Lock()
        self._last: PreparedChange | None = None

    def commit(self, asked: AskedCommit) -> bool:
        """Prepare the commit of a backfill; return whether the fold has it."""
        return self._prepared(lambda preparation: preparation.commit(asked))

    def revert(self, scope: Scope, name: str) -> bool:
        """Prepare the revert of a backfill; return whether the fold has it."""
        return self._prepared(lambda preparation: preparation.revert(scope, name))

    def _prepared(self, work: _Work) -> bool:
        with self._preparing:
            try:
                with self._live.recovering_on_failure():
                    for _ in range(ATTEMPTS_MAX):
                        change = self._worked_out(work)
                        if change is None or self._is_kept(change):
                            return change is not None
                    return False
            except Exception as error:  # a full disk, say: the fold does without
                _logger.warning("backfill_not_prepared", reason=failure_text(error))
                return False

    def _worked_out(self, work: _Work) -> PreparedChange | None:
        side = self._live.current
        with self._live.fold.paused:
            side.projector.prepared.begin()
        with side.store.preparation(lambda: self._live.write_turn) as writes:
            self._drop_last(writes)
            self._last = work(ChangePreparation(side.store.reads, self._tried, writes, self._events_min))
        return self._last

    def _is_kept(self, change: PreparedChange) -> bool:
        """Hand a change to the fold in use, which may be another one by now: that has begun nothing, and keeps none."""
        with self._live.fold.paused:
            return self._live.current.projector.prepared.keep(change)

    def _drop_last(self, writes: Preparation) -> None:
        """Drop what was prepared last, unless the fold has attached it, which it does no more after `begin`."""
        last, self._last = self._last, None
        if last is not None:
            writes.drop(*last.tables)
