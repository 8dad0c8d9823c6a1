"""Uvicorn, stopped the way an engine must be: new requests are answered 503 while what was taken is written out.

SIGTERM or Ctrl+C:

1. At once, in the signal handler: the gate closes. What comes from now on is answered 503 with Retry-After.
2. Requests inside are finished, for at most `REQUESTS_SECONDS_MAX`.
3. The engine is closed: append, fold, checkpoints. Requests are still answered 503.
4. Uvicorn's own shutdown: sockets and connections are closed.

Whatever takes longer than `STOPPING_SECONDS_MAX` in all is left to the next start: nothing acknowledged depends on it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from types import FrameType
from typing import Final

import structlog
import uvicorn

from api.http.middleware.shutdown_gate import ShutdownGate
from consumers.embedded.engine import EmbeddedEngine

REQUESTS_SECONDS_MAX: Final = 2.0
STOPPING_SECONDS_MAX: Final = 9.0

_logger = structlog.get_logger("meterfold.serve")


class StoppingServer(uvicorn.Server):
    """Serves one engine; has closed it when `run` returns, or raises what the signal means (`KeyboardInterrupt`)."""

    def __init__(self, config: uvicorn.Config, gate: ShutdownGate, engine: EmbeddedEngine) -> None:
        super().__init__(config)
        self._gate = gate
        self._engine = engine
        self._last_resort = threading.Timer(STOPPING_SECONDS_MAX, _leave)
        self._last_resort.daemon = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._gate.close()
        if not self.should_exit:
            self._last_resort.start()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._gate.close()
        self._engine.give_up_operations()
        if not await self._gate.emptied(REQUESTS_SECONDS_MAX):
            _logger.warning("requests_left", after_seconds=REQUESTS_SECONDS_MAX)
        await asyncio.to_thread(self._engine.close)
        await super().shutdown(sockets)


def _leave() -> None:
    _logger.warning("stopped_early", seconds=STOPPING_SECONDS_MAX, left="the next start folds the rest of the log")
    os._exit(0)
