"""Commands that amend usage events, made of what the log says of an event and of the rules of intake."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from consumers.prices.listing import Pair, PriceListing
from consumers.prices.own_units import OwnUnits
from domain.correction_runs.event_filter import CorrectedEvents
from domain.correction_runs.set_members import SetMembers
from domain.corrections.events import USAGE_AMENDED, UsageAmended
from domain.errors import Fenced
from domain.event import Provenance
from domain.log.amendments import AmendUsage, row_of_amendment
from domain.log.event_codec import decode_lifecycle
from domain.log.records import EventLog, LogRecord
from domain.scope import Scope
from domain.streams import correction_stream
from domain.usage.amending.amended_event import amended_event, stored_row
from domain.usage.amending.patches import EventPatch
from domain.usage.amending.sent_form import Members, StoredRow
from domain.usage.block_schema import REQUEST_TYPE
from domain.usage.decoding.decoder import DecodingContext
from domain.usage.quantity_rules import UsageReader
from domain.usage.rules import name_of
from domain.values.identifiers import checked_id
from projections.amending.set_rows import series_with
from projections.queries.corrections import CorrectionQuestion
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
        records = self._log.stream(correction_stream(scope, source, event_id))
        with self._reads.snapshot() as snapshot:
            event = self._received.counted(snapshot, scope, source, event_id)
            replaced = None if event is None else snapshot.replaced_by(event.locator)
            runs = [] if event is None else snapshot.run_corrections(scope, event.locator)
            own = snapshot.corrections(scope, source, event_id)
        original = None if event is None else self._received.row(replaced or event.locator)
        if event is None or original is None:
            return None
        pair = _new_pair(event, patch)
        if pair is not None:
            self._list([pair])
        decoding = self._rules.decoding(scope, self._now(), self._own_units.of(scope))
        replaced_after = None if replaced is None else len(records)
        if any(one.amends for one in runs):
            amended = _last_amendment(records)
            folded = next((one.recorded_at for one in reversed(own) if one.kind == USAGE_AMENDED), None)
            if amended is None or amended.recorded_at == folded:  # else it was made of what the runs had set
                told = original if amended is None or replaced is not None else row_of_amendment(amended)
                original, replaced_after = _as_it_is(told, event, decoding), len(records)
        return AmendUsage(scope, provenance, source, event_id, original, patch, decoding, replaced_after)

    def list_prices(self, scope: Scope, asked: CorrectedEvents, members: SetMembers) -> None:
        """Have the list prices in the log of all models that requests of a filter have once these members are set."""
        if members.model is None and members.provider is None:
            return
        with self._reads.snapshot() as snapshot:
            found = snapshot.series_in(scope, CorrectionQuestion("amend", asked, members))
        after = {series_with(one, members.model, members.provider) for one in found}
        self._list(
            [(provider or "", model) for kind, provider, model in after if kind == REQUEST_TYPE and model is not None]
        )

    def _list(self, pairs: Sequence[Pair]) -> None:
        with self._listing:
            self._append_missing(pairs)

    def _append_missing(self, pairs: Sequence[Pair]) -> None:
        for attempt in range(1, LISTING_ATTEMPTS_MAX + 1):
            listed = self._prices.missing(pairs, self._now())
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


def _last_amendment(records: Sequence[LogRecord]) -> UsageAmended | None:
    """The last amendment among the corrections of an event."""
    last = next((record for record in reversed(records) if record.topic == USAGE_AMENDED), None)
    event = None if last is None else decode_lifecycle(last.topic, last.state)
    return event if isinstance(event, UsageAmended) else None


def _as_it_is(told: StoredRow, event: UsageEventRow, decoding: DecodingContext) -> StoredRow:
    """The columns of an event, as the log tells it, with what correction runs made of it: what they may set."""
    data: Members = {}
    if event.type == REQUEST_TYPE:
        named = (("model", event.model), ("provider", event.provider))
        data = {name: value for name, value in named if value != told[name]}
    if list(event.tags) != list(told["tags"] or ()):
        data["tags"] = list(event.tags) or None
    is_moved = told["subject"] is not None and event.customer_id != told["subject"]
    made = amended_event(told, EventPatch(data, event.customer_id if is_moved else None), decoding)
    return told if made is None else stored_row(made.typed, made.free)
