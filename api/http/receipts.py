"""Receipts of usage: the outcome of every event of one request, answered once they are counted."""

from __future__ import annotations

from collections.abc import Mapping
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
from domain.usage.outcomes import EventOutcome, Outcome, OutcomeCounts
from projections.queries.events import RowSpan


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
    outcome: Outcome
    reason: str | None = None
    detail: str | None = Field(None, description="For a rejected event: the field and the rule that it breaks.")


class ReceiptView(BaseModel):
    """The outcomes of the events of one request."""

    position: int = Field(description="The log position that this answer is true for.")
    counts: OutcomeCountsView
    outcomes: list[OutcomeView] = Field(description="The events that were not counted, in order.")
    outcomes_truncated: bool = Field(
        False, description="Whether more events were not counted than are listed; see GET /v1/rejected."
    )


def counts_view(counts: OutcomeCounts) -> OutcomeCountsView:
    """Convert counts by outcome to their response."""
    return OutcomeCountsView(
        counted=counts.counted, duplicate=counts.duplicate, conflict=counts.conflict, rejected=counts.rejected
    )


def outcome_document(outcome: EventOutcome) -> OutcomeView:
    """Convert the outcome of one event to its response."""
    return OutcomeView(
        source=outcome.source, id=outcome.id, outcome=outcome.outcome, reason=outcome.reason, detail=outcome.detail
    )


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
    first, body = await to_thread.run_sync(_receipt, state, taken, more)
    if single and first is not None:
        _check_single(first, taken.position, headers)
    return Response(body, 200, headers, "application/json")


def _check_single(outcome: OutcomeView, position: int, headers: Mapping[str, str]) -> None:
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


def _receipt_of_counted(state: ApiState, taken: IntakeReceipt) -> ReceiptView | None:
    """The receipt when every event is known to be counted, else None. Asks no snapshot."""
    if not state.engine.reads.all_counted(_spans(taken)):
        return None
    counts = OutcomeCountsView(counted=taken.received, duplicate=0, conflict=0, rejected=0)
    return ReceiptView(position=taken.position, counts=counts, outcomes=[])


def _spans(taken: IntakeReceipt) -> list[RowSpan]:
    return [RowSpan(piece.position, piece.row_from, piece.row_to) for piece in taken.pieces]


def _receipt(
    state: ApiState, taken: IntakeReceipt, more: Mapping[str, Any] | None
) -> tuple[OutcomeView | None, str | bytes]:
    """The first event that was not counted, and the whole receipt as JSON, which takes long if it is a long one."""
    with state.engine.reads.snapshot() as snapshot:
        counts, outcomes = snapshot.receipt(_spans(taken))
    view = ReceiptView(
        position=taken.position,
        counts=counts_view(counts),
        outcomes=[outcome_document(outcome) for outcome in outcomes],
        outcomes_truncated=len(outcomes) < counts.received - counts.counted,
    )
    return (view.outcomes[0] if view.outcomes else None), _body(view, more)


def _body(view: ReceiptView, more: Mapping[str, Any] | None) -> str | bytes:
    return view.model_dump_json() if more is None else msgspec.json.encode({**view.model_dump(mode="json"), **more})
