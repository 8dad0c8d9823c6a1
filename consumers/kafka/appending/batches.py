"""Input and output of `PartitionAppender`: plain data, independent of any Kafka client.

A batch is one poll of one partition: all records with `first_offset` <= offset < `next_offset`, in record order.
"""

from __future__ import annotations

from typing import Any

import msgspec

from domain.commands.events import CommandVerdict
from domain.scope import Scope
from domain.streams import partition_stream


class PartitionSource(msgspec.Struct, frozen=True):
    """A partition of a topic of a cluster. A re-created topic has another id and is another source."""

    cluster_id: str
    topic_id: str
    topic: str
    partition: int

    @property
    def stream(self) -> str:
        """The log stream of its appends. The topic's name is not part of it."""
        return partition_stream(self.cluster_id, self.topic_id, self.partition)


class UsageRun(msgspec.Struct):
    """Consecutive usage items of one scope, each the bytes of one event (or garbage, which becomes a rejected row).

    `offsets` and `arrivals_us` have one value for each item: the offset of its record, and that record's timestamp in
    microseconds since 1970; negative when the record has none, in which case the time of the append is taken.
    `customers` has for each item the customer that the record's headers or its key name; None when no record of the run
    names one. Customers differ by item and not by run, so that runs stay long where every record has another key.
    `indexes` are the indexes of items in batched records; None when every item is a whole record.
    """

    scope: Scope
    items: list[bytes]
    offsets: list[int]
    arrivals_us: list[int]
    customers: list[str | None] | None = None
    indexes: list[int] | None = None


class CommandMessage(msgspec.Struct):
    """A lifecycle command as it was sent, unchecked. `kind` is the CloudEvents type, such as `customer.create`.

    `source` and `id` are those of the CloudEvent; both None for a tombstone, whose kind is `customer.delete` and which
    is identified by its offset and arrival. `subject` is the id of the customer or of the shared budget. `data` is that
    of the event, read with `domain.values.json_numbers.exact_json`, which keeps decimals exact; {} when absent.
    `arrival_us` is the record's timestamp as in `UsageRun`: a command without an `effective_at` of its own is effective
    from then. `index` is its index in a batched record.
    """

    offset: int
    scope: Scope
    kind: str
    source: str | None
    id: str | None
    subject: str
    data: Any
    arrival_us: int
    index: int = 0
    dialect: str = "kafka"


#: A stretch of the records of one partition.
Part = UsageRun | CommandMessage


class PartitionBatch(msgspec.Struct):
    """One poll of one partition, appended as a unit. Without parts it only advances the offset.

    `leader_epoch` is that of the last record below `next_offset`; None when it is not known.
    """

    source: PartitionSource
    first_offset: int
    next_offset: int
    parts: list[Part]
    leader_epoch: int | None = None


class RejectedItem(msgspec.Struct, frozen=True):
    """A usage item that was rejected, with the content of its dead letter. `raw`: at most its first 64 KiB."""

    offset: int
    index: int
    scope: Scope
    reason: str
    detail: str | None
    raw: bytes


class CommandOutcome(msgspec.Struct, frozen=True):
    """The outcome of a command. `reason` says why it was refused; None otherwise."""

    offset: int
    index: int
    scope: Scope
    kind: str
    source: str | None
    id: str | None
    subject: str
    outcome: CommandVerdict
    reason: str | None = None


class AppendedBatch(msgspec.Struct, frozen=True):
    """A durable append. `position` is that of its last record, `received` counts usage items."""

    position: int
    received: int
    rejected: list[RejectedItem]
    commands: list[CommandOutcome]
