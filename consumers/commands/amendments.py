"""Commands that amend usage events, made of what the log says of an event and of the rules of intake."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from consumers.prices.listing import Pair, PriceListing
from consumers.prices.own_units import OwnUnits
from domain.errors import Fenced
from domain.event import Provenance
from domain.log.amendments import AmendUsage
from domain.log.records import EventLog
from domain.scope import Scope
from domain.streams import correction_stream
from domain.usage.amending.patches import EventPatch
from domain.usage.block_schema import REQUEST_TYPE
from domain.usage.decoding.decoder import DecodingContext
from domain.usage.quantity_rules import UsageReader
from domain.usage.rules import name_of
from domain.values.identifiers import checked_id
from projections.queries.events import UsageEventRow
from projections.queries.snapshot import ReadStore, ReceivedEvents

LISTING_ATTEMPTS_MAX: Final = 5


class IntakeRules(msgspec.Struct, frozen=True):
    """What intake knows about every event that it decodes."""

    hash_seed: int
    future_tolerance: timedelta
    event_bytes_max: int
    read_usage: UsageReader

    def decoding(self, scope: Scope, recorded_at: datetime, own_units: frozenset[str]) -> DecodingContext:
        """The same for events of one scope, at an instant."""
        rules = self.future_tolerance, self.event_bytes_max, self.read_usage
        return DecodingContext(scope, self.hash_seed, recorded_at, *rules, own_units)


class Amendments:
    """Makes the commands that amend events. Safe to use by several threads."""

    def __init__(
        self,
        log: EventLog,
        reads: ReadStore,
        received: ReceivedEvents,
        prices: PriceListing,
        rules: IntakeRules,
        now: Callable[[], datetime],
    ) -> None:
        self._log = log
        self._reads = reads
        self._received = received
        self._prices = prices
        self._own_units = OwnUnits(log)
        self._listing = threading.Lock()
        self._rules = rules
        self._now = now

    def command(
        self, scope: Scope, provenance: Provenance, source: str, event_id: str, patch: EventPatch
    ) -> AmendUsage | None:
        """Return the command that amends a counted event; None when none is counted under this identity.

        `InvalidInput` for an id, a provider or a model that cannot be one; the rest is checked by the command.

        The list prices of a model that the event has from now on are in the log when this returns, as they are before
        usage of a new model.
        """
        checked_id("source", source), checked_id("id", event_id)
        known = self._log.head_version(correction_stream(scope, source, event_id))
        with self._reads.snapshot() as snapshot:
            event = self._received.counted(snapshot, scope, source, event_id)
            replaced = None if event is None else snapshot.replaced_by(event.locator)
        original = None if event is None else self._received.row(replaced or event.locator)
        if event is None or original is None:
            return None
        pair = _new_pair(event, patch)
        if pair is not None:
            with self._listing:
                self._list(pair)
        decoding = self._rules.decoding(scope, self._now(), self._own_units.of(scope))
        replaced_after = None if replaced is None else known
        return AmendUsage(scope, provenance, source, event_id, original, patch, decoding, replaced_after)

    def _list(self, pair: Pair) -> None:
        for attempt in range(1, LISTING_ATTEMPTS_MAX + 1):
            listed = self._prices.missing([pair], self._now())
            try:
                if listed:
                    self._log.append(list(listed.values()))
            except Fenced:  # intake listed it
                if attempt == LISTING_ATTEMPTS_MAX:
                    raise
            else:
                self._prices.mark_listed(listed)
                return


def _new_pair(event: UsageEventRow, patch: EventPatch) -> Pair | None:
    """The provider and the model that a request has from now on, if the patch names one of them."""
    if event.type != REQUEST_TYPE or not {"provider", "model"} & patch.data.keys():
        return None
    provider = name_of("provider", patch.data.get("provider", event.provider))
    model = name_of("model", patch.data.get("model", event.model))
    return None if model is None else (provider or "", model)
