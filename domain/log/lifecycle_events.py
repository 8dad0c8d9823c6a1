"""Everything that can be in the log beside usage batches, past tense, one class each.

`fields` maps: a key that is present was set, to null when it was cleared; an absent key was left alone.
Values in `fields` are JSON: decimals as text, instants as RFC 3339 UTC text with microseconds.
Personal fields (name, email, metadata) never stand in `fields` of a customer event; they are in
`personal`, encrypted with the key of that customer life.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec


class Provenance(msgspec.Struct, frozen=True):
    """Who did it, through which dialect, and why."""

    actor: str  # key id, or "engine"
    dialect: str = "native"
    reason: str | None = None


class SealedPersonal(msgspec.Struct, frozen=True):
    """A JSON object of personal fields, AES-256-GCM under the key `key_id` of the key store."""

    key_id: str
    nonce: bytes
    ciphertext: bytes


class LifecycleEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Common to all: its place in its stream, when it was written, and from when it counts."""

    stream: str
    version: int
    recorded_at: datetime
    effective_at: datetime
    provenance: Provenance

    @property
    def originator_id(self) -> str:
        """The stream, under the name by which the eventsourcing library asks for it."""
        return self.stream

    @property
    def originator_version(self) -> int:
        """The version, under the name by which the eventsourcing library asks for it."""
        return self.version


class CustomerEvent(LifecycleEvent, frozen=True, kw_only=True):
    tenant: str
    environment: str
    customer_id: str


class CustomerCreated(CustomerEvent, frozen=True, kw_only=True):
    """A customer was created explicitly; usage seen before under this id (in this life) is adopted."""

    fields: dict[str, Any]
    personal: SealedPersonal | None = None


class CustomerUpdated(CustomerEvent, frozen=True, kw_only=True):
    fields: dict[str, Any]
    personal: SealedPersonal | None = None


class CustomerBlocked(CustomerEvent, frozen=True, kw_only=True): ...


class CustomerUnblocked(CustomerEvent, frozen=True, kw_only=True): ...


class CustomerDeactivated(CustomerEvent, frozen=True, kw_only=True): ...


class CustomerReactivated(CustomerEvent, frozen=True, kw_only=True): ...


class CustomerDeleted(CustomerEvent, frozen=True, kw_only=True):
    """A life ended at `effective_at`. The id may live again."""


class BudgetEvent(LifecycleEvent, frozen=True, kw_only=True):
    """A shared budget (a tier): a template of limits that customers name by id; each has its own spending."""

    tenant: str
    environment: str
    budget_id: str


class BudgetCreated(BudgetEvent, frozen=True, kw_only=True):
    fields: dict[str, Any]


class BudgetUpdated(BudgetEvent, frozen=True, kw_only=True):
    fields: dict[str, Any]


class BudgetDeleted(BudgetEvent, frozen=True, kw_only=True): ...


class MeterEvent(LifecycleEvent, frozen=True, kw_only=True):
    tenant: str
    environment: str
    code: str


class MeterCreated(MeterEvent, frozen=True, kw_only=True):
    fields: dict[str, Any]  # event_type, aggregation, value_property, group_by, name, description


class MeterUpdated(MeterEvent, frozen=True, kw_only=True):
    fields: dict[str, Any]  # name, description, group_by


class MeterDeleted(MeterEvent, frozen=True, kw_only=True): ...


class ApiKeyIssued(LifecycleEvent, frozen=True, kw_only=True):
    key_id: str
    tenant: str
    environment: str
    scopes: tuple[str, ...]  # of admin, ingest, read
    prefix: str  # the first characters, to recognize it by
    secret_hash: str  # SHA-256 of the whole key, hex
    name: str | None = None


class ApiKeyRevoked(LifecycleEvent, frozen=True, kw_only=True):
    key_id: str


class UnitPrices(msgspec.Struct, frozen=True):
    """USD per million tokens (`request`: USD per request). A part without a price of its own costs what its whole
    costs:
    cached and written input like input, reasoning like output."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    reasoning: Decimal | None = None
    request: Decimal | None = None


class PriceTier(msgspec.Struct, frozen=True):
    """From more than `input_tokens_above` input tokens on, ALL tokens of the request cost these prices."""

    input_tokens_above: int
    prices: UnitPrices


class PriceVersion(msgspec.Struct, frozen=True):
    """Prices valid from an instant on (None: since ever), until the next version of the same schedule."""

    effective_from: datetime | None
    prices: UnitPrices
    tiers: tuple[PriceTier, ...] = ()


class PriceListed(LifecycleEvent, frozen=True, kw_only=True):
    """The list price of a model, resolved once from the price library, for every tenant."""

    provider: str
    model: str
    versions: tuple[PriceVersion, ...]
    library: str  # name and version of what resolved it
    matched: str  # provider/model it was resolved to


class PriceSet(LifecycleEvent, frozen=True, kw_only=True):
    """A tenant's own price for a model, valid for usage from `price.effective_from` on.

    It goes before the list price.
    """

    tenant: str
    environment: str
    provider: str
    model: str
    price: PriceVersion


class CorrectionEvent(LifecycleEvent, frozen=True, kw_only=True):
    tenant: str
    environment: str
    source: str
    id: str


class UsageVoided(CorrectionEvent, frozen=True, kw_only=True):
    """The event with this identity counts for nothing from here on; it may still be to come.

    Its identity stays taken.
    """


class UsageRestored(CorrectionEvent, frozen=True, kw_only=True):
    """A void was taken back."""


CommandVerdict = Literal["honoured", "duplicate", "refused"]


class CommandHonoured(LifecycleEvent, frozen=True, kw_only=True):
    """The command with this identity was carried out. Its stream has no other record: nobody carries it out again.

    A tombstone has no identity: `source` and `id` are empty, and its stream names the record.
    """

    tenant: str
    environment: str
    source: str
    id: str
    kind: str  # customer.create ...


class CommandRecord(msgspec.Struct, frozen=True, array_like=True):
    """What became of one command of an append. `source` and `id` are None for a tombstone, which has neither, and where
    they cannot be ids."""

    offset: int
    index: int  # its place in a batched record
    kind: str
    source: str | None
    id: str | None
    outcome: CommandVerdict
    reason: str | None = None


class PartitionEvent(LifecycleEvent, frozen=True, kw_only=True):
    """Something about a partition of a Kafka topic, in its own stream. The last one tells from where to go on."""

    cluster_id: str
    topic_id: str
    topic: str
    partition: int


class PartitionConsumed(PartitionEvent, frozen=True, kw_only=True):
    """One poll was appended: everything from `first_offset` on and below `next_offset`, and this is its last record.

    `first_version` is the version of the poll's first record in this stream. `leader_epoch` is that of the last record
    below `next_offset`, None when it is not known: by it a broker can tell whether it still has that record.
    `last_command_us` is when the last command counted, in microseconds since 1970, None once later records have come.
    """

    first_offset: int
    next_offset: int
    first_version: int
    commands: tuple[CommandRecord, ...] = ()
    leader_epoch: int | None = None
    last_command_us: int | None = None


class RecordsLost(PartitionEvent, frozen=True, kw_only=True):
    """The broker had dropped the offsets from `from_offset` on and below `to_offset` before they were read."""

    from_offset: int
    to_offset: int


class PartitionTruncated(PartitionEvent, frozen=True, kw_only=True):
    """The broker no longer had what was read: `next_offset` was the one to go on from, and from `end_offset` on its
    records are others, or none. Nothing is read until `OffsetsAccepted`, however far its end has come since."""

    next_offset: int
    end_offset: int


class OffsetsAccepted(PartitionEvent, frozen=True, kw_only=True):
    """The partition is read from `next_offset` on, because an operator said so: the broker had less than the log."""

    next_offset: int


#: The format of the log that this program writes, and the newest that it can read.
LOG_FORMAT: Final = 1


class LogCreated(LifecycleEvent, frozen=True, kw_only=True):
    """Always at position 1."""

    log_id: str
    log_format: int
    hash_seed: int  # key of identity and content hashes, 64 bits


class LogSealed(LifecycleEvent, frozen=True, kw_only=True):
    """The running hash over all records up to and including `position` was `running_hash`."""

    position: int
    running_hash: bytes


class ClosingsAnnounced(LifecycleEvent, frozen=True, kw_only=True):
    """Every period that ended, with its closing grace, at or before `until` is closed. Changes no number."""

    until: datetime


LIFECYCLE_TOPICS: Final[dict[str, type[LifecycleEvent]]] = {
    "customer.created": CustomerCreated,
    "customer.updated": CustomerUpdated,
    "customer.blocked": CustomerBlocked,
    "customer.unblocked": CustomerUnblocked,
    "customer.deactivated": CustomerDeactivated,
    "customer.reactivated": CustomerReactivated,
    "customer.deleted": CustomerDeleted,
    "budget.created": BudgetCreated,
    "budget.updated": BudgetUpdated,
    "budget.deleted": BudgetDeleted,
    "meter.created": MeterCreated,
    "meter.updated": MeterUpdated,
    "meter.deleted": MeterDeleted,
    "key.issued": ApiKeyIssued,
    "key.revoked": ApiKeyRevoked,
    "price.listed": PriceListed,
    "price.set": PriceSet,
    "usage.voided": UsageVoided,
    "usage.restored": UsageRestored,
    "command.honoured": CommandHonoured,
    "source.consumed": PartitionConsumed,
    "source.records_lost": RecordsLost,
    "source.truncated": PartitionTruncated,
    "source.offsets_accepted": OffsetsAccepted,
    "log.created": LogCreated,
    "log.sealed": LogSealed,
    "log.closings_announced": ClosingsAnnounced,
}
