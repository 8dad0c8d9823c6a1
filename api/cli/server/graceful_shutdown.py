"""Graceful shutdown of the server: new requests are answered 503 while accepted ones are written out.

On SIGTERM or Ctrl+C:

1. At once, in the signal handler: close the gate. New requests are answered 503 with Retry-After.
2. Wait for requests in progress, for at most `REQUESTS_SECONDS_MAX`.
3. Close the engine: append, fold, checkpoint. Requests are still answered 503.
4. Run Uvicorn's own shutdown: close sockets and connections.

After `STOPPING_SECONDS_MAX` in all the process exits at once. The next start folds the rest of the log, so that nothing
acknowledged is lost.
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


class GracefulServer(uvicorn.Server):
    """A Uvicorn server of one engine, which it closes before `run` returns or raises (`KeyboardInterrupt`)."""

    def __init__(self, config: uvicorn.Config, gate: ShutdownGate, engine: EmbeddedEngine) -> None:
        super().__init__(config)
        self._gate = gate
        self._engine = engine
        self._exit_timer = threading.Timer(STOPPING_SECONDS_MAX, _exit_now)
        self._exit_timer.daemon = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Close the gate and start the timer of the forced exit (step 1)."""
        self._gate.close()
        if not self.should_exit:
            self._exit_timer.start()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish requests, close the engine, then the sockets (steps 2 to 4)."""
        self._gate.close()
        self._engine.cancel_operations()
        if not await self._gate.emptied(REQUESTS_SECONDS_MAX):
            _logger.warning("requests_left", after_seconds=REQUESTS_SECONDS_MAX)
        await asyncio.to_thread(self._engine.close)
        await super().shutdown(sockets)


def _exit_now() -> None:
    _logger.warning("stopped_early", seconds=STOPPING_SECONDS_MAX, left="the next start folds the rest of the log")
    os._exit(0)
