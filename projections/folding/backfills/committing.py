"""The commit of a backfill: its events claim their identities, at the position of the commit, and count.

1. A replacement withdraws the counted events of the range first; its own events may take their identities.
2. Resolve all loaded events in their order, as live events are, against the claims that stand.
3. Write rows of those that count and outcomes of the others, some blocks at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.log.records import EventLog
from domain.usage.locators import LOCATOR_ROW_BITS
from domain.usage.outcomes import BACKFILL_CLOSED
from projections.arrow_columns import Bools
from projections.folding.attribution.attributed_rows import with_customers, without_customer
from projections.folding.backfill_store import RawCost
from projections.folding.backfills.staged_events import ClaimPoint, block_chunks, events_of_blocks
from projections.folding.fold_state import FoldState
from projections.folding.fold_store import FoldStore
from projections.folding.usage_blocks import StepRows, outcome_rows, received_rows, usage_rows
from projections.identity.entries import NO_U64, U64
from projections.identity.index import IdentityIndex
from projections.identity.resolution import (
    BATCH_REFUSED,
    CONFLICT,
    COUNTED,
    DUPLICATE,
    OUTCOME_OF_CODE,
    REJECTED,
    Resolution,
    SameAsStored,
    SameHere,
    resolve,
)

#: Events whose rows are made at once.
CHUNK_EVENTS_MAX: Final = 40_000

Comparisons = Callable[[StepRows], tuple[SameAsStored, SameHere]]


class Claimed(msgspec.Struct, frozen=True, eq=False):
    """The claims of events that count from now on, numbers of them by outcome, and the raw cost of those that hold."""

    claims: tuple[U64, U64, U64] = (NO_U64, NO_U64, NO_U64)
    counted: int = 0
    duplicate: int = 0
    conflict: int = 0
    cost: RawCost = RawCost()


class Claiming(msgspec.Struct, frozen=True):
    """What events need to claim with: the log, the index, the store, and the comparison of identities."""

    log: EventLog
    index: IdentityIndex
    store: FoldStore
    comparisons: Comparisons

    def resolved(self, rows: StepRows, state: FoldState, replaced: U64 = NO_U64) -> Resolution:
        """Resolve events in their order; see `TakenClaims.standing` for `replaced`."""
        received = received_rows(rows)
        prior = state.taken.standing(self.index.lookup(received.identities), replaced)
        return state.amended.resolved(received, resolve(received, prior, *self.comparisons(rows)))

    def add(self, rows: StepRows, resolved: Resolution, state: FoldState) -> RawCost:
        """Write events with their free columns: rows of those that count, outcomes of those that intake accepted.

        Returns the raw cost of the rows that hold.
        """
        counted = resolved.counted
        rows = with_customers(rows, without_customer(rows, counted), state.subscribers)
        cost = RawCost()
        if counted.any():
            made = usage_rows(rows, counted, state)
            self.store.add_claimed_rows(made)
            cost = cost_of(made.filter(pc.is_null(made.column("closed_at"))))
        refused = ~counted & (resolved.codes != REJECTED)
        if refused.any():
            self.store.add_late_outcomes(_outcomes(rows, resolved, refused))
        return cost


def commit_events(claiming: Claiming, state: FoldState, positions: list[int], at: ClaimPoint, replaced: U64) -> Claimed:
    """Let the events of these blocks claim and count."""
    if not positions:
        return Claimed()
    whole = events_of_blocks(claiming.log, positions, state, at, free=False)
    resolved = claiming.resolved(whole, state, replaced)
    identities = received_rows(whole)
    counts = np.unique(whole.locators >> LOCATOR_ROW_BITS, return_counts=True)[1].tolist()
    starts, cost = np.concatenate([[0], np.cumsum(counts)]).tolist(), RawCost()
    counted = resolved.counted
    claims = identities.identities[counted], identities.contents[counted], identities.locators[counted]
    del whole
    for chunk in block_chunks(counts, CHUNK_EVENTS_MAX):
        rows = events_of_blocks(claiming.log, positions[chunk], state, at, free=True)
        of_chunk = slice(starts[chunk.start], starts[chunk.stop])
        part = Resolution(resolved.codes[of_chunk], resolved.first_locators[of_chunk])
        cost = cost.plus(claiming.add(rows, part, state))
    return claimed_of(resolved, claims, cost)


def claimed_of(resolved: Resolution, claims: tuple[U64, U64, U64], cost: RawCost) -> Claimed:
    """Sum up what became of events; those that intake rejected are counted nowhere here."""
    by_code = np.bincount(resolved.codes, minlength=len(OUTCOME_OF_CODE)).tolist()
    return Claimed(claims, by_code[COUNTED], by_code[DUPLICATE], by_code[CONFLICT], cost)


def refuse_blocks(claiming: Claiming, state: FoldState, positions: list[int], at: ClaimPoint) -> int:
    """Reject the events of blocks that came too late for their backfill; return how many."""
    blocks = (events_of_blocks(claiming.log, [position], state, at, free=True) for position in positions)
    return sum(refuse_rows(claiming, rows) for rows in blocks)


def refuse_rows(claiming: Claiming, rows: StepRows) -> int:
    """Reject events with their free columns, likewise."""
    accepted = received_rows(rows).accepted
    if not accepted.any():
        return 0
    codes = np.where(accepted, BATCH_REFUSED, REJECTED).astype(np.uint8)
    table = _outcomes(rows, Resolution(codes, np.zeros(len(codes), dtype=np.uint64)), accepted)
    reasons = pa.array([BACKFILL_CLOSED] * table.num_rows, pa.utf8())
    at_reason = table.schema.get_field_index("reason")
    claiming.store.add_late_outcomes(table.set_column(at_reason, "reason", reasons))
    return int(table.num_rows)


def cost_of(rows: pa.Table) -> RawCost:
    """Sum the raw cost of rows."""
    found: Decimal | None = pc.sum(rows.column("cost_usd")).as_py()
    unknown: int | None = pc.sum(pc.equal(rows.column("cost_origin").cast(pa.utf8()), "unknown")).as_py()
    return RawCost(found or Decimal(0), unknown or 0)


def _outcomes(rows: StepRows, resolved: Resolution, refused: Bools) -> pa.Table:
    """The outcomes of these rows alone. Those that intake rejected have theirs since they were loaded."""
    table = outcome_rows(rows, resolved)
    return table.filter(pa.array(refused[~resolved.counted]))
