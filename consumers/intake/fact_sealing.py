"""Encryption of the personal facts that usage events carry, under the keys of the lives of their customers.

1. Bring what is known of each customer's present life up to the head of its stream.
2. Encrypt the personal fields of each event in that life. Those of an ended life are left out, and so are those whose
   key was destroyed or lost: usage counts without them.
3. Tell the streams of customers whose life had no such facts before (`CustomerFactsCarried`), in the append that stores
   the facts: where another process wrote to such a stream meanwhile, all of it is done again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Final

import msgspec
import structlog

from consumers.intake.item_facts import EventFacts
from domain.customers.event_facts import StoredFacts, divided
from domain.customers.events import CustomerEvent, CustomerFactsCarried, SealedPersonal
from domain.customers.personal_data import CustomerSeal, personal_key_id
from domain.customers.personal_keys import PersonalKeys
from domain.customers.present_life import PresentLife
from domain.errors import PersonalKeyMissing
from domain.event import Provenance
from domain.log.event_codec import decode_lifecycle, new_record
from domain.log.records import EventLog, NewRecord
from domain.scope import Scope
from domain.streams import customer_stream

#: Customers whose present life is kept in memory, at most.
LIVES_KEPT_MAX: Final = 10_000
_logger = structlog.get_logger("meterfold.intake")


class ScopedFacts(msgspec.Struct, frozen=True):
    """The facts of one block, which has one scope."""

    scope: Scope
    facts: Sequence[EventFacts]


class SealedAppend(msgspec.Struct, frozen=True):
    """The facts of several blocks as they are stored, in the order of the blocks, and the records that go before."""

    facts: list[tuple[StoredFacts, ...]]
    records: list[NewRecord]


class FactSealer:
    """Seals the facts of one intake. Not thread-safe. Of the lives that it knows, the streams are read once."""

    def __init__(self, log: EventLog, keys: PersonalKeys, randomness: Callable[[int], bytes]) -> None:
        self._log = log
        self._keys = keys
        self._randomness = randomness
        self._lives: dict[str, PresentLife] = {}
        self._missing_keys: set[str] = set()

    def sealed(self, blocks: Sequence[ScopedFacts], recorded_at: datetime) -> SealedAppend:
        """Seal the facts of some blocks, for one append."""
        if not any(block.facts for block in blocks):
            return SealedAppend([()] * len(blocks), [])
        self._read_lives({customer_stream(block.scope, one.customer_id) for block in blocks for one in block.facts})
        told = _ToldStreams(self._lives, recorded_at)
        with ExitStack() as keys:
            if any(self._needs_key(block) for block in blocks):
                keys.enter_context(self._keys.together())
            facts = [tuple(self._stored(block.scope, one, told) for one in block.facts) for block in blocks]
        return SealedAppend(facts, told.records())

    def _read_lives(self, streams: set[str]) -> None:
        """Bring the lives of these customers up to the heads of their streams."""
        if len(self._lives) + len(streams) > LIVES_KEPT_MAX:
            self._lives.clear()
            self._missing_keys.clear()
        heads = self._log.head_versions(sorted(streams))
        for stream in streams:
            life = self._lives.get(stream, PresentLife())
            if heads.get(stream, 0) > life.version:
                for record in self._log.stream(stream, life.version):
                    event = decode_lifecycle(record.topic, record.state)
                    if isinstance(event, CustomerEvent):
                        life = life.after(event)
            self._lives[stream] = life

    def _needs_key(self, block: ScopedFacts) -> bool:
        """Whether a key may have to be made for this block."""
        streams = (customer_stream(block.scope, one.customer_id) for one in block.facts if divided(one.fields)[1])
        return any(not self._lives[stream].has_sealed for stream in streams)

    def _stored(self, scope: Scope, one: EventFacts, told: _ToldStreams) -> StoredFacts:
        plain, personal = divided(one.fields)
        stream = customer_stream(scope, one.customer_id)
        sealed = None
        if told.life(stream).holds(one.at):
            if personal:
                sealed = self._personal(scope, one, personal, told.life(stream))
            told.tell(stream, scope, one.customer_id, None if sealed is None else sealed.key_id)
        return StoredFacts(one.row, plain, sealed, one.actor, one.dialect)

    def _personal(
        self, scope: Scope, one: EventFacts, personal: dict[str, object], life: PresentLife
    ) -> SealedPersonal | None:
        key_id = personal_key_id(customer_stream(scope, one.customer_id), life.number)
        seal = CustomerSeal(self._keys, self._randomness, scope, one.customer_id)
        try:
            return seal.seal(key_id, personal, not life.has_sealed)
        except PersonalKeyMissing as error:
            if key_id not in self._missing_keys:
                self._missing_keys.add(key_id)
                _logger.warning("personal_facts_left_out", reason=str(error))
            return None


class _ToldStreams:
    """The lives as they will be after one append, and the events that make them so: at most two of a stream."""

    def __init__(self, lives: dict[str, PresentLife], recorded_at: datetime) -> None:
        self._lives = dict(lives)
        self._recorded_at = recorded_at
        self._events: list[CustomerFactsCarried] = []

    def life(self, stream: str) -> PresentLife:
        """The present life of the customer with this stream."""
        return self._lives[stream]

    def tell(self, stream: str, scope: Scope, customer_id: str, key_id: str | None) -> None:
        """Tell the stream that usage carries facts, and under which key; nothing if it knows."""
        life = self._lives[stream]
        if life.has_carried and (key_id is None or life.has_sealed):
            return
        event = CustomerFactsCarried(
            stream=stream,
            version=life.version + 1,
            recorded_at=self._recorded_at,
            effective_at=self._recorded_at,
            provenance=Provenance("engine"),
            tenant=scope.tenant,
            environment=scope.environment,
            customer_id=customer_id,
            personal_key_id=key_id,
        )
        self._events.append(event)
        self._lives[stream] = life.after(event)

    def records(self) -> list[NewRecord]:
        """The records of the events, in order."""
        return [new_record(event) for event in self._events]
