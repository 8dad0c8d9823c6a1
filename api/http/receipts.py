"""Receipts of usage: the outcome of every event of one request, answered once they are counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from anyio import to_thread
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from api.http.problems import Problem
from api.http.reading import POSITION_HEADER
from api.http.state import ApiState
from api.http.writing import accepted, wants_async
from consumers.intake.intake import IntakeReceipt
from consumers.intake.options import SLICE_EVENTS_MAX
from consumers.intake.requests import EventsWarning
from domain.usage.outcomes import DecidedOutcome, EventOutcome, OutcomeCounts
from projections.queries.events import Receipt, RowSpan


class OutcomeCountsView(BaseModel):
    """Numbers of events by outcome."""

    counted: int
    duplicate: int = Field(description="Same identity and content as an event counted before; has no effect.")
    conflict: int = Field(
        description="Same identity as an event counted before, but other content; the earlier event holds."
    )
    rejected: int


class OutcomeView(BaseModel):
    """The outcome of one event that was not counted."""

    source: str | None
    id: str | None
    outcome: DecidedOutcome
    reason: str | None = None
    detail: str | None = Field(None, description="For a rejected event: the field and the rule that it breaks.")


class WarningView(BaseModel):
    """A member of data that says nothing though it looks as if it should."""

    member: str = Field(examples=["data.input_token"])
    advice: str = Field(examples=["is kept as a property: did you mean input_tokens?"])
    events: int = Field(description="Number of events with it.")


class ReceiptView(BaseModel):
    """The outcomes of the events of one request."""

    position: int = Field(description="The log position that this answer is true for.")
    counts: OutcomeCountsView
    outcomes: list[OutcomeView] = Field(description="The events that were not counted, in order.")
    outcomes_truncated: bool = Field(
        False, description="Whether more events were not counted than are listed; see GET /v1/rejected."
    )
    warnings: list[WarningView] = Field([], description="Members of data that were not understood, at most 20.")


class ReplacementCountsView(OutcomeCountsView):
    """Numbers of events by what became of them: each event is in one of these."""

    duplicate: int = Field(description="The event of its identity is like it; has no effect.")
    conflict: int = Field(
        description="The event of its identity has other content and stays so: an earlier event of the request, or one "
        "after `known_at`, holds."
    )
    amended: int = Field(description="The event of its identity had other content, and is like it now.")


class ReplacementView(ReceiptView):
    """The outcomes of the events of one request that replaces others."""

    counts: ReplacementCountsView
    outcomes: list[OutcomeView] = Field(description="The events that were neither counted nor amended, in order.")


class TotalCountsView(OutcomeCountsView):
    """Numbers of events by the outcome that they have now."""

    withdrawn: int = Field(description="A backfill replaced the event, or loaded it and was reverted.")


def totals_view(counts: OutcomeCounts) -> TotalCountsView:
    """Convert counts by outcome to their response."""
    return TotalCountsView(**msgspec.structs.asdict(counts))


def counts_view(counts: OutcomeCounts) -> OutcomeCountsView:
    """Convert counts by outcome to their response."""
    return OutcomeCountsView(
        counted=counts.counted, duplicate=counts.duplicate, conflict=counts.conflict, rejected=counts.rejected
    )


class _Counts(msgspec.Struct, frozen=True):
    """What `OutcomeCountsView` describes, as it is written."""

    counted: int
    duplicate: int = 0
    conflict: int = 0
    rejected: int = 0

    @classmethod
    def of(cls, counts: OutcomeCounts) -> _Counts:
        return cls(counts.counted, counts.duplicate, counts.conflict, counts.rejected)


class _ReplacementCounts(_Counts, frozen=True):
    """What `ReplacementCountsView` describes, as it is written."""

    amended: int = 0


class _Document(msgspec.Struct, frozen=True):
    """What `ReceiptView` describes, as it is written."""

    position: int
    counts: _Counts
    outcomes: msgspec.Raw = msgspec.Raw(b"[]")
    outcomes_truncated: bool = False
    warnings: tuple[EventsWarning, ...] = ()


async def receipt_response(
    request: Request,
    state: ApiState,
    taken: IntakeReceipt,
    single: bool = False,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """Answer with the outcomes of the events once they are counted; 202 as in `answer_command`.

    `single`: the request is one event, and a `Problem` tells that it was rejected (422) or is a conflict (409). `more`:
    members that the dialect shows beside the outcomes.
    """
    preferred = wants_async(request)
    if preferred or not await state.fold.folded(taken.position):
        return accepted(taken.position, preferred)
    headers = {POSITION_HEADER: str(taken.position)}
    counted = _receipt_of_counted(state, taken)
    if counted is not None:
        return Response(_body(counted, more), 200, headers, "application/json")
    receipt = await read_receipt(state, taken)
    if single and receipt.shown:
        _check_single(receipt.outcomes()[0], taken.position, headers)
    outcomes = msgspec.Raw(receipt.outcomes_json)
    document = _Document(taken.position, _Counts.of(receipt.counts), outcomes, receipt.is_truncated, taken.warnings)
    return Response(_body(document, more), 200, headers, "application/json")


async def replacement_response(
    request: Request, state: ApiState, taken: IntakeReceipt, received: Sequence[int]
) -> Response:
    """Answer with what became of the events, once those at the locators `received` replaced others; 202 as above."""
    preferred = wants_async(request)
    if preferred or not await state.fold.folded(taken.position):
        return accepted(taken.position, preferred)
    receipt = await read_receipt(state, taken, received)
    counts = msgspec.structs.asdict(_Counts.of(receipt.counts))
    counts |= {"counted": receipt.counts.counted - len(received), "amended": len(received)}
    document = _Document(
        taken.position,
        _ReplacementCounts(**counts),
        msgspec.Raw(receipt.outcomes_json),
        receipt.is_truncated,
        taken.warnings,
    )
    headers = {POSITION_HEADER: str(taken.position)}
    return Response(_body(document, None), 200, headers, "application/json")


async def read_receipt(state: ApiState, taken: IntakeReceipt, replaced_by: Sequence[int] | None = None) -> Receipt:
    """Read the outcomes of the events, which are folded; with `replaced_by`, as `Snapshot.replacement_receipt`."""
    if taken.received <= SLICE_EVENTS_MAX:
        return await to_thread.run_sync(_receipt, state, taken, replaced_by)
    # One at a time: several long receipts would together keep the fold and the event loop from the cores.
    async with state.long_receipts:
        return await to_thread.run_sync(_receipt, state, taken, replaced_by)


def _check_single(outcome: EventOutcome, position: int, headers: Mapping[str, str]) -> None:
    """Raise the `Problem` of an event that is rejected or a conflict; a duplicate is none."""
    if outcome.outcome == "rejected":
        detail = outcome.detail or "the event breaks a rule"
        field, _, rule = detail.partition(": ")
        more = {"reason": outcome.reason, "position": position}
        errors = ((field, rule),)
        raise Problem("event_rejected", detail, field=field, rule=rule, errors=errors, headers=headers, more=more)
    if outcome.outcome == "conflict":
        detail = f"an earlier event of source {outcome.source!r} has the id {outcome.id!r} and other content"
        raise Problem("event_conflict", detail, headers=headers, more={"position": position})


def _receipt_of_counted(state: ApiState, taken: IntakeReceipt) -> _Document | None:
    """The receipt when every event is known to be counted, else None. Asks no snapshot."""
    if not state.engine.reads.all_counted(spans_of(taken)):
        return None
    return _Document(taken.position, _Counts(taken.received), warnings=taken.warnings)


def spans_of(taken: IntakeReceipt) -> list[RowSpan]:
    """Return where the events of a request are stored."""
    return [RowSpan(piece.position, piece.row_from, piece.row_to) for piece in taken.pieces]


def _receipt(state: ApiState, taken: IntakeReceipt, replaced_by: Sequence[int] | None) -> Receipt:
    with state.engine.reads.snapshot() as snapshot:
        if replaced_by is None:
            return snapshot.receipt(spans_of(taken))
        return snapshot.replacement_receipt(spans_of(taken), replaced_by)


def _body(document: _Document, more: Mapping[str, Any] | None) -> bytes:
    return msgspec.json.encode(document if more is None else {**msgspec.structs.asdict(document), **more})
