"""Generated traffic with an account of its results: the records of a seed, the way each is sent, and its outcome.

Usage in all three modes, plain, compressed and in transactions, with duplicates, conflicts and garbage; and between it
the commands of `generated_lives`. Records sent in one way to one partition stay in order; no others do.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from tests.consumers.kafka.broker.generated_lives import Lives
from tests.consumers.kafka.broker.sent_records import (
    BATCHED,
    PARTITIONS,
    STRUCTURED,
    Account,
    Destination,
    Headers,
    Sent,
    Way,
    binary,
    event_members,
    hash_of,
    structured,
)

CUSTOMERS = 40
DUPLICATE_SHARE = 0.02
#: Shares of duplicates that come by another partition, and over HTTP.
ELSEWHERE_SHARE = 0.05
OVER_HTTP_SHARE = 0.05
CONFLICT_SHARE = 0.01
GARBAGE_SHARE = 0.005
BINARY_SHARE = 0.05
BATCH_SHARE = 0.005
BATCH_EVENTS_MAX = 30
#: Shares of batches that hold garbage, and that hold an event twice.
SPOILT_BATCH_SHARE = 0.2
REPEATING_BATCH_SHARE = 0.2
#: Share of transactional records that are preceded by an aborted one with other content.
ABORTED_SHARE = 0.1
COMMAND_SHARE = 0.03
#: A duplicate or a conflict comes at most so many records after its event.
LATER_RECORDS_MAX = 2_000

GARBAGE = (b"", b"nonsense", b"{", b"[]extra", b'{"specversion":"1.0"}', b"\xff\x00", b"7", b'{"id":"x","data":', None)
NO_EVENT = b'{"specversion":"1.0","id":"no source"}'
#: Ways by the number of the customer; all records of a customer go in one way.
WAYS: tuple[Way, ...] = ("plain", "plain", "lz4", "plain", "zstd", "plain", "committed", "plain")


class Traffic:
    """`events` events, and commands between them, in the order in which they are to be sent."""

    def __init__(self, seed: int, events: int) -> None:
        self.account = Account()
        self._random = Random(seed)
        self._events = events
        self._later: dict[int, list[Sent]] = {}
        self._number = 0
        self._lives = Lives(self._random, self.account, self._send_later)

    def records(self) -> Iterator[Sent]:
        """Each record once; the account grows with them, and is complete at the end."""
        for record in self._records():
            self.account.record(record)
            yield record
        self._lives.finish()

    def _records(self) -> Iterator[Sent]:
        chance = self._random.random
        for number in range(self._events):
            self._number = number
            yield from self._later.pop(number, ())
            yield from self._event(number)
            if chance() < GARBAGE_SHARE:
                yield self._garbage()
            if chance() < BATCH_SHARE:
                yield self._batch(number)
            if chance() < COMMAND_SHARE:
                yield from self._lives.step()
        for number in sorted(self._later):
            yield from self._later[number]

    def _event(self, number: int) -> Iterator[Sent]:
        """An event; perhaps an aborted variant before it, and perhaps a duplicate or conflict noted for later."""
        customer, tokens, way = self._drawn()
        destination: Destination = ("usage", hash_of(customer) % PARTITIONS)
        members = event_members(number, customer, tokens)
        self._count(destination, customer, tokens)
        if way == "committed" and self._random.random() < ABORTED_SHARE:
            yield self._sent(destination, event_members(number, customer, tokens + 7), "aborted")
        yield self._sent(destination, members, way)
        chance = self._random.random()
        if chance < DUPLICATE_SHARE:
            self._send_later(self._again(destination, members, way))
        elif chance < DUPLICATE_SHARE + CONFLICT_SHARE:
            # In the same way to the same partition, so that the first one counts.
            self.account.usage(destination, "conflict")
            self._send_later(self._sent(destination, event_members(number, customer, tokens + 1), way))

    def _drawn(self) -> tuple[str, int, Way]:
        number = self._random.randrange(CUSTOMERS)
        return f"customer-{number}", self._random.randrange(1, 1_000), WAYS[number % len(WAYS)]

    def _count(self, destination: Destination, customer: str, tokens: int) -> None:
        self.account.usage(destination, "counted")
        self.account.tokens[customer] += tokens

    def _sent(self, destination: Destination, members: dict[str, Any], way: Way) -> Sent:
        """The event in one of the equivalent modes for one event."""
        key, chance = members["subject"].encode(), self._random.random()
        if chance < BINARY_SHARE:
            headers, value = binary(members)
            return Sent(destination, key, value, headers, way, "binary")
        return Sent(destination, key, structured(members), STRUCTURED if chance > 1 - BINARY_SHARE else (), way)

    def _again(self, destination: Destination, members: dict[str, Any], way: Way) -> Sent:
        chance = self._random.random()
        if chance < ELSEWHERE_SHARE and destination is not None:
            destination = (destination[0], (destination[1] + 1) % PARTITIONS)
        elif chance < ELSEWHERE_SHARE + OVER_HTTP_SHARE:
            self.account.usage(None, "duplicate")
            return Sent(None, None, structured(members))
        self.account.usage(destination, "duplicate")
        return self._sent(destination, members, way)

    def _garbage(self) -> Sent:
        destination: Destination = ("usage", self._random.randrange(PARTITIONS))
        self.account.usage(destination, "rejected")
        return Sent(destination, b"nobody", self._random.choice(GARBAGE), (), self._random.choice(WAYS), "garbage")

    def _batch(self, number: int) -> Sent:
        """Events of several customers in one record; garbage among them does not affect the others."""
        destination: Destination = ("usage", self._random.randrange(PARTITIONS))
        items = []
        for index in range(self._random.randrange(1, BATCH_EVENTS_MAX)):
            customer, tokens, _ = self._drawn()
            items.append(structured(event_members(f"{number}-{index}", customer, tokens)))
            self._count(destination, customer, tokens)
        if self._random.random() < REPEATING_BATCH_SHARE:
            items.append(self._random.choice(items))
            self.account.usage(destination, "duplicate")
        if self._random.random() < SPOILT_BATCH_SHARE:
            items.insert(self._random.randrange(len(items)), NO_EVENT)
            self.account.usage(destination, "rejected")
        headers: Headers = self._random.choice((BATCHED, ()))
        way = self._random.choice(WAYS)
        return Sent(destination, None, b"[%b]" % b",".join(items), headers, way, "batched", len(items))

    def _send_later(self, record: Sent) -> None:
        when = self._number + self._random.randrange(1, LATER_RECORDS_MAX)
        self._later.setdefault(when, []).append(record)


def account_of(seed: int, events: int) -> Account:
    """The account of the whole traffic of a seed."""
    traffic = Traffic(seed, events)
    for _ in traffic.records():
        pass
    return traffic.account
