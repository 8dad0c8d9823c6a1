"""Correction runs, folded into the read store."""

from __future__ import annotations

import msgspec

from domain.correction_runs.events import (
    CorrectionRunCommitted,
    CorrectionRunEvent,
    CorrectionRunOpened,
    CorrectionRunReverted,
)
from domain.scope import Scope
from projections.folding.correction_runs.amending import Amending
from projections.folding.fold_state import CommittedRun, FoldState
from projections.folding.fold_store import FoldStore
from projections.folding.lifecycle_writes import CorrectedRows, NewCorrectionRun, RowAmendment
from projections.folding.unknown_costs import price_unknown_costs
from projections.row_filter import row_filter


def fold_correction_run(
    store: FoldStore, state: FoldState, position: int, topic: str, event: CorrectionRunEvent
) -> int:
    """Fold an event of a run, within the transaction that the caller holds open, and return the key of its scope."""
    scope_key, by = state.scope_key(Scope(event.tenant, event.environment)), event.provenance
    run = NewCorrectionRun(scope_key, event.name, topic, position, event.recorded_at, by.actor, by.reason)
    match event:
        case CorrectionRunOpened():
            run = msgspec.structs.replace(run, action=event.action, filter=event.filter, members=event.members)
        case CorrectionRunCommitted():
            state.correction_runs[scope_key, event.name] = CommittedRun(position, event.members)
            corrected = _correct(store, state, scope_key, position, event)
            run = msgspec.structs.replace(run, action=event.action, previewed_at=event.previewed_at)
            run = _with_effect(store, state, msgspec.structs.replace(run, members=event.members), corrected)
        case CorrectionRunReverted():
            run = _with_effect(store, state, run, _undo(store, state, scope_key, position, event))
    store.add_correction_run(run)
    return scope_key


def _correct(
    store: FoldStore, state: FoldState, scope_key: int, position: int, event: CorrectionRunCommitted
) -> CorrectedRows:
    asked = row_filter(
        event.filter,
        scope_key,
        ((key, *of_series) for of_series, key in state.kind_keys.items()),
        lambda customer: state.customer_keys.get((scope_key, customer)),
        event.previewed_at,
    )
    if event.members is not None:
        return Amending(store, state, scope_key, RowAmendment(position, event.recorded_at)).amend(asked, event.members)
    if event.action == "void":
        return store.void_rows(asked, position)
    return store.restore_rows(asked, position)


def _undo(
    store: FoldStore, state: FoldState, scope_key: int, position: int, event: CorrectionRunReverted
) -> CorrectedRows:
    run = state.correction_runs[scope_key, event.name]
    run.is_reverted = True
    if run.members is None:
        return store.undo_corrections(run.position, position)
    amending = Amending(store, state, scope_key, RowAmendment(position, event.recorded_at))
    return amending.undo(run.position, run.members)


def _with_effect(
    store: FoldStore, state: FoldState, run: NewCorrectionRun, corrected: CorrectedRows
) -> NewCorrectionRun:
    """The event of a run with what it changed. Restored events of unknown cost are priced, if a price is known now."""
    difference = corrected.difference
    for kind_key in corrected.unknown_kinds:
        _, provider, model = state.series(kind_key)
        priced = price_unknown_costs(store, state, run.scope_key, provider or "", model or "", run.position)
        difference = difference.plus(priced)
    return msgspec.structs.replace(
        run,
        events=corrected.events,
        difference_usd=difference.usd,
        cost_unknown_events=difference.unknown_events,
    )
