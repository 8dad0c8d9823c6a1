"""Commits and reverts of backfills, worked out on a snapshot and written beside the store, for the fold to attach.

1. Take a snapshot: what the fold knows, and the backfill. It is closed at once, since an open one holds up flushes.
2. Write what leaves: the sums and outcomes of the events that are withdrawn.
3. Try the commit as its preview does, and write the rows, sums and outcomes of what arrives.

Whoever calls this has the fold note, from before 1, what could make the change another (`PreparedChanges`).
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow.compute as pc

from domain.scope import Scope
from domain.streams import staged_stream
from domain.usage.outcomes import REPLACED, REVERTED
from projections.folding.backfill_store import PreparedTables, Withdrawal, WithdrawnRows
from projections.folding.backfills.committing import Claimed
from projections.folding.backfills.folder import replaced_range
from projections.folding.backfills.prepared import PreparedCommit, PreparedRevert
from projections.folding.backfills.staged_events import ClaimPoint
from projections.folding.fold_state import FoldState
from projections.folding.numbers_first.rows_of_log import sorted_rows
from projections.identity.entries import NO_U64, sorted_entries
from projections.queries.backfills import BackfillRecord
from projections.queries.snapshot import ReadStore
from projections.read_side.loaded_events import LoadedEvents, fold_reads, next_claim_point
from projections.read_side.store import Preparation


class AskedCommit(NamedTuple):
    """A commit as its record will tell it."""

    scope: Scope
    name: str
    previewed_at: int
    blocks: int


class _Known(NamedTuple):
    backfill: BackfillRecord
    state: FoldState
    scope_key: int
    at: ClaimPoint
    stream: str

    def withdrawal(self, reason: str) -> Withdrawal:
        return Withdrawal(self.stream, self.at.position, self.at.recorded_at, reason)

    @property
    def blocks(self) -> list[int]:
        return self.state.backfills.get(self.scope_key, self.backfill.name).blocks


class ChangePreparation:
    """Works changes out in one thread. Changes of fewer than `events_min` events are left to the fold."""

    def __init__(self, reads: ReadStore, tried: LoadedEvents, writes: Preparation, events_min: int) -> None:
        self._reads = reads
        self._tried = tried
        self._writes = writes
        self._events_min = events_min

    def commit(self, asked: AskedCommit) -> PreparedCommit | None:
        """Work out the commit of a backfill; None when it is not open, or when this is left to the fold."""
        known = self._known(asked.scope, asked.name, "open")
        if known is None or (known.backfill.mode == "add" and known.backfill.loaded_events < self._events_min):
            return None
        withdrawn = self._leaving(known, asked.previewed_at)
        if withdrawn is None:
            return None
        replaced, leaving = withdrawn
        try:
            if len(replaced.locators) + known.backfill.loaded_events >= self._events_min:
                change = self._arriving(known, asked, replaced, leaving)
                if change is not None:
                    leaving = None
                    return change
            return None
        finally:
            if leaving is not None:
                self._writes.drop(leaving)

    def revert(self, scope: Scope, name: str) -> PreparedRevert | None:
        """Work out the revert of a backfill; None when it is not committed, or when this is left to the fold."""
        known = self._known(scope, name, "committed")
        if known is None or not self._is_large(known.backfill):
            return None
        loaded, leaving = self._writes.leaving_blocks(known.blocks, known.withdrawal(REVERTED))
        change = PreparedRevert(known.scope_key, name, loaded, leaving)
        committed_at = known.state.backfills.get(known.scope_key, name).committed_at
        if known.backfill.mode == "add" or committed_at is None:
            return change
        try:
            again, returning = self._writes.returning(committed_at)
        except BaseException:
            self._writes.drop(leaving)
            raise
        return msgspec.structs.replace(change, again=again, returning=returning)

    def _is_large(self, backfill: BackfillRecord) -> bool:
        withdrawn = 0 if backfill.committed is None else backfill.committed.withdrawn
        return backfill.loaded_events + withdrawn >= self._events_min

    def _known(self, scope: Scope, name: str, state: str) -> _Known | None:
        with self._reads.snapshot() as snapshot:
            backfill = snapshot.backfill(scope, name)
            if backfill is None or backfill.state != state:
                return None
            known = self._tried.fold_state(fold_reads(snapshot))
            at = next_claim_point(snapshot)
            return _Known(backfill, known, known.scope_key(scope), at, staged_stream(scope, name))

    def _leaving(self, known: _Known, previewed_at: int) -> tuple[WithdrawnRows, PreparedTables | None] | None:
        if known.backfill.mode == "add":
            return WithdrawnRows(NO_U64, 0), None
        asked = replaced_range(known.backfill.range, known.scope_key, known.state, previewed_at)
        return self._writes.leaving_range(asked, known.withdrawal(REPLACED))

    def _arriving(
        self, known: _Known, asked: AskedCommit, replaced: WithdrawnRows, leaving: PreparedTables | None
    ) -> PreparedCommit | None:
        free = np.union1d(replaced.locators, replaced.before)
        tried = self._tried.tried(known.state, known.blocks[: asked.blocks], known.at, free)
        rows = sorted_rows(tried.made) if tried.made else tried.rows()
        if pc.any(pc.is_valid(rows.column("closed_at"))).as_py():  # voided before it came: rare, and a different end
            return None
        arriving = self._writes.arriving(rows, tried.outcomes)
        return PreparedCommit(
            known.scope_key,
            asked.name,
            asked.previewed_at,
            asked.blocks,
            _ascending(tried.claimed),
            arriving,
            known.state.take_new_keys(),
            replaced,
            leaving,
        )


def _ascending(claimed: Claimed) -> Claimed:
    """Claims in the order in which the index has them."""
    return msgspec.structs.replace(claimed, claims=tuple(sorted_entries(*claimed.claims)))
