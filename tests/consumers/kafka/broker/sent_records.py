"""The records of generated traffic, and the account of what must be known once they were read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

PARTITIONS = 6
CUSTOMER_PARTITIONS = 2

Topic = Literal["usage", "customers"]
#: How a record gets to the broker: by a plain producer, compressed, or within a transaction.
Way = Literal["plain", "lz4", "zstd", "committed", "aborted"]
#: A topic and a partition; None: over HTTP.
Destination = tuple[Topic, int] | None
#: The source and the id of a command.
CommandId = tuple[str, str]
Headers = tuple[tuple[str, bytes], ...]

STRUCTURED: Headers = (("content-type", b"application/cloudevents+json"),)
BATCHED: Headers = (("content-type", b"application/cloudevents-batch+json"),)


class Sent(msgspec.Struct, frozen=True):
    """A record to publish. Records of one destination and one way arrive in the order in which they are sent.

    `kind` is for counting. `items` is the number of usage events in it, garbage included.
    """

    destination: Destination
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    way: Way = "plain"
    kind: str = "usage"
    items: int = 1


@dataclass
class Account:
    """The expected results of everything that was sent.

    `outcomes` counts usage items, `outcomes_by_destination` those of each destination: of two deliveries of an identity
    to different destinations either may be the duplicate, so there both are called `counted or duplicate`. `records`
    counts the committed ones. `commands` counts outcomes by command id; `tombstones` have none. `customers` has the
    final states, None for one that must not exist; `budgets` the final limits.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    outcomes_by_destination: Counter[tuple[Destination, str]] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    records: Counter[Destination] = field(default_factory=Counter)
    sent: Counter[tuple[Way, str]] = field(default_factory=Counter)
    letters: int = 0
    commands: dict[CommandId, Counter[str]] = field(default_factory=dict)
    tombstones: int = 0
    customers: dict[str, Mapping[str, Any] | None] = field(default_factory=dict)
    budgets: dict[str, str] = field(default_factory=dict)

    def usage(self, destination: Destination, outcome: str, count: int = 1) -> None:
        """Count usage items of a destination with their outcome."""
        self.outcomes[outcome] += count
        shown = "counted or duplicate" if outcome in ("counted", "duplicate") else outcome
        self.outcomes_by_destination[destination, shown] += count
        if outcome == "rejected" and destination is not None:
            self.letters += count

    def command(self, command: CommandId, outcome: str) -> None:
        """Count a delivery of a command with its outcome."""
        self.commands.setdefault(command, Counter())[outcome] += 1

    def record(self, sent: Sent) -> None:
        """Count a sent record."""
        self.sent[sent.way, sent.kind] += 1
        if sent.way != "aborted":
            self.records[sent.destination] += 1

    @property
    def received(self) -> int:
        """The number of usage items."""
        return self.outcomes.total()

    def customers_there(self) -> dict[str, Mapping[str, Any]]:
        """The customers that must exist."""
        return {name: customer for name, customer in self.customers.items() if customer is not None}

    def command_outcomes(self) -> Counter[str]:
        """The outcomes of all commands, tombstones included."""
        total = Counter(honoured=self.tombstones)
        for outcomes in self.commands.values():
            total.update(outcomes)
        return total


def event_members(
    number: object, customer: str, tokens: int, time: str = "2026-11-01T12:00:00Z", sources: int = 4
) -> dict[str, Any]:
    """A usage event; its members in the order in which they are written."""
    return {
        "specversion": "1.0",
        "id": f"event-{number}",
        "source": f"gateway-{hash_of(str(number)) % sources}",
        "type": "llm.request",
        "subject": customer,
        "time": time,
        "data": {"provider": "acme", "model": "swift", "input_tokens": tokens, "cost_usd": f"0.{tokens:06}"},
    }


def structured(members: Mapping[str, Any]) -> bytes:
    """An event as JSON."""
    return msgspec.json.encode(members)


def binary(members: Mapping[str, Any]) -> tuple[Headers, bytes]:
    """The same event in binary mode: its attributes as headers, its data as the value."""
    attributes = tuple((f"ce_{name}", str(value).encode()) for name, value in members.items() if name != "data")
    return (*attributes, ("content-type", b"application/json")), msgspec.json.encode(members["data"])


def hash_of(name: str) -> int:
    """A hash that is the same in every process, as `hash` is not."""
    return sum(name.encode())
