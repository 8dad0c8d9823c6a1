"""Voids and restorations of usage events, folded into the read store."""

from __future__ import annotations

from domain.corrections.events import CorrectionEvent, UsageVoided
from domain.scope import Scope
from projections.folding.event_lookup import EventLookup
from projections.folding.fold_state import FoldState
from projections.folding.fold_store import FoldStore
from projections.folding.lifecycle_writes import NewCorrection
from projections.folding.unknown_costs import price_unknown_costs
from projections.identity.index import IdentityIndex


class CorrectionFolder:
    """Apply corrections in log order, within the transaction that the caller holds open."""

    def __init__(self, store: FoldStore, index: IdentityIndex, lookup: EventLookup) -> None:
        self._store = store
        self._index = index
        self._lookup = lookup

    def apply(self, state: FoldState, position: int, topic: str, event: CorrectionEvent) -> int:
        """Fold a void or a restoration and return the key of its scope.

        A void whose event has not arrived yet waits for it.
        """
        scope = Scope(event.tenant, event.environment)
        scope_key = state.scope_key(scope)
        by = event.provenance
        self._store.add_correction(
            NewCorrection(scope_key, event.source, event.id, topic, position, event.recorded_at, by.actor, by.reason)
        )
        found = self._lookup.find(self._index, state.hash_seed, scope, event.source, event.id)
        if found is None:
            waiting = (scope_key, event.source, event.id)
            (state.waiting_voids.add if isinstance(event, UsageVoided) else state.waiting_voids.discard)(waiting)
            return scope_key
        customer_key = state.customer_keys[scope_key, found.subject]
        if isinstance(event, UsageVoided):
            self._store.close_row(customer_key, found.locator, position)
        elif (kind_key := self._store.reopen_row(customer_key, found.locator, position)) is not None:
            _, provider, model = state.series(kind_key)
            price_unknown_costs(self._store, state, scope_key, provider or "", model or "", position)
        return scope_key
