"""A receipt is what its schema describes, and long receipts are made one at a time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import Response

from api.http.receipts import OutcomeCountsView, OutcomeView, ReceiptView, receipt_response
from consumers.intake.intake import IntakeReceipt
from consumers.intake.options import SLICE_EVENTS_MAX
from consumers.intake.requests import Piece
from domain.usage.outcomes import EventOutcome, OutcomeCounts
from projections.queries.events import Receipt, RowSpan

OUTCOMES = [EventOutcome("gateway", "1", "duplicate"), EventOutcome(None, None, "rejected", "not_json", 'a "rule"')]
COUNTS = OutcomeCounts(counted=3, duplicate=2, rejected=1)
READING_SECONDS = 0.02
WAIT_SECONDS_MAX = 30.0


class SlowReads:
    """A read store whose receipts take a while. Notes how many are read at once; none ends before `at_once` are."""

    def __init__(self, at_once: int = 1) -> None:
        self._all_reading = threading.Barrier(at_once)
        self._lock = threading.Lock()
        self._reading = 0
        self.reading_max = 0

    def all_counted(self, spans: Sequence[RowSpan]) -> bool:
        return False

    @contextmanager
    def snapshot(self) -> Iterator[SlowReads]:
        with self._lock:
            self._reading += 1
            self.reading_max = max(self.reading_max, self._reading)
        yield self
        with self._lock:
            self._reading -= 1

    def receipt(self, spans: Sequence[RowSpan]) -> Receipt:
        self._all_reading.wait(WAIT_SECONDS_MAX)
        time.sleep(READING_SECONDS)
        return Receipt(COUNTS, len(OUTCOMES), msgspec.json.encode(OUTCOMES))


class FoldedEverything:
    """A fold that has reached every position."""

    async def folded(self, position: int) -> bool:
        return True


async def answers(reads: SlowReads, received: int, count: int) -> list[Response]:
    """The answers to so many requests of so many events, all at once."""
    state: Any = SimpleNamespace(
        engine=SimpleNamespace(reads=reads), fold=FoldedEverything(), long_receipts=asyncio.Lock()
    )
    taken = IntakeReceipt(7, (Piece(7, 0, received),), received, 0)
    request = Request({"type": "http", "headers": []})
    return await asyncio.gather(*(receipt_response(request, state, taken) for _ in range(count)))


def test_a_receipt_has_the_members_of_its_schema_in_their_order() -> None:
    answer = asyncio.run(answers(SlowReads(), 6, 1))[0]
    expected = ReceiptView(
        position=7,
        counts=OutcomeCountsView(counted=3, duplicate=2, conflict=0, rejected=1),
        outcomes=[
            OutcomeView(source="gateway", id="1", outcome="duplicate"),
            OutcomeView(source=None, id=None, outcome="rejected", reason="not_json", detail='a "rule"'),
        ],
        outcomes_truncated=True,
    )
    assert bytes(answer.body).decode() == expected.model_dump_json()


@pytest.mark.parametrize(("received", "at_once"), [(SLICE_EVENTS_MAX, 3), (SLICE_EVENTS_MAX + 1, 1)])
def test_long_receipts_are_read_one_at_a_time_and_short_ones_together(received: int, at_once: int) -> None:
    reads = SlowReads(at_once)
    bodies = {bytes(answer.body) for answer in asyncio.run(answers(reads, received, 3))}
    assert (len(bodies), reads.reading_max) == (1, at_once)
