"""The queries of a snapshot about backfills."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from domain.scope import Scope
from domain.usage.locators import LOCATOR_ROW_BITS
from projections.duckdb.reading.backfill import records
from projections.duckdb.reading.cached_reads import CachedReads
from projections.duckdb.reading.named_runs import run_steps
from projections.duckdb.storage.fold_reads.fold_state_loading import load_fold_state, voided_identities
from projections.duckdb.storage.fold_reads.replaced_rows import replaced_rows
from projections.duckdb.storage.fold_reads.void_states import WITHDRAWN
from projections.folding.backfill_store import ReplacedRange
from projections.folding.fold_state import FoldState
from projections.queries.backfills import BackfillRecord
from projections.queries.repricing import RunStep

#: The position of the block of an event.
_POSITION: Final = f"(locator >> {LOCATOR_ROW_BITS})"


class BackfillReads:
    """Part of a `Snapshot`: backfills, and what the fold knows, for a commit that is only tried."""

    _cached: CachedReads

    def backfills(self, scope: Scope, after: str | None, limit: int) -> list[BackfillRecord]:
        """A page of the backfills of a scope, in ascending order of name."""
        return records.backfills(self._cached.cursor, self._cached.scope_key(scope), after, limit)

    def backfill(self, scope: Scope, name: str) -> BackfillRecord | None:
        """The backfill of this name; None when there is none."""
        return records.backfill(self._cached.cursor, self._cached.scope_key(scope), name)

    def late_in_backfill(self, scope: Scope, backfill: BackfillRecord) -> int:
        """How many live events of the range count that came after the preview that was committed, else the opening."""
        scope_key = self._cached.scope_key(scope)
        if scope_key is None:
            return 0
        asked, keys = backfill.range, None
        if asked.customers:
            found = [self._cached.customer_row(scope_key, customer) for customer in asked.customers]
            keys = tuple(row.key for row in found if row is not None)
        position = self._cached.point().position
        replaced = ReplacedRange(scope_key, asked.start, asked.end, keys, asked.sources, position)
        return self.late_events(replaced, backfill.previewed_at or backfill.opened.position)

    def fold_state(self) -> FoldState:
        """The state of the fold at this position, without the hash seed."""
        state, _ = load_fold_state(self._cached.cursor, "usage_rows")
        return state

    def voided_identities(self) -> set[tuple[int, str, str]]:
        """The identities, with the key of their scope, whose last void or restoration is a void."""
        return voided_identities(self._cached.cursor)

    def replaced_rows(self, asked: ReplacedRange) -> pa.Table:
        """The last versions of the events of a range, with `customer_id`, `type`, `model`, and `withdrawn`."""
        statement, values = replaced_rows(asked, "usage_rows")
        return self._cached.cursor.sql(
            f"""SELECT r.*, nullif(c.customer_id, '') AS customer_id, k.type, k.model,
            r.locator IN ({WITHDRAWN}) AS withdrawn
            FROM ({statement}) r JOIN customers c USING (customer_key) JOIN kinds k USING (kind_key)""",
            params=values,
        ).to_arrow_table()

    def late_events(self, asked: ReplacedRange, after: int) -> int:
        """How many events of a range were counted after a log position."""
        statement, values = replaced_rows(asked, "usage_rows")
        late = f"SELECT count(*) FROM ({statement}) WHERE claimed_at > $after AND claimed_at = {_POSITION}"
        found: int = self._cached.cursor.execute(late, values | {"after": after}).fetchall()[0][0]
        return found

    def backfill_steps(self, scope: Scope, positions: Sequence[int]) -> dict[int, RunStep]:
        """What backfills of a scope did at some of these log positions to events, by position."""
        return run_steps(self._cached.cursor, (records.BACKFILLS,), self._cached.scope_key(scope), positions)
