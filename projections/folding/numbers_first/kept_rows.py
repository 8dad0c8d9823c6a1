"""The rows of usage that later records of the log read or change, known by reading the log ahead.

A fold of numbers alone keeps these rows, so that every correction finds its row as if all had been written:

1. Rows of events that the log voids, restores or amends anywhere.
2. Rows of a scope that it re-prices, of the positions before its last re-pricing.
3. Rows of unknown cost: a price that becomes known later changes them.

The first pass also keeps the rows of events that have the customer of a subscription.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa

from domain.corrections.events import CorrectionEvent
from domain.event import LifecycleEvent
from domain.log.event_codec import decode_lifecycle
from domain.log.records import EventLog
from domain.repricings.events import REPRICING_COMMITTED, RepricingCommitted
from domain.scope import Scope
from domain.usage.canonical_form import identity_hash
from projections.arrow_columns import Bools, codes, integers
from projections.folding.fold_state import FoldState
from projections.folding.step_planning import CORRECTIONS
from projections.identity.entries import U64

READ_RECORDS_MAX: Final = 1_000
_UNKNOWN_COST: Final = "unknown"


class KeptRows:
    """The rows that are kept, by what was read ahead."""

    def __init__(self, corrected: U64, repriced: dict[Scope, int]) -> None:
        """`corrected`: identity hashes. `repriced`: the position of the last re-pricing of a scope."""
        self._corrected = np.unique(corrected)
        self._repriced = repriced

    def among(self, rows: pa.Table, identities: U64, state: FoldState) -> Bools:
        """Return which of these rows (as made by `usage_rows`) are kept; `identities` are their identity hashes."""
        origins, names = codes(rows, "cost_origin")
        kept: Bools = origins == (names.index(_UNKNOWN_COST) if _UNKNOWN_COST in names else -2)
        if len(self._corrected):
            kept |= np.isin(identities, self._corrected)
        for scope, position in self._repriced.items():
            scope_key = state.scope_keys.get(scope)
            if scope_key is not None:
                kept |= (integers(rows, "scope_key") == scope_key) & (integers(rows, "counted_at") < position)
        return kept


def read_ahead(log: EventLog, hash_seed: int) -> KeptRows:
    """Read all corrections and re-pricings that are in the log by now."""
    corrected: list[int] = []
    repriced: dict[Scope, int] = {}
    for topic in CORRECTIONS:
        for _, event in _events(log, topic):
            if isinstance(event, CorrectionEvent):
                scope = Scope(event.tenant, event.environment)
                corrected.append(identity_hash(hash_seed, scope, event.source, event.id))
    for position, event in _events(log, REPRICING_COMMITTED):
        if isinstance(event, RepricingCommitted):
            repriced[Scope(event.tenant, event.environment)] = position
    return KeptRows(np.array(corrected, dtype=np.uint64), repriced)


def _events(log: EventLog, topic: str) -> Iterator[tuple[int, LifecycleEvent]]:
    position = 0
    while records := log.records_of_topic(topic, position, READ_RECORDS_MAX):
        for record in records:
            yield record.position, decode_lifecycle(record.topic, record.state)
        position = records[-1].position
