"""The write interface of the read store.

One thread writes at a time. Everything that a step of the fold changes, progress included, stands between `begin` and
`commit`. A store contains no rules of metering: it only keeps what it is given. The columns of the Arrow tables are
named by the modules of this package.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

import msgspec
import pyarrow as pa

from domain.event import LifecycleEvent
from domain.prices.schedule import PriceVersion
from projections.folding.fold_state import FoldState, NewKeys


class SourceProgress(msgspec.Struct, frozen=True):
    """The progress of one Kafka partition by one log record.

    `next_offset` is where reading goes on; `records_lost` and `commands_refused` are added to those known before.
    """

    stream: str
    topic: str
    partition: int
    next_offset: int
    position: int
    recorded_at: datetime
    records_lost: int = 0
    commands_refused: int = 0


class FoldStore(Protocol):
    """A read store as the fold writes to it."""

    # -- transactions and progress

    def begin(self) -> None:
        """Open a transaction."""

    def commit(self) -> None:
        """Make all changes since `begin` durable and visible, atomically."""

    def rollback(self) -> None:
        """Undo the open transaction, if there is one. The state must then be loaded again."""

    def load_state(self) -> FoldState:
        """The state that the fold needs to go on from the stored position."""

    def reached(self) -> tuple[int, bytes]:
        """The last folded position and the running hash there."""

    def running_hash_at(self, position: int) -> bytes | None:
        """The running hash after a folded position; None when the store has not folded it."""

    def add_keys(self, new: NewKeys) -> None:
        """Store the surrogate keys assigned in this transaction."""

    def add_log_records(self, records: pa.Table) -> None:
        """Store one row per folded record of the log."""

    def advance(self, position: int, running_hash: bytes, recorded_at: datetime | None) -> None:
        """Store the checkpoint of the fold; the last call before `commit`."""

    # -- usage

    def add_rows(self, staged_rows: pa.Table) -> None:
        """Insert usage rows and add them to the daily rollup; rows that are already closed add nothing to it."""

    def add_outcomes(self, outcomes: pa.Table) -> None:
        """Insert received events that were not counted."""

    def refused_locators(self, first: int, last: int) -> list[int]:
        """Locators in [first, last) whose events were not counted."""

    def close_row(self, customer_key: int, locator: int, position: int) -> bool:
        """Close the current version of a row at `position`; False when it has none."""

    def row_holds(self, customer_key: int, locator: int) -> bool:
        """Whether this row has a current version."""

    def reopen_row(self, customer_key: int, locator: int, position: int) -> tuple[str | None, str | None]:
        """Open a new version, equal to the last one, of a row without a current one; return provider and model."""

    def unknown_cost_rows(self, kind_key: int, scope_key: int, above_locator: int, rows_max: int) -> pa.Table:
        """Rows of one series whose cost is unknown, in ascending order of locator, after `above_locator`."""

    def price_rows(self, priced: pa.Table, position: int) -> None:
        """Set the cost of rows of unknown cost, from `position` on.

        Columns of `priced`: locator, customer_key, cost_usd, price_position.
        """

    # -- lifecycle

    def add_fact(
        self,
        table: str,
        owner: tuple[int] | tuple[int, str],
        position: int,
        kind: str,
        event: LifecycleEvent,
        fields: dict[str, Any],
    ) -> None:
        """Store a fact of a customer, shared budget or meter; `owner` is its key in `table`."""

    def add_correction(
        self, scope_key: int, source: str, event_id: str, kind: str, position: int, event: LifecycleEvent
    ) -> None:
        """Store a void or a restoration."""

    def add_price(
        self,
        position: int,
        scope_key: int | None,
        provider: str,
        model: str,
        versions: tuple[PriceVersion, ...],
        library: str | None,
        event: LifecycleEvent,
    ) -> None:
        """Store a price of a scope, or a list price (`scope_key` None)."""

    def add_api_key(
        self,
        key_id: str,
        scope_key: int,
        scopes: tuple[str, ...],
        prefix: str,
        secret_hash: str,
        name: str | None,
        position: int,
        issued_at: datetime,
    ) -> None:
        """Store an API key."""

    def revoke_api_key(self, key_id: str, revoked_at: datetime) -> None:
        """Mark an API key as revoked, unless it is revoked already."""

    def update_source(self, progress: SourceProgress) -> None:
        """Update the stored progress of a partition."""
