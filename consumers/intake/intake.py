"""Intake: turn request bodies into durable usage blocks. Requests that arrive together share one append.

    submit ──> bounded queue ──> one committer thread: split, decode, build blocks, list prices, append ──> receipts

Large requests are decoded and appended in slices, with other requests in between. A receipt is given only after the
last append is durable. An append that fails fails the requests in it, and intake goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from typing import Final, Protocol

from consumers.errors import IntakeUnavailable
from consumers.intake.appending import UsageAppender
from consumers.intake.fact_sealing import FactSealer
from consumers.intake.fold_pace import FoldPace
from consumers.intake.options import IntakeOptions
from consumers.intake.queue import IntakeQueue, PendingRequest
from consumers.intake.requests import EventsWarning, IntakeReceipt, IntakeRequest, check_request
from consumers.intake.slice_groups import SliceGroup
from consumers.prices.listing import PriceListing, PriceResolver
from consumers.prices.own_units import OwnUnits
from domain.errors import LogError
from domain.log.records import EventLog

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
        facts: FactSealer,
        folded_position: Callable[[], int | None] = lambda: None,
    ) -> None:
        """`facts` encrypts personal facts. `folded_position` returns where the fold is; None if that is not known, and
        then nothing waits for it.
        """
        self._log = log
        self._hash_seed = hash_seed
        self._clock = clock
        self._options = options
        self._pace = FoldPace(folded_position, time.monotonic)
        self._queue = IntakeQueue(options, self._pace.must_wait)
        self._own_units = OwnUnits(log)
        self._appender = UsageAppender(log, PriceListing(log, resolve_price), facts, options)
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
        while (group := self._next_group()) is not None:
            self._commit(group)

    def _next_group(self) -> SliceGroup | None:
        """Take slices, decoded as they come, until the group is full or nothing more may be taken now."""
        options = self._options
        found = self._queue.take(options.group_events_max, options.group_bytes_max, first=True)
        if found is None:
            return None
        group = SliceGroup(self._clock(), self._hash_seed, options, self._pace.lead, self._own_units.of)
        while found is not None:
            group.add(found)
            room_events, room_bytes = group.room()
            found = self._queue.take(room_events, room_bytes, first=False) if room_events else None
        group.decode()
        return group

    def _commit(self, group: SliceGroup) -> None:
        """Append a group and answer the requests that are complete."""
        blocks = group.blocks()
        try:
            positions = self._appender.append([block.usage for block in blocks], group.recorded_at) if blocks else []
        except LogError as error:
            for pending in group.requests:
                _fail(pending, error)
        except Exception as error:  # a request that makes an append fail must not fail the others of its group
            if len(group.requests) == 1:
                _fail(group.requests[0], error)
            else:
                for alone in group.by_request():
                    self._commit(alone)
        else:
            for block, position in zip(blocks, positions, strict=True):
                block.note(position)
            self._pace.appended(positions, group)
            for pending in group.requests:
                if pending.is_taken and not pending.future.done():
                    pending.future.set_result(self._receipt(pending))

    def _receipt(self, pending: PendingRequest) -> IntakeReceipt:
        pieces = pending.pieces
        position = pieces[-1].position if pieces else self._log.head_position()
        warnings = tuple(EventsWarning(*key, events) for key, events in pending.warnings.items())
        return IntakeReceipt(position, tuple(pieces), len(pending.items), pending.rejected, warnings)


def _fail(pending: PendingRequest, error: Exception) -> None:
    """Fail a request. What was stored of it before is received: it is not known to be refused."""
    if pending.future.done():
        return
    if pending.pieces and isinstance(error, LogError):
        error = IntakeUnavailable(f"a part of the request is stored, then: {error}")
    pending.future.set_exception(error)
