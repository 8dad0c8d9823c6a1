"""Operations on a running engine: rebuild the read side, verify it. One at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from consumers.embedded.data_folder import DataFolder
from consumers.embedded.key_cache import KeyCache
from consumers.embedded.live_read_side import LiveReadSide
from consumers.engine import OperationResult, OperationStep
from consumers.errors import EngineClosing
from consumers.maintenance.verification import Verification
from domain.customers.personal_keys import PersonalKeys
from domain.log.records import EventLog
from projections.read_side.read_side import ReadSide


class Operations:
    """Rebuild and verification of the read side in use. They end at their next step once `closing` is set."""

    def __init__(
        self,
        folder: DataFolder,
        log: EventLog,
        keys: PersonalKeys,
        live: LiveReadSide,
        key_cache: KeyCache,
        closing: threading.Event,
    ) -> None:
        self._folder = folder
        self._log = log
        self._keys = keys
        self._live = live
        self._key_cache = key_cache
        self._closing = closing
        self._running = threading.Lock()

    def rebuild(self) -> Iterator[OperationStep | OperationResult]:
        """Fold the log from position 0 into a fresh read side, then swap it in.

        1. Open an empty read side in a folder of its own.
        2. Fold until it has caught up with the log, and make that durable; the live one keeps answering and folding.
        3. Pause the live fold, fold the last records, name the new folder as the one in use, and swap.
        4. Close the old read side once no reader has it open, and remove its folder.
        """
        with self._running:
            self._raise_if_closing()
            fresh = self._live.opener.open(self._folder.new_read_folder(), refolding="whole")
            try:
                yield from self._catch_up(fresh)
                fresh.finish_refolding()
                fresh.checkpoint()
                with self._live.replacing, self._live.write_turn, self._live.fold.paused:
                    while fresh.projector.step():
                        pass
                    self._folder.use_read_folder(fresh.folder)
                    old = self._live.replace(fresh)
                    position, events = fresh.projector.position, fresh.received_events()
            except BaseException:
                # Also when the caller stops iterating: the next rebuild uses the same folder.
                if self._live.current is not fresh:
                    fresh.discard()
                raise
            old.retire()
            self._key_cache.reload()
        yield OperationResult("rebuild", position, position, events)

    def _catch_up(self, fresh: ReadSide) -> Iterator[OperationStep]:
        head = self._log.head_position()
        while fresh.projector.position < head and fresh.projector.step():
            self._raise_if_closing()
            yield OperationStep("folding", fresh.projector.position, head)

    def verify(self) -> Iterator[OperationStep | OperationResult]:
        """Compare the live read store with one that is folded again from the log; see `Verification`."""
        with self._running:
            scratch = self._folder.new_read_folder()
            for step in Verification(self._log, self._keys, self._live.current.store, scratch).run():
                self._raise_if_closing()
                yield step

    def _raise_if_closing(self) -> None:
        if self._closing.is_set():
            raise EngineClosing("the engine is stopping: try again when it runs")

    @contextmanager
    def ended(self, seconds_max: float) -> Iterator[None]:
        """Let none begin while the context lasts; wait at most `seconds_max` for one that runs."""
        ended = self._running.acquire(timeout=seconds_max)
        try:
            yield
        finally:
            if ended:
                self._running.release()
