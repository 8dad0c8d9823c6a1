"""The records of Kafka measurements, published into a topic before anything reads it.

1. Usage events of `bench.events`, one per record, keyed by customer; one in `AGAIN_SHARE` is sent twice.
2. If asked for, as many commands, one before each event, each for some customer.
3. A last event in every partition: when all usage is counted, every record before it was read.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import numpy as np
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from bench.events import customer_id, event_lines, midnight, mixed

PARTITIONS: Final = 6
AGAIN_SHARE: Final = 100
FLUSH_SECONDS_MAX: Final = 300.0
LINGER_MILLISECONDS: Final = 20
BATCH_BYTES: Final = 256 * 1024
_SUBJECT: Final = b'"subject":"'
_COMMAND: Final = (
    b'{"specversion":"1.0","id":"cmd-%d-%d","source":"crm","type":"customer.update","subject":"%b",'
    b'"data":{"budget":{"period_limit_usd":"%d.50"}}}'
)


class PublishRun(msgspec.Struct, frozen=True):
    """`usage` events, and as many commands if `commands`, into an existing topic."""

    bootstrap: str
    topic: str
    usage: int
    customers: int
    seed: int
    commands: bool = False


class Published(msgspec.Struct, frozen=True):
    """The numbers of what was published."""

    usage: int
    duplicates: int
    commands: int
    value_bytes: int

    @property
    def records(self) -> int:
        """All records."""
        return self.usage + self.commands


def make_topic(bootstrap: str, topic: str) -> None:
    """Create a topic with `PARTITIONS` partitions."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    finally:
        admin.close()


def publish(run: PublishRun) -> Published:
    """Publish everything and wait until it is delivered. Runs in a process of its own."""
    again = max(1, run.usage // AGAIN_SHARE)
    fresh = event_lines(run.usage - again, run.customers, run.seed, midnight(datetime.now(UTC)))
    lines = mixed(fresh, fresh[:again], run.seed)
    last, lines = lines[-PARTITIONS:], lines[:-PARTITIONS]
    producer = KafkaProducer(
        bootstrap_servers=run.bootstrap, linger_ms=LINGER_MILLISECONDS, batch_size=BATCH_BYTES, max_block_ms=60_000
    )
    value_bytes = commands = 0
    deliveries: list[Any] = []
    sending = _with_commands(lines, run) if run.commands else iter(lines)
    for number, value in enumerate(sending):
        deliveries.append(producer.send(run.topic, key=_customer_of(value), value=value))
        value_bytes += len(value)
        commands += run.commands and number % 2 == 0
    producer.flush(FLUSH_SECONDS_MAX)
    for partition, value in enumerate(last):
        deliveries.append(producer.send(run.topic, key=_customer_of(value), value=value, partition=partition))
    producer.flush(FLUSH_SECONDS_MAX)
    for delivery in deliveries:
        delivery.get(timeout=0)
    producer.close()
    return Published(len(lines) + len(last), again, commands, value_bytes + sum(map(len, last)))


def _with_commands(lines: list[bytes], run: PublishRun) -> Iterator[bytes]:
    """A command before every event, mostly about another customer than the event."""
    numbers = np.random.default_rng(run.seed + 1).integers(0, run.customers, len(lines)).tolist()
    for index, (line, number) in enumerate(zip(lines, numbers, strict=True)):
        yield _COMMAND % (run.seed, index, customer_id(number).encode(), 1_000 + index % 1_000)
        yield line


def _customer_of(value: bytes) -> bytes:
    start = value.index(_SUBJECT) + len(_SUBJECT)
    return value[start : value.index(b'"', start)]
