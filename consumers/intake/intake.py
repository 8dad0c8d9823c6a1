"""Intake: turn request bodies into durable usage blocks. Requests that arrive together share one append.

    submit ──> bounded queue ──> one committer thread: split, decode, build blocks, list prices, append ──> receipts

A receipt is given only after the append is durable. An append that fails fails the requests in it, and intake goes on.
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
from consumers.intake.queue import IntakeQueue, PendingRequest
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
    """Port for request bodies with usage events. Safe to call from several threads."""

    def submit(self, request: IntakeRequest) -> Future[IntakeReceipt]:
        """Submit a request; the future completes with its receipt once its events are durable.

        Raises, directly or through the future: `IntakeFull` and `IntakeUnavailable` (retry later), `InvalidInput` (an
        unsupported media type, an invalid customer header, an atomic request that is too large: nothing was taken),
        and `LogError` (the log refused: nothing was stored).
        """

    def close(self) -> None:
        """Take no more requests, finish those that were submitted, and release all resources."""


class _Share(msgspec.Struct, frozen=True):
    """Rows of a block that belong to one request of the group, `row_to` exclusive."""

    request: int  # index in the group
    row_from: int
    row_to: int


class _Plan(msgspec.Struct):
    """A planned block: the items of several requests of one scope, one after the other."""

    kind: StreamKind
    scope: Scope
    runs: list[ItemRun]
    shares: list[_Share]
    rows: int = 0


class LocalIntake:
    """`Intake` that decodes and appends in a thread of this process.

    `clock` returns an aware instant in UTC. An intake writes one stream per kind, `usage/<kind>/<options.name>`;
    another writer of the same stream causes a retry and loses no event.
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
        """Queue a request. See `Intake.submit`."""
        check_request(request)
        return self._queue.put(request)

    def close(self) -> None:
        """Finish what is queued and take nothing more."""
        self._queue.close()
        self._committer.join(CLOSE_SECONDS_MAX)

    def _commit_until_closed(self) -> None:
        while (group := self._queue.take_group()) is not None:
            self._commit(group)

    def _commit(self, group: Sequence[PendingRequest]) -> None:
        try:
            receipts = self._stored(group)
        except LogError as error:
            _fail(group, error)
        except Exception as error:  # a request that makes decoding fail must not fail the others of its group
            if len(group) == 1:
                _fail(group, error)
            else:
                for waiting in group:
                    self._commit([waiting])
        else:
            for waiting, receipt in zip(group, receipts, strict=True):
                waiting.future.set_result(receipt)

    def _stored(self, group: Sequence[PendingRequest]) -> list[IntakeReceipt]:
        recorded_at = self._clock()
        plans = list(_plans(group))
        rejected: list[list[int]] = []
        blocks = []
        for plan in plans:
            context = DecodingContext(
                plan.scope,
                self._hash_seed,
                recorded_at,
                self._options.future_tolerance,
                self._options.event_bytes_max,
            )
            decoded = decode_items(plan.runs, context)
            rejected.append(decoded.rejected_rows)
            blocks.append(UsageBlock(plan.kind, plan.scope, encode_buffers(decoded.typed, decoded.free), decoded.typed))
        positions = self._appender.append(blocks, recorded_at) if blocks else []
        pieces: list[list[Piece]] = [[] for _ in group]
        rejections = [0] * len(group)
        for plan, position, rows in zip(plans, positions, rejected, strict=True):
            for share in plan.shares:
                pieces[share.request].append(Piece(position, share.row_from, share.row_to))
                rejections[share.request] += bisect_left(rows, share.row_to) - bisect_left(rows, share.row_from)
        return [self._receipt(*of_one) for of_one in zip(pieces, rejections, strict=True)]

    def _receipt(self, pieces: list[Piece], rejected: int) -> IntakeReceipt:
        position = pieces[-1].position if pieces else self._log.head_position()
        received = sum(piece.row_to - piece.row_from for piece in pieces)
        return IntakeReceipt(position, tuple(pieces), received, rejected)


def _plans(group: Sequence[PendingRequest]) -> Iterator[_Plan]:
    """Plan blocks of one scope and at most `BLOCK_EVENTS_MAX` rows each. An atomic request stays in one block."""
    by_scope: dict[tuple[StreamKind, Scope], list[int]] = {}
    for member, waiting in enumerate(group):
        by_scope.setdefault((waiting.request.kind, waiting.request.scope), []).append(member)
    for (kind, scope), members in by_scope.items():
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


def _runs(waiting: PendingRequest, room: int) -> Iterable[ItemRun]:
    """Split the items of a request: the first run fills the `room` left in a block, each other run takes a block."""
    request, items = waiting.request, waiting.items
    start = 0
    while start < len(items):
        size = len(items) if request.atomic else (room or BLOCK_EVENTS_MAX)
        yield ItemRun(items[start : start + size], request.customer_header, request.group, request.atomic)
        start, room = start + size, BLOCK_EVENTS_MAX


def _fail(group: Sequence[PendingRequest], error: Exception) -> None:
    for waiting in group:
        waiting.future.set_exception(error)
