"""What a consumer hands to the appender of partitions, and what it gets back: plain data, no client of any broker.

A batch is one poll of one partition: everything from `first_offset` on and below `next_offset`, in record order.
"""

from __future__ import annotations

from typing import Any

import msgspec

from domain.commands.events import CommandVerdict
from domain.scope import Scope
from domain.streams import partition_stream


class PartitionSource(msgspec.Struct, frozen=True):
    """A partition of a topic of a cluster. A topic that was made again has another id, and is another source."""

    cluster_id: str
    topic_id: str
    topic: str
    partition: int

    @property
    def stream(self) -> str:
        """The stream that its appends go to. The topic's name is no part of it."""
        return partition_stream(self.cluster_id, self.topic_id, self.partition)


class UsageRun(msgspec.Struct):
    """Consecutive items of one scope, each the bytes of one event (or garbage, which becomes a rejected row).

    `offsets` and `arrivals_us` have one value for each item: the record it stood in, and that record's timestamp in
    microseconds since 1970; a negative one says that the record has none, and the time of the append is taken.
    `customers` has the record's key for each item; None when no record of the run has one. Customers differ by item
    and not by run, so that runs stay long where every record has another key.
    `indexes` are the places of items in batched records; None when every item is all of its record.
    """

    scope: Scope
    items: list[bytes]
    offsets: list[int]
    arrivals_us: list[int]
    customers: list[str | None] | None = None
    indexes: list[int] | None = None


class SentCommand(msgspec.Struct):
    """A lifecycle command as it was sent. `kind` is the CloudEvents type, such as `customer.create`.

    `source` and `id` are those of the CloudEvent, unchecked; both None for a tombstone, whose kind is
    `customer.delete` and which is known by its offset and arrival. `subject` is the id of the customer or of the shared
    budget. `data` is what stood in the event, read with `exact_json` of `domain.values.json_numbers`, which keeps
    decimals exact; an absent one is an empty object.
    `arrival_us` is the record's timestamp as in `UsageRun`: a command without an `effective_at` of its own counts from
    then. `index` is its place in a batched record.
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


class PartitionBatch(msgspec.Struct):
    """One poll of one partition, to be appended as one. May hold no part: then only the offset moves on.

    `leader_epoch` is that of the last record below `next_offset`; None when it is not known.
    """

    source: PartitionSource
    first_offset: int
    next_offset: int
    parts: list[UsageRun | SentCommand]
    leader_epoch: int | None = None


class RejectedItem(msgspec.Struct, frozen=True):
    """An item that became a rejected row, as its dead letter tells it. `raw` is the item, at most its first 64 KiB."""

    offset: int
    index: int
    scope: Scope
    reason: str
    detail: str | None
    raw: bytes


class CommandOutcome(msgspec.Struct, frozen=True):
    """What became of a command. `reason` says why it was refused; None otherwise."""

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
    """An append that is durable. `position` is that of its last record, `received` counts usage items."""

    position: int
    received: int
    rejected: list[RejectedItem]
    commands: list[CommandOutcome]
