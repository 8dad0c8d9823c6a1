"""Commits and reverts of backfills that are worked out before their record is written: its fold attaches what is ready.

A record that lets a million events count, or withdraws them, would hold up the fold for seconds. So:

1. `begin`: from here on, what the fold folds is noted.
2. The change is worked out on a snapshot, and its rows, sums and outcomes are written into tables that nobody reads.
3. `keep` the change; then its record is written.
4. The fold takes the change, if nothing that it folded since 1 could have made it another. Else it does the work
   itself, as it does after a crash: what is kept here decides how long the fold takes, and nothing else.

The fold is paused while 1 and 3 are called.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import msgspec

from domain.backfills.events import BACKFILL_CANCELLED, BACKFILL_OPENED
from domain.correction_runs.events import CORRECTION_RUN_OPENED
from domain.customers.events import CUSTOMER_DELETED
from domain.log.records import STAGED_BATCH_TOPIC, USAGE_BATCH_TOPIC, LogRecord
from domain.repricings.events import REPRICING_OPENED
from projections.folding.backfill_store import AttachingStore, PreparedTables, Reinstated, RenamedKeys, WithdrawnRows
from projections.folding.backfills.committing import Claimed
from projections.folding.fold_state import FoldState, NewKeys
from projections.folding.fold_store import FoldStore
from projections.identity.claims import are_among
from projections.identity.entries import NO_U64, U64

#: Claims of live events that are noted while a change is kept. With more of them it is given up.
NOTED_CLAIMS_MAX: Final = 4_000_000
#: Topics of records that change no row, no price, and nobody's subscription.
_HARMLESS: Final = (
    *("customer.", "budget.", "source.", "command.", "key.", "log.", "meter.", "plan.", "portal."),
    *("coupon.", "applied_coupon."),
    *(BACKFILL_OPENED, BACKFILL_CANCELLED, CORRECTION_RUN_OPENED, REPRICING_OPENED),
    *(STAGED_BATCH_TOPIC, USAGE_BATCH_TOPIC),
)


class PreparedCommit(msgspec.Struct, frozen=True, eq=False):
    """The commit of a backfill, previewed at a position when it had so many blocks.

    `claimed`: what becomes of its events, the claims ascending by identity; `arriving`: their rows, sums and outcomes.
    `new`: the keys that these have for customers and series which had none. Of a replacement: what it `replaced`, and
    the sums and outcomes of what is `leaving`.
    """

    scope_key: int
    name: str
    previewed_at: int
    blocks: int
    claimed: Claimed
    arriving: PreparedTables
    new: NewKeys
    replaced: WithdrawnRows = WithdrawnRows(NO_U64, 0)
    leaving: PreparedTables | None = None

    @property
    def tables(self) -> tuple[PreparedTables, ...]:
        """All tables that were written."""
        return (self.arriving,) if self.leaving is None else (self.arriving, self.leaving)


class PreparedRevert(msgspec.Struct, frozen=True, eq=False):
    """The revert of a backfill: the events that it had `loaded`, and the sums and outcomes of what is `leaving`.

    Of a replacement: the events that count `again`, and the versions and sums of what is `returning`.
    """

    scope_key: int
    name: str
    loaded: WithdrawnRows
    leaving: PreparedTables
    again: Reinstated | None = None
    returning: PreparedTables | None = None

    @property
    def tables(self) -> tuple[PreparedTables, ...]:
        """All tables that were written."""
        return (self.leaving,) if self.returning is None else (self.leaving, self.returning)


PreparedChange = PreparedCommit | PreparedRevert


class PreparedChanges:
    """The change that is prepared for one fold, at most one, and what was folded since it was begun."""

    def __init__(self) -> None:
        self.end()

    def begin(self) -> None:
        """Note from now on what the fold folds."""
        self.end()
        self._is_noting = True

    def end(self) -> None:
        """Forget the change that is kept, and note nothing more."""
        self._is_noting = False
        self._is_void = False
        self._kept: PreparedChange | None = None
        self._claims: list[U64] = []
        self._claim_count = 0

    def keep(self, change: PreparedChange) -> bool:
        """Keep a change for the fold; false when what was folded since `begin` has made it another."""
        if not self._is_noting or self._is_void or self._clashes(change):
            return False
        self._kept, self._claims = change, []
        return True

    def note(self, records: Sequence[LogRecord], claims: U64, state: FoldState) -> None:
        """Note the records of a step, the identities that it claimed, and the state after it."""
        if not self._is_noting or self._is_void:
            return
        ends_prices = state.prices.has_customers or state.subscribers.has_customers
        self._is_void = any(
            not record.topic.startswith(_HARMLESS) or (record.topic == CUSTOMER_DELETED and ends_prices)
            for record in records
        )
        if len(claims):
            self._claims.append(claims)
            self._claim_count += len(claims)
            self._is_void |= self._claim_count > NOTED_CLAIMS_MAX

    def give_up(self) -> None:
        """Note that something was folded, or undone, of which nothing is known here."""
        self._is_void = True

    def take_commit(self, scope_key: int, name: str, previewed_at: int, blocks: int) -> PreparedCommit | None:
        """Return the prepared commit of a backfill, once; None when there is none that holds."""
        change = self._taken(scope_key, name)
        if not isinstance(change, PreparedCommit) or (change.previewed_at, change.blocks) != (previewed_at, blocks):
            return None
        return change

    def take_revert(self, scope_key: int, name: str) -> PreparedRevert | None:
        """Return the prepared revert of a backfill, once; None when there is none that holds."""
        change = self._taken(scope_key, name)
        return change if isinstance(change, PreparedRevert) else None

    def _taken(self, scope_key: int, name: str) -> PreparedChange | None:
        change, self._kept = self._kept, None
        if change is None or self._is_void or (change.scope_key, change.name) != (scope_key, name):
            return None
        return None if self._clashes(change) else change

    def _clashes(self, change: PreparedChange) -> bool:
        """Whether an event that was folded meanwhile has the identity of one that is to count."""
        if isinstance(change, PreparedRevert):
            return False
        return any(are_among(change.claimed.claims[0], claims).any() for claims in self._claims)


def attaching(store: FoldStore) -> AttachingStore:
    """Return the store as one that attaches prepared tables: no other has any."""
    return cast(AttachingStore, store)


def renamed_keys(new: NewKeys, state: FoldState, position: int) -> RenamedKeys:
    """Give customers and series their keys at a position; return those that differ from the prepared ones."""
    customers = [(key, state.customer_key(scope_key, name, position)) for key, scope_key, name, _ in new.customers]
    kinds = [(key, state.kind_key(kind, provider, model)) for key, kind, provider, model in new.kinds]
    return RenamedKeys(
        tuple((before, after) for before, after in customers if before != after),
        tuple((before, after) for before, after in kinds if before != after),
    )
