"""Traffic whose account is known: what a seed sends, by which way, and what has to be counted of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import msgspec

CUSTOMERS = 40
SOURCES = 4
DUPLICATE_SHARE = 0.02
#: Of the duplicates, so many come by another partition, and so many over HTTP.
ELSEWHERE_SHARE = 0.05
OVER_HTTP_SHARE = 0.05
CONFLICT_SHARE = 0.01
GARBAGE_SHARE = 0.005
#: A duplicate or a conflict comes at most so many records after its event.
LATER_RECORDS_MAX = 2_000

GARBAGE = (b"", b"nonsense", b"{", b"[]extra", b'{"specversion":"1.0"}', b"\xff\x00", b"7", b'{"id":"x","data":')


class Sent(msgspec.Struct, frozen=True):
    """A record to publish: to which partition, or None for HTTP."""

    partition: int | None
    key: bytes
    value: bytes


@dataclass
class Account:
    """What must be known of everything that was sent."""

    outcomes: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    received: Counter[int | None] = field(default_factory=Counter)  # by partition; None is HTTP


class Traffic:
    """`events` events with what comes beside them, in the order in which they are to be sent."""

    def __init__(self, seed: int, events: int, partitions: int) -> None:
        self.account = Account()
        self._random = Random(seed)
        self._events = events
        self._partitions = partitions
        self._later: dict[int, list[Sent]] = {}

    def records(self) -> Iterator[Sent]:
        """Each record once; the account grows with them."""
        for number in range(self._events):
            yield from map(self._noted, self._later.pop(number, ()))
            yield self._noted(self._event(number))
            if self._random.random() < GARBAGE_SHARE:
                self.account.outcomes["rejected"] += 1
                partition = self._random.randrange(self._partitions)
                yield self._noted(Sent(partition, b"nobody", self._random.choice(GARBAGE)))
        for number in sorted(self._later):
            yield from map(self._noted, self._later[number])

    def _noted(self, record: Sent) -> Sent:
        self.account.received[record.partition] += 1
        return record

    def _event(self, number: int) -> Sent:
        customer = f"customer-{self._random.randrange(CUSTOMERS)}"
        partition = hash_of(customer) % self._partitions
        tokens = self._random.randrange(1, 1_000)
        record = Sent(partition, customer.encode(), event_text(number, customer, tokens))
        self.account.outcomes["counted"] += 1
        self.account.tokens[customer] += tokens
        chance = self._random.random()
        if chance < DUPLICATE_SHARE:
            self.account.outcomes["duplicate"] += 1
            self._send_later(number, self._again(record))
        elif chance < DUPLICATE_SHARE + CONFLICT_SHARE:
            # In the same partition, so that the first one stands.
            self.account.outcomes["conflict"] += 1
            self._send_later(number, Sent(partition, record.key, event_text(number, customer, tokens + 1)))
        return record

    def _again(self, record: Sent) -> Sent:
        way = self._random.random()
        if way < ELSEWHERE_SHARE:
            return Sent(((record.partition or 0) + 1) % self._partitions, record.key, record.value)
        if way < ELSEWHERE_SHARE + OVER_HTTP_SHARE:
            return Sent(None, record.key, record.value)
        return record

    def _send_later(self, number: int, record: Sent) -> None:
        when = number + self._random.randrange(1, LATER_RECORDS_MAX)
        self._later.setdefault(when, []).append(record)


def account_of(seed: int, events: int, partitions: int) -> Account:
    """What must be known once the traffic of this seed was sent as a whole."""
    traffic = Traffic(seed, events, partitions)
    for _ in traffic.records():
        pass
    return traffic.account


def hash_of(customer: str) -> int:
    """The same in every process, as `hash` is not."""
    return sum(customer.encode())


def event_text(number: int, customer: str, tokens: int) -> bytes:
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": f"event-{number}",
            "source": f"gateway-{number % SOURCES}",
            "type": "llm.request",
            "subject": customer,
            "time": "2026-11-01T12:00:00Z",
            "data": {"provider": "acme", "model": "swift", "input_tokens": tokens, "cost_usd": f"0.{tokens:06}"},
        }
    )
