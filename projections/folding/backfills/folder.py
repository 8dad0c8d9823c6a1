"""Backfills in the fold: blocks that are loaded, and the records that open, commit, revert and cancel.

1. A block of an open backfill is noted, with the events that intake rejected; its other events wait. Those of a block
   that came too late are rejected.
2. The commit withdraws what it replaces, lets the events that wait claim, and rejects those of blocks that came after
   its preview.
3. The revert withdraws what was loaded, and gives each identity to its next claimant.

Of 2 and 3, most may have been prepared (`prepared.py`).

What claims in a step goes to the identity index after the step, as claims of live events do.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from domain.backfills.backfill_range import BackfillRange
from domain.backfills.events import BackfillCommitted, BackfillEvent, BackfillOpened, BackfillReverted
from domain.log.blocks import read_header
from domain.log.records import EventLog, LogRecord
from domain.scope import Scope
from domain.streams import staged_stream
from domain.usage.outcomes import REPLACED
from projections.folding.backfill_store import (
    NewBackfill,
    NewStagedBlock,
    ReplacedRange,
    Withdrawal,
    WithdrawnRows,
)
from projections.folding.backfills.committing import (
    Claimed,
    Claiming,
    Comparisons,
    commit_events,
    refuse_blocks,
    refuse_rows,
)
from projections.folding.backfills.prepared import PreparedChanges, PreparedCommit, attaching, renamed_keys
from projections.folding.backfills.reverting import revert_events
from projections.folding.backfills.staged_events import ClaimPoint, events_of_record
from projections.folding.fold_state import FoldState
from projections.folding.fold_store import FoldStore
from projections.folding.usage_blocks import StepRows, outcome_rows, received_rows
from projections.identity.entries import NO_U64, U64
from projections.identity.index import IdentityIndex
from projections.identity.known_backfills import KnownBackfill
from projections.identity.resolution import COUNTED, REJECTED, Resolution

#: Numbers of events by outcome: counted, duplicate, conflict, rejected, withdrawn.
Counts = tuple[int, int, int, int, int]
_NO_CLAIMS: Final = (NO_U64, NO_U64, NO_U64)
_NOTHING: Final[Counts] = (0, 0, 0, 0, 0)


class FoldedBackfill(msgspec.Struct, frozen=True, eq=False):
    """What folding a record of a backfill gave: the key of its scope, counts of its log record, and new claims."""

    scope_key: int
    counts: Counts = _NOTHING
    claims: tuple[U64, U64, U64] = _NO_CLAIMS


class BackfillFolder:
    """Folds records of backfills in log order, within the transaction that the caller holds open."""

    def __init__(self, log: EventLog, store: FoldStore, index: IdentityIndex, comparisons: Comparisons) -> None:
        self._store = store
        self._claiming = Claiming(log, index, store, comparisons)
        self.prepared = PreparedChanges()

    def stage(self, state: FoldState, record: LogRecord) -> FoldedBackfill:
        """Fold a block that was loaded."""
        header = read_header(record.state)
        scope_key, name = state.scope_key(header.scope), str(header.extra["backfill"])
        at = ClaimPoint(record.position, header.recorded_at)
        known = state.backfills.find(scope_key, name)
        rows = events_of_record(record, state, at)
        rejected = self._reject_at_intake(rows)
        if known is None or not known.is_open:
            late = refuse_rows(self._claiming, rows)
            return FoldedBackfill(scope_key, (0, 0, 0, rejected + late, 0))
        known.blocks.append(record.position)
        self._store.add_staged_block(
            NewStagedBlock(scope_key, name, record.position, header.recorded_at, header.count - rejected, rejected)
        )
        return FoldedBackfill(scope_key, (0, 0, 0, rejected, 0))

    def _reject_at_intake(self, rows: StepRows) -> int:
        accepted = received_rows(rows).accepted
        if accepted.all():
            return 0
        codes = np.where(accepted, COUNTED, REJECTED).astype(np.uint8)
        self._store.add_outcomes(outcome_rows(rows, Resolution(codes, np.zeros(len(codes), dtype=np.uint64))))
        return int(np.count_nonzero(~accepted))

    def apply(self, state: FoldState, position: int, topic: str, event: BackfillEvent) -> FoldedBackfill:
        """Fold an event of a backfill."""
        scope = Scope(event.tenant, event.environment)
        scope_key, by = state.scope_key(scope), event.provenance
        backfill = NewBackfill(scope_key, event.name, topic, position, event.recorded_at, by.actor, by.reason)
        at, stream = ClaimPoint(position, event.recorded_at), staged_stream(scope, event.name)
        match event:
            case BackfillOpened():
                state.backfills.open(scope_key, event.name)
                backfill = msgspec.structs.replace(backfill, range=event.range, mode=event.mode)
                folded = FoldedBackfill(scope_key)
            case BackfillCommitted():
                backfill, folded = self._commit(state, backfill, event, at, stream)
            case BackfillReverted():
                backfill, folded = self._revert(state, backfill, at, stream)
            case _:
                state.backfills.get(scope_key, event.name).ended = True
                folded = FoldedBackfill(scope_key)
        self._store.add_backfill(backfill)
        return folded

    def _commit(
        self, state: FoldState, backfill: NewBackfill, event: BackfillCommitted, at: ClaimPoint, stream: str
    ) -> tuple[NewBackfill, FoldedBackfill]:
        known = state.backfills.get(backfill.scope_key, backfill.name)
        known.committed_at = at.position
        ready = self.prepared.take_commit(backfill.scope_key, backfill.name, event.previewed_at, event.blocks)
        if ready is None:
            replaced, claimed = self._work_out(state, known, event, at, stream)
        else:
            replaced, claimed = self._attach(state, ready, at, stream)
        late = refuse_blocks(self._claiming, state, known.blocks[event.blocks :], at)
        known.blocks = known.blocks[: event.blocks]
        withdrawn, difference = len(replaced.locators), claimed.cost.minus(replaced.cost)
        backfill = msgspec.structs.replace(
            backfill,
            previewed_at=event.previewed_at,
            blocks=event.blocks,
            counted=claimed.counted - withdrawn,
            duplicate=claimed.duplicate,
            conflict=claimed.conflict,
            withdrawn=withdrawn,
            difference_usd=difference.usd,
            cost_unknown_events=difference.unknown_events,
        )
        return backfill, _folded(backfill, late, claimed)

    def _work_out(
        self, state: FoldState, known: KnownBackfill, event: BackfillCommitted, at: ClaimPoint, stream: str
    ) -> tuple[WithdrawnRows, Claimed]:
        scope_key = state.scope_key(Scope(event.tenant, event.environment))
        replaced = self._replace(state, scope_key, event, at, stream)
        state.taken.withdraw(replaced.locators)
        if event.mode == "replace":
            state.waiting_voids = self._store.waiting_voids()  # a void holds for what replaces its event
        free = np.union1d(replaced.locators, replaced.before)
        return replaced, commit_events(self._claiming, state, known.blocks[: event.blocks], at, free)

    def _attach(
        self, state: FoldState, ready: PreparedCommit, at: ClaimPoint, stream: str
    ) -> tuple[WithdrawnRows, Claimed]:
        store = attaching(self._store)
        if ready.leaving is not None:
            withdrawal = Withdrawal(stream, at.position, at.recorded_at, REPLACED)
            store.attach_leaving(ready.leaving, ready.replaced, withdrawal)
            state.taken.withdraw(ready.replaced.locators)
        renamed = renamed_keys(ready.new, state, at.position)
        store.attach_arriving(ready.arriving, renamed, at.position, at.recorded_at)
        return ready.replaced, ready.claimed

    def _replace(
        self, state: FoldState, scope_key: int, event: BackfillCommitted, at: ClaimPoint, stream: str
    ) -> WithdrawnRows:
        if event.mode != "replace":
            return WithdrawnRows(NO_U64, 0)
        asked = replaced_range(event.range, scope_key, state, event.previewed_at)
        return self._store.withdraw_range(asked, Withdrawal(stream, at.position, at.recorded_at, REPLACED))

    def _revert(
        self, state: FoldState, backfill: NewBackfill, at: ClaimPoint, stream: str
    ) -> tuple[NewBackfill, FoldedBackfill]:
        known = state.backfills.get(backfill.scope_key, backfill.name)
        known.ended = True
        reverted = revert_events(
            self._store,
            self._claiming,
            state,
            backfill.scope_key,
            known.blocks,
            known.committed_at or 0,
            stream,
            at,
            self.prepared.take_revert(backfill.scope_key, backfill.name),
        )
        backfill = msgspec.structs.replace(
            backfill,
            counted=reverted.counted,
            duplicate=reverted.duplicate,
            conflict=reverted.conflict,
            withdrawn=reverted.withdrawn,
            difference_usd=reverted.difference.usd,
            cost_unknown_events=reverted.difference.unknown_events,
        )
        return backfill, _folded(backfill, 0, reverted.claimed)


def _folded(backfill: NewBackfill, late: int, claimed: Claimed) -> FoldedBackfill:
    counts = backfill.counted, backfill.duplicate, backfill.conflict, late, backfill.withdrawn
    return FoldedBackfill(backfill.scope_key, counts, claimed.claims)


def replaced_range(asked: BackfillRange, scope_key: int, state: FoldState, counted_up_to: int) -> ReplacedRange:
    """Return the events that a replacement withdraws, by the keys of the customers that are known."""
    found = [state.customer_keys.get((scope_key, customer)) for customer in asked.customers]
    keys = tuple(sorted(key for key in found if key is not None)) if asked.customers else None
    return ReplacedRange(scope_key, asked.start, asked.end, keys, asked.sources, counted_up_to)
