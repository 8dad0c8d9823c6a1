"""What a read store does for backfills, as part of `FoldStore`. The same promises hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

import msgspec
import pyarrow as pa

from domain.backfills.backfill_range import BackfillMode, BackfillRange
from domain.values.money import MONEY
from projections.arrow_columns import Ints
from projections.identity.entries import NO_U64, U64


class RawCost(msgspec.Struct, frozen=True):
    """What events cost before markup, and how many have an unknown cost, which adds nothing to it."""

    usd: Decimal = Decimal(0)
    unknown_events: int = 0

    def plus(self, other: RawCost) -> RawCost:
        """The sums of both."""
        return RawCost(MONEY.add(self.usd, other.usd), self.unknown_events + other.unknown_events)

    def minus(self, other: RawCost) -> RawCost:
        """The differences, which may be negative."""
        return RawCost(MONEY.subtract(self.usd, other.usd), self.unknown_events - other.unknown_events)


class NewBackfill(msgspec.Struct, frozen=True):
    """An event of a backfill. `kind` is the topic; `range` and `mode` are those of an opening, the rest of a commit.

    Of a commit or revert: how many events are counted, duplicates, conflicts and withdrawn more than before, what the
    raw cost of counted usage grew by, and how many more of its events have an unknown cost.
    """

    scope_key: int
    name: str
    kind: str
    position: int
    recorded_at: datetime
    actor: str
    reason: str | None
    range: BackfillRange | None = None
    mode: BackfillMode | None = None
    previewed_at: int | None = None
    blocks: int | None = None
    counted: int = 0
    duplicate: int = 0
    conflict: int = 0
    withdrawn: int = 0
    difference_usd: Decimal = Decimal(0)
    cost_unknown_events: int = 0


class NewStagedBlock(msgspec.Struct, frozen=True):
    """A block that a backfill loaded: `events` that intake accepted, and those that it `rejected`."""

    scope_key: int
    name: str
    position: int
    recorded_at: datetime
    events: int
    rejected: int


class ReplacedRange(msgspec.Struct, frozen=True):
    """Counted events of a scope that are in a range by their last version at a log position.

    `customer_keys` None: of any customer; `sources` empty: of any source.
    """

    scope_key: int
    start: datetime
    end: datetime
    customer_keys: tuple[int, ...] | None
    sources: tuple[str, ...]
    counted_up_to: int


class Withdrawal(msgspec.Struct, frozen=True):
    """Who withdraws events: the stream of the backfill, from a log position on, for a reason (`outcomes.py`)."""

    stream: str
    position: int
    recorded_at: datetime
    reason: str


class WithdrawnRows(msgspec.Struct, frozen=True, eq=False):
    """Events that were withdrawn, of which some were `already`, and the raw cost of what was closed.

    `before`: events of the range that an earlier replacement withdrew.
    """

    locators: U64
    already: int
    cost: RawCost = RawCost()
    before: U64 = NO_U64


class Reinstated(msgspec.Struct, frozen=True, eq=False):
    """Events that are counted again, their raw cost, and the keys of series of which some have an unknown cost."""

    locators: U64
    cost: RawCost
    unknown_kind_keys: tuple[int, ...]


class UndoneOutcomes(msgspec.Struct, frozen=True):
    """Outcomes of events that were withdrawn before they ever counted."""

    duplicate: int
    conflict: int


class PreparedTables(msgspec.Struct, frozen=True, eq=False):
    """Tables that a store has written and nobody reads yet, by name; None where there is nothing of the kind.

    `customer_keys`: those whose usage they change, ascending.
    """

    rows: str | None
    days: str
    units: str | None
    outcomes: str | None
    customer_keys: Ints


class RenamedKeys(msgspec.Struct, frozen=True):
    """Keys that prepared tables hold, each with the one that the fold has given instead: of customers, and series."""

    customers: tuple[tuple[int, int], ...] = ()
    kinds: tuple[tuple[int, int], ...] = ()


class AttachingStore(Protocol):
    """What a fold store does with tables that were prepared beside it, within the transaction of a step."""

    def attach_arriving(self, tables: PreparedTables, renamed: RenamedKeys, position: int, at: datetime) -> None:
        """Make rows, sums and outcomes part of the store: of events that claim at a position, and when."""

    def attach_leaving(
        self, tables: PreparedTables, leaving: WithdrawnRows, by: Withdrawal, blocks: Sequence[int] = ()
    ) -> None:
        """Withdraw these events, whose outcomes and sums are in the tables: of a range, or all of some blocks."""

    def attach_returning(self, tables: PreparedTables, replaced_at: int, position: int) -> None:
        """Count the events again that were withdrawn at a position, by the versions and sums in the tables."""


class BackfillStore(Protocol):
    """The part of a fold store that backfills need."""

    def add_backfill(self, backfill: NewBackfill) -> None:
        """Store an event of a backfill. A later `load_state` finds it in `backfills`."""

    def add_staged_block(self, block: NewStagedBlock) -> None:
        """Store a block that was loaded. A later `load_state` finds it in `backfills`."""

    def add_claimed_rows(self, rows: pa.Table) -> None:
        """Store `USAGE_ROWS`: first versions of events that claim at a later position than that of their block.

        In any order. Some may be closed already.
        """

    def add_late_outcomes(self, outcomes: pa.Table) -> None:
        """Store `OUTCOME_ROWS` that are decided at a later position than that of their block, in any order."""

    def withdraw_range(self, asked: ReplacedRange, by: Withdrawal) -> WithdrawnRows:
        """Withdraw the events of a range, voided ones too: close their current versions, and store their outcomes.

        Those that are withdrawn already stay as they are, and are named in `before`. A later `load_state` finds
        those withdrawn in `taken`.
        """

    def withdraw_blocks(self, positions: Sequence[int], by: Withdrawal) -> WithdrawnRows:
        """Withdraw the events of these blocks that were counted, likewise; also those that a replacement withdrew."""

    def withdraw_uncounted(self, positions: Sequence[int], by: Withdrawal) -> UndoneOutcomes:
        """Withdraw the duplicates and conflicts of these blocks: they claim nothing any more."""

    def reinstate(self, replaced_at: int, position: int) -> Reinstated:
        """Count the events again that were withdrawn at a position: end their outcomes, open versions.

        A version is equal to the last one. None is opened of an event whose identity is voided (its last void or
        restoration is a void).
        """

    def take_followers(self, positions: Sequence[int], position: int) -> pa.Table:
        """End the outcomes of duplicates and conflicts of events of these blocks, and return them.

        Returns `locator` and `outcome`, in the order in which they would have claimed: by position, then locator.
        """

    def waiting_voids(self) -> set[tuple[int, str, str]]:
        """Return the identities whose last void or restoration is a void, and that no event has.

        Events of a reverted backfill have none, nor have those that a replacement withdrew.
        """

    def claimed_at(self, position: int) -> list[int]:
        """Return the locators of the events that a backfill's commit or revert at a position let claim."""
