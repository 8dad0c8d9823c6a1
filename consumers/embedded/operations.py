"""Operations on a running engine: replay the log into a fresh read side, verify the one in use. One at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from consumers.embedded.data_folder import DataFolder
from consumers.embedded.keys.key_cache import KeyCache
from consumers.embedded.live_read_side import LiveReadSide
from consumers.embedded.replaying.replay import Replay
from consumers.engine import OperationResult, OperationStep, ReplayState
from consumers.errors import EngineClosing
from consumers.maintenance.verification import Verification
from domain.customers.personal_keys import PersonalKeys
from domain.log.records import EventLog


class Operations:
    """Replay and verification of the read side in use. They end at their next step once `closing` is set."""

    def __init__(
        self,
        folder: DataFolder,
        log: EventLog,
        keys: PersonalKeys,
        live: LiveReadSide,
        key_cache: KeyCache,
        closing: threading.Event,
        replay_flush_records_max: int,
    ) -> None:
        self._folder = folder
        self._log = log
        self._keys = keys
        self._live = live
        self._key_cache = key_cache
        self._closing = closing
        self._running = threading.Lock()
        self._replay = Replay(folder, log, live, replay_flush_records_max, self._raise_if_closing)

    def replay(self) -> Iterator[OperationStep | OperationResult]:
        """Fold the log again into a fresh read side, then swap it in; see `Replay`."""
        with self._running:
            self._raise_if_closing()
            for step in self._replay.run():
                if isinstance(step, OperationResult):
                    self._key_cache.reload()
                yield step

    def replay_state(self) -> ReplayState | None:
        """Return how far the replay is that runs, or that was stopped; None when there is nothing to finish."""
        return self._replay.state()

    def verify(self) -> Iterator[OperationStep | OperationResult]:
        """Compare the live read store with one that is folded again from the log; see `Verification`."""
        with self._running:
            scratch = self._folder.new_verification_folder()
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
