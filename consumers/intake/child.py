"""The child's side of intake in a process of its own, and the frames that travel between the two sides.

Bodies go down a pipe as bytes, receipts come back by request number. The child ends when it is told to, when
its pipe closes, and when its parent is gone; being killed at any moment loses nothing that was acknowledged.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from multiprocessing.connection import Connection
from typing import Final

import msgspec

from consumers.errors import IntakeFull, IntakeUnavailable
from consumers.intake.intake import Intake
from consumers.intake.requests import IntakeReceipt, IntakeRequest
from domain.errors import Fenced, InvalidInput, LogCorrupted, LogUnavailable

#: Builds, in the child, the intake and what closes the log under it. Must be picklable.
IntakeFactory = Callable[[], tuple[Intake, Callable[[], None]]]

PARENT_POLL_SECONDS: Final = 1.0
#: Decoding makes many short-lived objects and no cycles; the default of 700 spends a tenth of its time looking.
GARBAGE_OBJECTS_MIN: Final = 50_000

_ERRORS: Final[dict[str, type[Exception]]] = {
    error.__name__: error for error in (Fenced, LogUnavailable, LogCorrupted, IntakeFull, IntakeUnavailable)
}


class Call(msgspec.Struct, frozen=True):
    """A request on its way to the child. Without a request: finish everything and end."""

    number: int
    request: IntakeRequest | None = None


class Reply(msgspec.Struct, frozen=True):
    """What the child says of one request: a receipt, or which error with which arguments."""

    number: int
    receipt: IntakeReceipt | None = None
    error: str | None = None
    arguments: tuple[str, ...] = ()

    @property
    def outcome(self) -> IntakeReceipt | Exception:
        if self.receipt is not None:
            return self.receipt
        if self.error == InvalidInput.__name__:
            return InvalidInput(*self.arguments)
        kind = _ERRORS.get(self.error or "", IntakeUnavailable)
        return kind(*self.arguments)


def error_reply(number: int, error: BaseException) -> Reply:
    """The reply that carries an error to the other side."""
    if isinstance(error, InvalidInput):
        return Reply(number, None, InvalidInput.__name__, (error.field, error.rule, error.code))
    name = type(error).__name__
    return Reply(number, None, name, (str(error) if name in _ERRORS else f"{name}: {error}",))


def run_child(connection: Connection, factory: IntakeFactory) -> None:
    """The child's life: serve requests until it is told to stop or its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    gc.set_threshold(GARBAGE_OBJECTS_MIN, 20, 50)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), name="parent-watch", daemon=True).start()
    intake, close = factory()
    sending = threading.Lock()

    def send(reply: Reply) -> None:
        with sending:
            try:
                connection.send_bytes(msgspec.msgpack.encode(reply))
            except OSError:
                return  # the parent is gone; the receiving side will see it too

    def answer(number: int, future: Future[IntakeReceipt]) -> None:
        error = future.exception()
        send(Reply(number, future.result()) if error is None else error_reply(number, error))

    try:
        while True:
            call = msgspec.msgpack.decode(connection.recv_bytes(), type=Call)
            if call.request is None:
                break
            try:
                future = intake.submit(call.request)
            except Exception as error:
                send(error_reply(call.number, error))
            else:
                future.add_done_callback(partial(answer, call.number))
    except (EOFError, OSError):
        pass
    finally:
        intake.close()
        close()
        connection.close()


def _end_with_parent(parent: int) -> None:
    """The pipe closes with the parent, unless a process that it forked still holds the other end."""
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_SECONDS)
    os._exit(1)
