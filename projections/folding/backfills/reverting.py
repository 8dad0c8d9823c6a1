"""The revert of a backfill: as if it had never been committed, from the position of the revert on.

1. Withdraw the loaded events: those that counted, and what became duplicates and conflicts of others.
2. Count the events again that the replacement withdrew; those of unknown cost are priced, if a price is known now.
3. Of each identity that is free now, the next claimant counts: a duplicate or conflict of what was loaded is resolved
   again, in the order in which it came.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from domain.usage.outcomes import REVERTED
from projections.folding.backfill_store import RawCost, Reinstated, Withdrawal, WithdrawnRows
from projections.folding.backfills.committing import Claimed, Claiming, claimed_of
from projections.folding.backfills.prepared import PreparedRevert, attaching
from projections.folding.backfills.staged_events import ClaimPoint, events_at
from projections.folding.fold_state import FoldState
from projections.folding.fold_store import FoldStore
from projections.folding.unknown_costs import price_unknown_costs
from projections.folding.usage_blocks import received_rows
from projections.identity.entries import U64
from projections.identity.resolution import Resolution

#: Events whose rows are made at once.
CHUNK_EVENTS_MAX: Final = 40_000


class Reverted(msgspec.Struct, frozen=True, eq=False):
    """By how much each outcome grew, what the raw cost grew by, and the claims of events that count from now on."""

    claimed: Claimed
    counted: int
    duplicate: int
    conflict: int
    withdrawn: int
    difference: RawCost


def revert_events(
    store: FoldStore,
    claiming: Claiming,
    state: FoldState,
    scope_key: int,
    positions: list[int],
    committed_at: int,
    stream: str,
    at: ClaimPoint,
    ready: PreparedRevert | None = None,
) -> Reverted:
    """Take the events of these blocks back, which were committed at a position; `ready`: what is prepared of it."""
    by = Withdrawal(stream, at.position, at.recorded_at, REVERTED)
    loaded = _withdraw(store, positions, by, ready)
    uncounted = store.withdraw_uncounted(positions, by)
    state.taken.revert(loaded.locators)
    state.taken.reinstate(loaded.locators)
    again = _reinstate(store, committed_at, at.position, ready)
    state.taken.reinstate(again.locators)
    difference = again.cost.minus(loaded.cost)
    for kind_key in again.unknown_kind_keys:
        _, provider, model = state.series(kind_key)
        priced = price_unknown_costs(store, state, scope_key, provider or "", model or "", at.position)
        difference = difference.plus(priced)
    state.waiting_voids = store.waiting_voids()
    followers = store.take_followers(positions, at.position)
    before = followers.column("outcome").to_pylist()
    claimed = _claim_next(claiming, state, followers.column("locator").to_numpy().astype(np.uint64), at)
    lost, back = len(loaded.locators) - loaded.already, len(again.locators)
    return Reverted(
        claimed,
        counted=back + claimed.counted - lost,
        duplicate=claimed.duplicate - before.count("duplicate") - uncounted.duplicate,
        conflict=claimed.conflict - before.count("conflict") - uncounted.conflict,
        withdrawn=lost + uncounted.duplicate + uncounted.conflict - back,
        difference=difference.plus(claimed.cost),
    )


def _withdraw(store: FoldStore, positions: list[int], by: Withdrawal, ready: PreparedRevert | None) -> WithdrawnRows:
    if ready is None:
        return store.withdraw_blocks(positions, by)
    attaching(store).attach_leaving(ready.leaving, ready.loaded, by, positions)
    return ready.loaded


def _reinstate(store: FoldStore, replaced_at: int, position: int, ready: PreparedRevert | None) -> Reinstated:
    if ready is None or ready.again is None or ready.returning is None:
        return store.reinstate(replaced_at, position)
    attaching(store).attach_returning(ready.returning, replaced_at, position)
    return ready.again


def _claim_next(claiming: Claiming, state: FoldState, locators: U64, at: ClaimPoint) -> Claimed:
    """Let these events claim, in this order."""
    if not len(locators):
        return Claimed()
    rows = events_at(claiming.log, locators, state, at, free=False)
    resolved = claiming.resolved(rows, state)
    received = received_rows(rows)
    counted, cost = resolved.counted, RawCost()
    for first in range(0, len(locators), CHUNK_EVENTS_MAX):
        chunk = slice(first, first + CHUNK_EVENTS_MAX)
        part = Resolution(resolved.codes[chunk], resolved.first_locators[chunk])
        made = events_at(claiming.log, locators[chunk], state, at, free=True)
        cost = cost.plus(claiming.add(made, part, state))
    claims = received.identities[counted], received.contents[counted], received.locators[counted]
    return claimed_of(resolved, claims, cost)
