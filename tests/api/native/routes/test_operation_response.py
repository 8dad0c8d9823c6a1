"""An operation ends with its request, also when the client is gone, so that the next one can begin."""

from __future__ import annotations

from collections.abc import Iterator

import anyio
from starlette.types import Message

from api.native.routes.operations import OperationResponse
from consumers.engine import OperationResult, OperationStep

STEPS = 5


class Operation:
    """Steps, and whether they were ended."""

    def __init__(self) -> None:
        self.asked = 0
        self.ended = False

    def steps(self) -> Iterator[OperationStep | OperationResult]:
        try:
            for number in range(STEPS):
                self.asked += 1
                yield OperationStep("folding", number, STEPS)
            yield OperationResult("replay", STEPS, STEPS, 0)
        finally:
            self.ended = True


def answered(operation: Operation, chunks_read: int) -> list[bytes]:
    """What a client reads that takes so many chunks, then hangs up."""
    read: list[bytes] = []

    async def receive() -> Message:
        while len(read) < chunks_read:
            await anyio.sleep(0.01)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] != "http.response.body":
            return
        if len(read) == chunks_read:
            await anyio.sleep_forever()  # the connection takes no more
        read.append(message["body"])

    async def ask() -> None:
        await OperationResponse(operation.steps())({"type": "http", "method": "POST"}, receive, send)

    anyio.run(ask)
    return read


def test_one_that_was_read_to_its_end() -> None:
    operation = Operation()
    read = answered(operation, STEPS + 2)
    assert b'"result"' in b"".join(read)
    assert (operation.asked, operation.ended) == (STEPS, True)


def test_one_whose_client_is_gone() -> None:
    operation = Operation()
    assert len(answered(operation, 2)) == 2
    assert (operation.asked < STEPS, operation.ended) == (True, True)
