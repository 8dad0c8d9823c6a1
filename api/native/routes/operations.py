"""Routes for the operator of a running engine: replay, verify, status.

The command line calls them when another process owns the data folder.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import structlog
from anyio import CancelScope
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Send

from api.http.authentication import Operator
from api.http.receipts import counts_view, totals_view
from api.http.state import StateOf
from api.native.models.operations import ConsumerView, PartitionStatusView, ReplayView, SourceStatus, StatusView
from api.native.routes.health import readiness
from consumers.bootstrap import system_clock
from consumers.embedded.data_folder import DataFolder
from consumers.engine import OperationResult, OperationStep, ReplayState
from consumers.kafka.consumer.status import ConsumerStatus, consumers_of
from projections.views.source_losses import partition_losses

router = APIRouter(tags=["operations"])
LINES = "application/x-ndjson"
_LINES_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": 'Lines of {"step": {...}}, at last one of {"result": {...}} or {"failure": {...}}.',
        "content": {LINES: {"schema": {"type": "string"}}},
    }
}
_logger = structlog.get_logger("meterfold.operations")


@router.post(
    "/v1/operations/replay",
    response_class=StreamingResponse,
    responses=_LINES_ANSWER,
    summary="Replay the log into a new read store",
)
def replay(state: StateOf, key: Operator) -> StreamingResponse:
    """Fold the log again from position 0 into a new read store, then swap it in; reads and intake go on meanwhile. The
    answer is a line for each step and a last one with the result or the failure. A replay that was stopped, also by the
    end of the request, goes on with what it had made durable. Needs an admin key of default/prod."""
    return OperationResponse(state.engine.replay())


@router.post(
    "/v1/operations/rebuild",
    response_class=StreamingResponse,
    responses=_LINES_ANSWER,
    summary="Replay the log, by the earlier name",
    deprecated=True,
)
def rebuild(state: StateOf, key: Operator) -> StreamingResponse:
    """Do what `POST /v1/operations/replay` does; this was its name before."""
    return OperationResponse(state.engine.replay())


@router.post(
    "/v1/operations/verify", response_class=StreamingResponse, responses=_LINES_ANSWER, summary="Verify the read store"
)
def verify(state: StateOf, key: Operator) -> StreamingResponse:
    """Fold the log again beside the live read store and compare them; check the stored blocks, the hash chain and the
    seals. The answer is a line for each step and a last one with the differences or the failure. Needs an admin key of
    default/prod."""
    return OperationResponse(state.engine.verify())


class OperationResponse(StreamingResponse):
    """The steps and the result of an operation, as they come. It ends with the request, also when the client is gone.

    Otherwise an operation that nobody reads any more would go on to hold its locks, and no other one could begin.
    """

    def __init__(self, steps: Iterator[OperationStep | OperationResult]) -> None:
        self._lines = _lines(steps)
        super().__init__(self._lines, media_type=LINES)

    async def stream_response(self, send: Send) -> None:
        """Send the lines; end the operation whatever happens."""
        try:
            await super().stream_response(send)
        finally:
            with CancelScope(shield=True):  # the request is cancelled when the client is gone
                await run_in_threadpool(self._lines.close)


def _lines(steps: Iterator[OperationStep | OperationResult]) -> Generator[bytes, None, None]:
    """Stream steps and result as JSON lines. A failure is a last line, as the status code has been sent by then."""
    try:
        with closing(steps):  # type: ignore[type-var]
            for step in steps:
                name = "step" if isinstance(step, OperationStep) else "result"
                yield msgspec.json.encode({name: step}) + b"\n"
    except Exception as error:
        _logger.exception("operation_failed")
        yield msgspec.json.encode({"failure": {"detail": f"{type(error).__name__}: {error}"}}) + b"\n"


@router.get("/v1/operations/status", response_model=StatusView, summary="Show the status of the engine")
def status(state: StateOf, key: Operator) -> StatusView:
    """Log position and lag of the fold, outcomes by source, Kafka consumers and disk use, over all tenants. Needs an
    admin key of default/prod."""
    progress = readiness(state.engine.progress(), state.engine.refusals())
    folder, now = DataFolder(state.engine.settings.data_dir), system_clock()
    with state.engine.reads.snapshot() as snapshot:
        scopes = snapshot.scopes()
        sources = [
            SourceStatus(
                tenant=scope.tenant,
                environment=scope.environment,
                stream=source.stream,
                counts=counts_view(source.counts),
            )
            for scope in scopes
            for source in snapshot.source_counts(scope)
        ]
        totals = totals_view(snapshot.totals())
        lost = partition_losses(snapshot)
    return StatusView(
        **progress.model_dump(),
        counts=totals,
        sources=sources,
        records_lost=lost.records_lost,
        commands_refused=lost.commands_refused,
        consumers=[consumer_view(consumer, now) for consumer in consumers_of(folder.root, now)],
        tenants=[str(scope) for scope in scopes],
        log_bytes=_bytes_of(folder.root.glob("log.sqlite*")),
        store_bytes=_bytes_of(folder.current_read_folder().rglob("*")),
        replay=replay_view(state.engine.replay_state()),
    )


def replay_view(state: ReplayState | None) -> ReplayView | None:
    """Convert the state of a replay to its response."""
    return None if state is None else ReplayView(**msgspec.structs.asdict(state))


def consumer_view(consumer: ConsumerStatus, now: datetime) -> ConsumerView:
    """Convert the last reported status of a consumer process to its response."""
    partitions = [PartitionStatusView(**msgspec.structs.asdict(partition)) for partition in consumer.partitions]
    fields = msgspec.structs.asdict(consumer) | {"partitions": partitions, "stale": consumer.is_stale(now)}
    return ConsumerView(**fields)


def _bytes_of(paths: Iterable[Path]) -> int:
    """The total size of files. Compaction and checkpoints may remove some meanwhile."""
    size = 0
    for path in paths:
        with suppress(FileNotFoundError):
            size += path.stat().st_size if path.is_file() else 0
    return size
