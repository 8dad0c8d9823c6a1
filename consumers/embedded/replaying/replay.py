"""A replay beside a running engine: a fresh read side is folded, which then takes the place of the one in use.

1. Open the fresh read side: the one that an earlier replay left unfinished, or an empty one.
2. Fold up to the end of the log, in rounds, as intake goes on: until a round takes less than `ROUND_SECONDS_MAX`. What
   is folded is made durable now and then. The read side in use answers, folds and flushes meanwhile.
3. Make everything durable, and fold what came in meanwhile.
4. Pause the fold of the one in use; fold the last records; name the fresh folder as the one in use; swap. Reads that
   have begun end on the old read side; those that begin, begin on the new one. None waits.
5. Close the old one once no reader has it open.

Whoever stops asking for steps stops the replay; so does the end of the engine. The next one goes on with what is
durable.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from consumers.embedded.data_folder import DataFolder
from consumers.embedded.live_read_side import LiveReadSide
from consumers.embedded.replaying.fresh_read_side import (
    FOLDING,
    discarded_on_failure,
    finish,
    fold_durably,
    open_fresh,
    taken_up,
    unfinished_in,
    write_rows_durably,
)
from consumers.engine import OperationResult, OperationStep, ReplayState
from domain.log.records import EventLog
from projections.read_side.read_side import ReadSide

#: A round that took less leaves so little behind it that the fold may wait for the rest.
ROUND_SECONDS_MAX: Final = 0.25
#: Where intake is as quick as the replay, the swap comes after so many rounds all the same.
ROUNDS_MAX: Final = 20


class Replay:
    """Replays of one engine, one at a time. `raise_if_closing` ends one at its next step."""

    def __init__(
        self,
        folder: DataFolder,
        log: EventLog,
        live: LiveReadSide,
        durable_records_max: int,
        raise_if_closing: Callable[[], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`durable_records_max`: what is folded is made durable after so many events and other records."""
        self._folder = folder
        self._log = log
        self._live = live
        self._durable_records_max = durable_records_max
        self._raise_if_closing = raise_if_closing
        self._monotonic = monotonic
        self._last: OperationStep | None = None  # of the one that runs

    def state(self) -> ReplayState | None:
        """Return how far the replay is that runs, or that was stopped; None when there is nothing to finish."""
        last = self._last
        if last is not None:
            return ReplayState(True, last.stage, last.done, last.total)
        unfinished = unfinished_in(self._folder.next_read_folder())
        return None if unfinished is None else ReplayState(False, FOLDING, unfinished.position, unfinished.until)

    def run(self) -> Iterator[OperationStep | OperationResult]:
        """Yield the steps as they are done, and at the end the result. The caller lets no second one begin."""
        fresh = open_fresh(self._folder, self._live.opener, "whole")
        position = fresh.projector.position
        try:
            self._last = OperationStep(FOLDING, position, max(position, self._log.head_position()))
            with discarded_on_failure(fresh):
                yield from taken_up(fresh, self._log)
                for step in self._steps(fresh):
                    self._raise_if_closing()
                    self._last = step
                    yield step
                events = fresh.received_events()
                old = self._swap(fresh)
            old.retire()
            position = fresh.projector.position
        finally:
            self._last = None
        yield OperationResult("replay", position, position, events)

    def _steps(self, fresh: ReadSide) -> Iterator[OperationStep]:
        yield from self._rounds(lambda: fold_durably(self._log, fresh, self._durable_records_max))
        fresh.finish_refolding()
        fresh.checkpoint()
        yield from write_rows_durably(fresh)
        yield from self._rounds(lambda: self._catching_up(fresh))

    def _catching_up(self, fresh: ReadSide) -> Iterator[OperationStep]:
        head = self._log.head_position()
        for position in fresh.catch_up(head):
            yield OperationStep("catching up", position, head)

    def _rounds(self, one_round: Callable[[], Iterator[OperationStep]]) -> Iterator[OperationStep]:
        for _ in range(ROUNDS_MAX):
            began = self._monotonic()
            yield from one_round()
            if self._monotonic() - began < ROUND_SECONDS_MAX:
                return

    def _swap(self, fresh: ReadSide) -> ReadSide:
        with self._live.replacing:
            for _ in self._rounds(lambda: self._catching_up(fresh)):  # what came in during a merge
                self._raise_if_closing()
            with self._live.write_turn, self._live.fold.paused:
                while fresh.projector.step():
                    pass
                self._folder.use_read_folder(fresh.folder)
                finish(fresh)
                return self._live.replace(fresh)
