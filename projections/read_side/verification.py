"""What verification reads: a store that is held at one position, alone or beside a second one folded from the same log.

The second store is empty at first. The caller folds the log into it again, up to the position of the live one; then
both must answer every logical view alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date
from typing import Protocol

import msgspec

from projections.folding.fold_store import FoldStore


class DayDifference(msgspec.Struct, frozen=True):
    """A customer whose usage rows of one UTC day do not add up to the deltas of that day.

    Numbers of events by either; None where there are none.
    """

    customer_id: str
    by_rows: int | None
    by_deltas: int | None


class Difference(msgspec.Struct, frozen=True):
    """A row of a logical view that only one of two stores has. `side` names that store: "live" or "refolded"."""

    view: str
    side: str
    row: str


class HeldStore(Protocol):
    """A live store that stays at one position, whatever is folded meanwhile."""

    def reached(self) -> tuple[int, bytes]:
        """Return the position up to which this store has folded, and the running hash there."""

    def running_hash_at(self, position: int) -> bytes | None:
        """Return the running hash after a folded position; None when the store has not folded it."""

    def usage_days(self) -> tuple[date, date] | None:
        """Return the first and the last UTC day with usage; None when there is no usage."""

    def day_differences(self, day: date) -> list[DayDifference]:
        """Return some of the customers whose rows of a UTC day differ from its deltas; empty when there are none."""


class StoreComparison(Protocol):
    """A live store, held at one position, and a second store beside it that is never read by anybody else."""

    @property
    def live(self) -> HeldStore:
        """The live store."""

    @property
    def log_id(self) -> str:
        """The id of the log from which the live store was folded."""

    @property
    def views(self) -> Sequence[str]:
        """The names of all logical views."""

    def refolded(self) -> AbstractContextManager[FoldStore]:
        """Open the second store, empty, to fold into; what was folded can be compared once the context has ended."""

    def differences(self, view: str) -> Iterator[Difference]:
        """Yield rows of a logical view that only one of both stores has; a bounded number of each."""

    def rollup_differences(self) -> Iterator[Difference]:
        """Yield day sums of the live store that differ from the sums of its rows; a bounded number."""
