"""Intake: request bodies in, durable usage blocks out. Requests that arrive together share one append.

    submit ──> waiting (bounded) ──> one committer thread: split, decode, block, list prices, append ──> receipts

A receipt is given only after the append is durable. What goes wrong with an append is given to the
requests that were in it, and intake goes on.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Final, Protocol

import msgspec

from consumers.intake.appending import UsageAppender, UsageBlock
from consumers.intake.options import IntakeOptions
from consumers.intake.queue import IntakeQueue, Waiting
from consumers.intake.requests import IntakeReceipt, IntakeRequest, Piece, StreamKind, check_request
from consumers.prices.listing import PriceListing, PriceResolver
from domain.errors import LogError
from domain.log.blocks import encode_buffers
from domain.log.records import EventLog
from domain.scope import Scope
from domain.usage.block_schema import BLOCK_EVENTS_MAX
from domain.usage.decoding.decoder import DecodingContext, ItemRun, decode_items

__all__ = ["Intake", "IntakeOptions", "IntakeReceipt", "IntakeRequest", "LocalIntake", "PriceResolver"]

CLOSE_SECONDS_MAX: Final = 60.0


class Intake(Protocol):
    """Takes request bodies. Safe to call from several threads."""

    def submit(self, request: IntakeRequest) -> Future[IntakeReceipt]:
        """Take a request; its receipt comes when its events are durable.

        Raises, now or through the future: `IntakeFull` and `IntakeUnavailable` (try again), `InvalidInput` (an
        unsupported media type, a customer header that is no id, an atomic request that is too large: nothing was
        taken), and `LogError` (the log refused: nothing was stored).
        """

    def close(self) -> None:
        """Finish what was submitted, take nothing more, and free what is held."""


class _Share(msgspec.Struct, frozen=True):
    """Rows of one block that one request has, `row_to` exclusive."""

    member: int
    row_from: int
    row_to: int


class _Plan(msgspec.Struct):
    """A block to be: the items of several requests of one scope, laid end to end."""

    kind: StreamKind
    scope: Scope
    runs: list[ItemRun]
    shares: list[_Share]
    rows: int = 0


class LocalIntake:
    """An `Intake` that decodes and appends in a thread of this process.

    `clock` gives an aware instant in UTC. One intake writes one stream per kind, `usage/<kind>/<options.name>`;
    another writer of the same stream costs a retry, never an event.
    """

    def __init__(
        self,
        log: EventLog,
        hash_seed: int,
        clock: Callable[[], datetime],
        resolve_price: PriceResolver,
        options: IntakeOptions,
    ) -> None:
        self._log = log
        self._hash_seed = hash_seed
        self._clock = clock
        self._options = options
        self._queue = IntakeQueue(options)
        self._appender = UsageAppender(log, PriceListing(log, resolve_price), options)
        self._committer = threading.Thread(target=self._commit_until_closed, name="intake", daemon=True)
        self._committer.start()

    def submit(self, request: IntakeRequest) -> Future[IntakeReceipt]:
        check_request(request)
        return self._queue.put(request)

    def close(self) -> None:
        self._queue.close()
        self._committer.join(CLOSE_SECONDS_MAX)

    def _commit_until_closed(self) -> None:
        while (group := self._queue.take_group()) is not None:
            self._commit(group)

    def _commit(self, group: Sequence[Waiting]) -> None:
        try:
            receipts = self._stored(group)
        except LogError as error:
            _fail(group, error)
        except Exception as error:  # whatever one request did to us must not reach its neighbours
            if len(group) == 1:
                _fail(group, error)
            else:
                for waiting in group:
                    self._commit([waiting])
        else:
            for waiting, receipt in zip(group, receipts, strict=True):
                waiting.future.set_result(receipt)

    def _stored(self, group: Sequence[Waiting]) -> list[IntakeReceipt]:
        recorded_at = self._clock()
        plans = list(_plans(group))
        rejected: list[list[int]] = []
        blocks = []
        for plan in plans:
            facts = DecodingContext(
                plan.scope,
                self._hash_seed,
                recorded_at,
                self._options.future_tolerance,
                self._options.event_bytes_max,
            )
            decoded = decode_items(plan.runs, facts)
            rejected.append(decoded.rejected_rows)
            blocks.append(UsageBlock(plan.kind, plan.scope, encode_buffers(decoded.typed, decoded.free), decoded.typed))
        positions = self._appender.append(blocks, recorded_at) if blocks else []
        pieces: list[list[Piece]] = [[] for _ in group]
        refused = [0] * len(group)
        for plan, position, rows in zip(plans, positions, rejected, strict=True):
            for share in plan.shares:
                pieces[share.member].append(Piece(position, share.row_from, share.row_to))
                refused[share.member] += bisect_left(rows, share.row_to) - bisect_left(rows, share.row_from)
        return [self._receipt(*of_one) for of_one in zip(pieces, refused, strict=True)]

    def _receipt(self, pieces: list[Piece], rejected: int) -> IntakeReceipt:
        position = pieces[-1].position if pieces else self._log.head_position()
        received = sum(piece.row_to - piece.row_from for piece in pieces)
        return IntakeReceipt(position, tuple(pieces), received, rejected)


def _plans(group: Sequence[Waiting]) -> Iterator[_Plan]:
    """Blocks of at most `BLOCK_EVENTS_MAX` rows, one scope each. The rows of an atomic request stay together."""
    lanes: dict[tuple[StreamKind, Scope], list[int]] = {}
    for member, waiting in enumerate(group):
        lanes.setdefault((waiting.request.kind, waiting.request.scope), []).append(member)
    for (kind, scope), members in lanes.items():
        plan = _Plan(kind, scope, [], [])
        for member in members:
            for run in _runs(group[member], BLOCK_EVENTS_MAX - plan.rows):
                if plan.rows + len(run.items) > BLOCK_EVENTS_MAX:
                    yield plan
                    plan = _Plan(kind, scope, [], [])
                plan.runs.append(run)
                plan.shares.append(_Share(member, plan.rows, plan.rows + len(run.items)))
                plan.rows += len(run.items)
        if plan.rows:
            yield plan


def _runs(waiting: Waiting, room: int) -> Iterable[ItemRun]:
    """The items of a request in runs that fit: the first into what is left of a block, the others into a block each."""
    request, items = waiting.request, waiting.items
    start = 0
    while start < len(items):
        size = len(items) if request.atomic else (room or BLOCK_EVENTS_MAX)
        yield ItemRun(items[start : start + size], request.customer_header, request.group, request.atomic)
        start, room = start + size, BLOCK_EVENTS_MAX


def _fail(group: Sequence[Waiting], error: Exception) -> None:
    for waiting in group:
        waiting.future.set_exception(error)
