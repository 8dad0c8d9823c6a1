"""The rows of usage that later records of the log read or change, known by reading the log ahead.

A fold of numbers alone keeps these rows, so that every correction finds its row as if all had been written:

1. Rows of events that the log voids, restores or amends anywhere.
2. Rows of a scope that it re-prices, of the positions before its last re-pricing.
3. Rows of events that it replaces.
4. Rows that a correction run may hold in its filter: of its tags, which are not read, any will do.
5. Rows of unknown cost: a price that becomes known later changes them.

The first pass also keeps the rows of events that have the customer of a subscription.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from domain.backfills.events import BACKFILL_COMMITTED, BACKFILL_REVERTED, BackfillCommitted, BackfillReverted
from domain.correction_runs.event_filter import CorrectedEvents
from domain.correction_runs.events import CORRECTION_RUN_COMMITTED, CorrectionRunCommitted
from domain.corrections.events import USAGE_REPLACED, CorrectionEvent, UsageReplaced
from domain.event import LifecycleEvent
from domain.log.event_codec import decode_lifecycle
from domain.log.records import EventLog
from domain.repricings.events import REPRICING_COMMITTED, RepricingCommitted
from domain.scope import Scope
from domain.usage.canonical_form import identity_hash
from domain.values.instants import epoch_microseconds
from projections.arrow_columns import Bools, Ints, codes, integers
from projections.folding.fold_state import FoldState
from projections.folding.step_planning import CORRECTIONS
from projections.identity.entries import U64
from projections.row_filter import row_filter

READ_RECORDS_MAX: Final = 1_000
_UNKNOWN_COST: Final = "unknown"


class KeptRows:
    """The rows that are kept, by what was read ahead."""

    def __init__(
        self,
        corrected: U64,
        repriced: dict[Scope, int],
        filtered: Sequence[tuple[Scope, CorrectedEvents, int]] = (),
        replaced: Ints | None = None,
    ) -> None:
        """`corrected`: identity hashes. `repriced`: the position of the last re-pricing of a scope.

        `filtered`: of each correction run its scope, its filter, and the position of its preview. `replaced`: locators.
        """
        self._corrected = np.unique(corrected)
        self._repriced = repriced
        self._filtered = filtered
        self._replaced = np.unique(replaced) if replaced is not None else None

    def among(self, rows: pa.Table, identities: U64, state: FoldState) -> Bools:
        """Return which of these rows (as made by `usage_rows`) are kept; `identities` are their identity hashes."""
        origins, names = codes(rows, "cost_origin")
        kept: Bools = origins == (names.index(_UNKNOWN_COST) if _UNKNOWN_COST in names else -2)
        if len(self._corrected):
            kept |= np.isin(identities, self._corrected)
        if self._replaced is not None and len(self._replaced):
            kept |= np.isin(integers(rows, "locator"), self._replaced)
        for scope, position in self._repriced.items():
            scope_key = state.scope_keys.get(scope)
            if scope_key is not None:
                kept |= (integers(rows, "scope_key") == scope_key) & (integers(rows, "counted_at") < position)
        for scope, asked, previewed_at in self._filtered:
            scope_key = state.scope_keys.get(scope)
            if scope_key is not None:
                kept |= _filtered(rows, asked, scope_key, previewed_at, state)
        return kept


def _filtered(rows: pa.Table, asked: CorrectedEvents, scope_key: int, previewed_at: int, state: FoldState) -> Bools:
    """Which of these rows a filter holds, its tags aside, as they were counted."""
    found: Bools = (integers(rows, "scope_key") == scope_key) & (integers(rows, "counted_at") <= previewed_at)
    if not found.any():
        return found
    series = ((key, *of_series) for of_series, key in state.kind_keys.items())
    keys = row_filter(asked, scope_key, series, lambda one: state.customer_keys.get((scope_key, one)), previewed_at)
    if keys.kind_keys is not None:
        found &= np.isin(integers(rows, "kind_key"), keys.kind_keys)
    if keys.customer_keys is not None:
        found &= np.isin(integers(rows, "customer_key"), keys.customer_keys)
    if keys.sources:
        of_source, names = codes(rows, "source")
        found &= np.isin(of_source, [number for number, name in enumerate(names) if name in keys.sources])
    for column, start, end in (
        ("time", keys.start, keys.end),
        ("recorded_at", keys.recorded_from, keys.recorded_to),
    ):
        if start is not None:
            found &= integers(rows, column) >= epoch_microseconds(start)
        if end is not None:
            found &= integers(rows, column) < epoch_microseconds(end)
    return found


def read_ahead(log: EventLog, hash_seed: int) -> KeptRows:
    """Read all corrections, correction runs and re-pricings that are in the log by now."""
    corrected: list[int] = []
    repriced: dict[Scope, int] = {}
    for topic in CORRECTIONS:
        for _, event in _events(log, topic):
            if isinstance(event, CorrectionEvent):
                scope = Scope(event.tenant, event.environment)
                corrected.append(identity_hash(hash_seed, scope, event.source, event.id))
    for topic in (REPRICING_COMMITTED, BACKFILL_COMMITTED, BACKFILL_REVERTED):
        for position, event in _events(log, topic):
            if isinstance(event, RepricingCommitted | BackfillCommitted | BackfillReverted):
                scope = Scope(event.tenant, event.environment)
                repriced[scope] = max(position, repriced.get(scope, 0))
    filtered = [
        (Scope(event.tenant, event.environment), event.filter, event.previewed_at)
        for _, event in _events(log, CORRECTION_RUN_COMMITTED)
        if isinstance(event, CorrectionRunCommitted)
    ]
    replaced = [
        np.array(event.counted, dtype=np.int64)
        for _, event in _events(log, USAGE_REPLACED)
        if isinstance(event, UsageReplaced)
    ]
    locators = np.concatenate(replaced) if replaced else None
    return KeptRows(np.array(corrected, dtype=np.uint64), repriced, filtered, locators)


def _events(log: EventLog, topic: str) -> Iterator[tuple[int, LifecycleEvent]]:
    position = 0
    while records := log.records_of_topic(topic, position, READ_RECORDS_MAX):
        for record in records:
            yield record.position, decode_lifecycle(record.topic, record.state)
        position = records[-1].position
