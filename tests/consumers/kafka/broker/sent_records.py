"""What generated traffic is made of, and what has to be known once it was read."""

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
Place = tuple[Topic, int] | None
#: The source and the id of a command.
CommandId = tuple[str, str]
Headers = tuple[tuple[str, bytes], ...]

STRUCTURED: Headers = (("content-type", b"application/cloudevents+json"),)
BATCHED: Headers = (("content-type", b"application/cloudevents-batch+json"),)


class Sent(msgspec.Struct, frozen=True):
    """A record to publish. Records of one place and one way arrive in the order in which they are sent.

    `kind` says what it is, for whoever counts. `items` are the events of usage in it, garbage included.
    """

    place: Place
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    way: Way = "plain"
    kind: str = "usage"
    items: int = 1


@dataclass
class Account:
    """What must be known of everything that was sent.

    `outcomes` of items of usage, in all and by place; of two deliveries of one identity that come by different places
    either may be the duplicate, so by place both are called `counted or duplicate`. `records` are the committed ones.
    `commands` by id: how often each is honoured, a duplicate or refused. `tombstones` have no id. `customers` as they
    are at last, None for one that must not be there; so `budgets`, by their limit.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    outcomes_by_place: Counter[tuple[Place, str]] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    records: Counter[Place] = field(default_factory=Counter)
    sent: Counter[tuple[Way, str]] = field(default_factory=Counter)
    letters: int = 0
    commands: dict[CommandId, Counter[str]] = field(default_factory=dict)
    tombstones: int = 0
    customers: dict[str, Mapping[str, Any] | None] = field(default_factory=dict)
    budgets: dict[str, str] = field(default_factory=dict)

    def usage(self, place: Place, outcome: str, count: int = 1) -> None:
        """So many items of usage come by a place, and this becomes of them."""
        self.outcomes[outcome] += count
        shown = "counted or duplicate" if outcome in ("counted", "duplicate") else outcome
        self.outcomes_by_place[place, shown] += count
        if outcome == "rejected" and place is not None:
            self.letters += count

    def command(self, command: CommandId, outcome: str) -> None:
        """A delivery of a command, and what becomes of it."""
        self.commands.setdefault(command, Counter())[outcome] += 1

    def record(self, sent: Sent) -> None:
        """It was sent."""
        self.sent[sent.way, sent.kind] += 1
        if sent.way != "aborted":
            self.records[sent.place] += 1

    @property
    def received(self) -> int:
        """Items of usage."""
        return self.outcomes.total()

    def customers_there(self) -> dict[str, Mapping[str, Any]]:
        """Of those in `customers`."""
        return {name: customer for name, customer in self.customers.items() if customer is not None}

    def command_outcomes(self) -> Counter[str]:
        """Of all commands, tombstones included."""
        total = Counter(honoured=self.tombstones)
        for outcomes in self.commands.values():
            total.update(outcomes)
        return total


def event_members(
    number: object, customer: str, tokens: int, time: str = "2026-11-01T12:00:00Z", sources: int = 4
) -> dict[str, Any]:
    """An event of usage, in the order in which it is written."""
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
    """The same in every process, as `hash` is not."""
    return sum(name.encode())
