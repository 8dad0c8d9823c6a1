"""The engine on a folder of its own, behind its HTTP application: opened, killed, opened again and replayed."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Final

from consumers.embedded.engine import EmbeddedEngine
from consumers.engine import OperationResult
from domain.scope import Scope
from tests.engine_fixtures import Api, SettableClock, engine_on, http, key_for

#: Nothing is flushed by itself: a flush is a step of the machine, so that a kill meets the same files each time.
RARELY: Final = 3_600
OF_A_RUN: Final = "append-signal"


class Office:
    def __init__(self, now: datetime) -> None:
        self.clock = SettableClock(now)
        self._root = Path(tempfile.mkdtemp(prefix="machine-"))
        self._folders = 0
        self._opened = ExitStack()
        self.engine: EmbeddedEngine
        self.api: Api
        self._open()
        self._secret = key_for(self.engine, Scope("tenant", "prod"))
        self.api = Api(self.api.client, self._secret)

    @property
    def _folder(self) -> Path:
        return self._root / str(self._folders)

    def _open(self) -> None:
        self.engine = self._opened.enter_context(engine_on(self._folder, self.clock, flush_interval_seconds=RARELY))
        self.api = self._opened.enter_context(http(self.engine))

    def position(self) -> int:
        return self.engine.log.head_position()

    def flush(self) -> None:
        assert self.engine.flushing.flush()

    def kill(self) -> None:
        """Go on with the folder as a kill leaves it at this moment: what was not flushed is in the log alone."""
        killed = self._folder
        self._folders += 1
        shutil.copytree(killed, self._folder, ignore=shutil.ignore_patterns(OF_A_RUN))
        self._opened.close()
        shutil.rmtree(killed)
        self._open()
        self.api = Api(self.api.client, self._secret)

    def stop(self) -> None:
        """Stop in order, and start again."""
        self._opened.close()
        self._open()
        self.api = Api(self.api.client, self._secret)

    def replay(self) -> None:
        *_, last = self.engine.replay()
        assert isinstance(last, OperationResult)
        assert not last.findings

    def verify(self) -> None:
        *_, last = self.engine.verify()
        assert isinstance(last, OperationResult)
        assert last.findings == ()

    def close(self) -> None:
        self._opened.close()
        shutil.rmtree(self._root)
