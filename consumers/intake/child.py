"""Child side of the intake process, and the messages between parent and child.

Request bodies go to the child over a pipe, receipts come back by request number. The child ends when it is told to,
when its pipe closes, or when its parent is gone. Killing it at any moment loses nothing that was acknowledged.
"""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from multiprocessing.connection import Connection
from typing import Final

import msgspec

from consumers.errors import IntakeFull, IntakeUnavailable
from consumers.intake.intake import Intake
from consumers.intake.requests import IntakeReceipt, IntakeRequest
from consumers.processes.parent_watch import end_with_parent
from domain.errors import Fenced, InvalidInput, LogCorrupted, LogUnavailable

#: Builds in the child the intake and the function that closes its log. Must be picklable.
IntakeFactory = Callable[[], tuple[Intake, Callable[[], None]]]

#: Decoding creates many short-lived objects and no cycles; with the default of 700 a tenth of the time is collection.
GARBAGE_OBJECTS_MIN: Final = 50_000

_ERRORS: Final[dict[str, type[Exception]]] = {
    error.__name__: error for error in (Fenced, LogUnavailable, LogCorrupted, IntakeFull, IntakeUnavailable)
}


class Call(msgspec.Struct, frozen=True):
    """Message to the child: a part of a body, or one request, or the order to finish everything and end.

    A request after parts of its body has the rest of it.
    """

    number: int
    request: IntakeRequest | None = None
    part: bytes | None = None


class Reply(msgspec.Struct, frozen=True):
    """Message to the parent about one request: a receipt, or the name and the arguments of an error."""

    number: int
    receipt: IntakeReceipt | None = None
    error: str | None = None
    arguments: tuple[str, ...] = ()

    @property
    def outcome(self) -> IntakeReceipt | Exception:
        """The receipt, or the error as an exception."""
        if self.receipt is not None:
            return self.receipt
        if self.error == InvalidInput.__name__:
            return InvalidInput(*self.arguments)
        error_class = _ERRORS.get(self.error or "", IntakeUnavailable)
        return error_class(*self.arguments)


def error_reply(number: int, error: BaseException) -> Reply:
    """Return the reply that carries an error to the parent."""
    if isinstance(error, InvalidInput):
        return Reply(number, None, InvalidInput.__name__, (error.field, error.rule, error.code))
    name = type(error).__name__
    return Reply(number, None, name, (str(error) if name in _ERRORS else f"{name}: {error}",))


def _whole(request: IntakeRequest, parts: list[bytes]) -> IntakeRequest:
    """The request with the parts of its body that came before it."""
    if not parts or not isinstance(request.body, bytes):
        return request
    return msgspec.structs.replace(request, body=b"".join([*parts, request.body]))


def run_child(connection: Connection, factory: IntakeFactory) -> None:
    """Run the child: serve requests until it is told to stop or its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    gc.set_threshold(GARBAGE_OBJECTS_MIN, 20, 50)
    end_with_parent()  # its pipe may stay open, held by another process that the parent forked
    intake, close = factory()
    sending = threading.Lock()

    def send(reply: Reply) -> None:
        with sending:
            try:
                connection.send_bytes(msgspec.msgpack.encode(reply))
            except OSError:
                return  # the parent is gone; receiving will fail too and end the child

    def answer(number: int, future: Future[IntakeReceipt]) -> None:
        error = future.exception()
        send(Reply(number, future.result()) if error is None else error_reply(number, error))

    bodies: dict[int, list[bytes]] = {}
    try:
        while True:
            call = msgspec.msgpack.decode(connection.recv_bytes(), type=Call)
            if call.part is not None:
                bodies.setdefault(call.number, []).append(call.part)
                continue
            if call.request is None:
                break
            try:
                future = intake.submit(_whole(call.request, bodies.pop(call.number, [])))
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
