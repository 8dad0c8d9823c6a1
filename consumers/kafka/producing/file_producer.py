"""Files of usage as records of a topic: keyed by customer, in the order of the file, acknowledged by every replica.

1. See that the topic is there, and how many partitions it has.
2. Read the file line by line; find the customer of each event, whose partition it goes to.
3. Send each event as a record of its own, or gather events of one partition to batched records.
4. Bound what was sent and is not acknowledged yet, by waiting for the oldest.
5. At the end wait for the rest.

A line that is no event is sent as it stands, alone, so that it is received, rejected with a reason and found again.
A file that was sent before, whole or in part, can be sent again: what is known counts nothing twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
from kafka import KafkaProducer
from kafka.partitioner import murmur2

from consumers.errors import FileUnreadable
from consumers.files.event_batches import Line, read_lines
from consumers.files.maps import FileMap
from consumers.kafka.connection import broker_failures, client_options
from consumers.kafka.producing.producer_closing import close_producer
from consumers.kafka.topics import READ_MESSAGE_BYTES_MAX, partitions_of
from consumers.settings import Settings

RECORD_EVENTS_MAX: Final = 1_000
#: Of the events that are gathered to one batched record.
RECORD_BYTES_MAX: Final = 256 * 1024
#: Of what is gathered, over all partitions; beyond it the fullest goes as it is.
GATHERED_BYTES_MAX: Final = 32 * 1024 * 1024
#: How long the client waits to fill a request, and how full it makes one.
LINGER_MILLISECONDS: Final = 20
REQUEST_BYTES: Final = 256 * 1024
COMPRESSION: Final = "lz4"
PARTITIONS_REMEMBERED_MAX: Final = 100_000

STRUCTURED: Final = b"application/cloudevents+json"
BATCHED: Final = b"application/cloudevents-batch+json"

#: Told after every record that was sent: how much of the file went into records so far, in bytes.
Advance = Callable[[int], None]


class Produced(msgspec.Struct):
    """What became of a file so far. `acknowledged` are the events that Kafka has for certain."""

    file: str
    topic: str
    events: int = 0
    records: int = 0
    acknowledged: int = 0


class Bounds(msgspec.Struct, frozen=True):
    """What may be sent and not acknowledged yet, and how long a record is tried before it counts as failed."""

    unacknowledged_records_max: int = 10_000
    unacknowledged_bytes_max: int = 32 * 1024 * 1024
    delivery_seconds_max: float = 60.0


USUAL_BOUNDS: Final = Bounds()


class Record(msgspec.Struct, frozen=True):
    """What is sent: one event under its customer, or a batch of a partition, which names its customers itself."""

    value: bytes
    content_type: bytes
    events: int
    end_bytes: int
    key: bytes | None = None
    partition: int | None = None


class Production:
    """The sending of a file. `produced` counts meanwhile, and tells how far it came when it fails."""

    def __init__(self, path: Path, file_map: FileMap | None, topic: str, bounds: Bounds = USUAL_BOUNDS) -> None:
        self.produced = Produced(str(path), topic)
        self._path = path
        self._file_map = file_map
        self._bounds = bounds

    def run(
        self, settings: Settings, record_events: int, headers: Iterable[tuple[str, bytes]], advance: Advance
    ) -> None:
        """Send all of it, `record_events` events to a record (1: each alone, keyed by its customer).

        Raises `BrokerUnreachable`, `BrokerRefused`, `KafkaMisconfigured` or `FileUnreadable`.
        """
        partitions = partitions_of(settings, self.produced.topic)
        keyed = keyed_records(self._lines(), partitions)
        records = keyed if record_events == 1 else batched_records(keyed, record_events)
        with _sending(settings, self._bounds, self.produced, headers) as sender:
            for record in records:
                sender.send(record)
                advance(record.end_bytes)

    def _lines(self) -> Iterator[Line]:
        try:
            with self._path.open("rb") as stream:
                size_bytes = self._path.stat().st_size
                yield from read_lines(stream, self._path.suffix.lower(), size_bytes, self._file_map)
        except OSError as error:  # else it would pass for one of the network
            raise FileUnreadable(error.strerror or str(error)) from error


def keyed_records(lines: Iterable[Line], partitions: int) -> Iterator[Record]:
    """Each line as a record of its own: keyed by its customer, and bound for that customer's partition."""
    for line in lines:
        customer = customer_of(line.body)
        key = customer.encode() if customer else None
        partition = None if key is None else _partition_of(key, partitions)
        yield Record(line.body, STRUCTURED, 1, line.end_bytes, key, partition)


def batched_records(records: Iterable[Record], events_max: int) -> Iterator[Record]:
    """Events that go to one partition, gathered to records of at most `events_max` events or `RECORD_BYTES_MAX` bytes.

    Order is kept within a partition, so also for each customer. What is no JSON object goes alone: within a batch it
    would spoil the others.
    """
    gathered: dict[int, _Gathered] = {}
    gathered_bytes = 0
    for record in records:
        if record.partition is None:
            yield record
            continue
        batch = gathered.setdefault(record.partition, _Gathered(record.partition))
        if batch.values and batch.size_bytes + len(record.value) > RECORD_BYTES_MAX:
            gathered_bytes -= batch.size_bytes
            yield batch.taken(record.end_bytes)
        gathered_bytes += batch.add(record.value)
        if len(batch.values) >= events_max or gathered_bytes > GATHERED_BYTES_MAX:
            fullest = max(gathered.values(), key=lambda held: (len(held.values) >= events_max, held.size_bytes))
            gathered_bytes -= fullest.size_bytes
            yield fullest.taken(record.end_bytes)
    for batch in gathered.values():
        if batch.values:
            yield batch.taken(0)


class _Gathered:
    """Events of one partition that wait for more of their kind."""

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self.values: list[bytes] = []
        self.size_bytes = 0

    def add(self, value: bytes) -> int:
        self.values.append(value)
        self.size_bytes += len(value) + 1
        return len(value) + 1

    def taken(self, end_bytes: int) -> Record:
        value = b"[%b]" % b",".join(self.values)
        record = Record(value, BATCHED, len(self.values), end_bytes, None, self._partition)
        self.values, self.size_bytes = [], 0
        return record


class _Envelope(msgspec.Struct):
    subject: Any = None
    data: msgspec.Raw = msgspec.Raw()


class _Customer(msgspec.Struct):
    customer_id: Any = msgspec.field(default=None, name="customerId")
    user: Any = None


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_CUSTOMER: Final = msgspec.json.Decoder(_Customer)


def customer_of(event: bytes) -> str | None:
    """The customer that an event names: its subject, else `data.customerId`, else `data.user`.

    None when it names none, and when it is not the JSON text of an object.
    """
    try:
        event.decode()  # what a reader skips it does not check
        envelope = _ENVELOPE.decode(event)
        if envelope.subject is not None:
            return envelope.subject if isinstance(envelope.subject, str) else None
        named = _CUSTOMER.decode(envelope.data) if bytes(envelope.data) else _Customer()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    customer = named.user if named.customer_id is None else named.customer_id
    return customer if isinstance(customer, str) else None


@lru_cache(PARTITIONS_REMEMBERED_MAX)
def _partition_of(key: bytes, partitions: int) -> int:
    """Where every client of Kafka puts this key by default."""
    return int(murmur2(key) & 0x7FFF_FFFF) % partitions


class _Unacknowledged(msgspec.Struct, frozen=True):
    future: Any
    events: int
    size_bytes: int


class _Sender:
    """Gives records to the client, and keeps what is not acknowledged below its bounds."""

    def __init__(self, client: Any, bounds: Bounds, produced: Produced, headers: Iterable[tuple[str, bytes]]) -> None:
        self._client = client
        self._bounds = bounds
        self._produced = produced
        self._headers = tuple(headers)
        self._waiting: deque[_Unacknowledged] = deque()
        self._waiting_bytes = 0

    def send(self, record: Record) -> None:
        """Returns when it is on its way; raises what befell an earlier one."""
        headers = [("content-type", record.content_type), *self._headers]
        future = self._client.send(
            self._produced.topic, value=record.value, key=record.key, headers=headers, partition=record.partition
        )
        self._produced.records += 1
        self._produced.events += record.events
        self._waiting.append(_Unacknowledged(future, record.events, len(record.value)))
        self._waiting_bytes += len(record.value)
        while self._waiting and (self._waiting[0].future.is_done or self._is_full()):
            self._await_oldest()

    def finish(self) -> None:
        """Wait for everything, record by record: the client's own flush fails when a refused batch is split."""
        while self._waiting:
            self._await_oldest()

    def count_what_arrived(self) -> None:
        """After a failure: what else was acknowledged, without waiting."""
        for sent in self._waiting:
            self._produced.acknowledged += sent.events if sent.future.succeeded() else 0
        self._waiting.clear()

    def _is_full(self) -> bool:
        return (
            self._waiting_bytes > self._bounds.unacknowledged_bytes_max
            or len(self._waiting) > self._bounds.unacknowledged_records_max
        )

    def _await_oldest(self) -> None:
        sent = self._waiting.popleft()
        self._waiting_bytes -= sent.size_bytes
        sent.future.get(2 * self._bounds.delivery_seconds_max)  # the client gives up first, and knows why
        self._produced.acknowledged += sent.events


@contextmanager
def _sending(
    settings: Settings, bounds: Bounds, produced: Produced, headers: Iterable[tuple[str, bytes]]
) -> Iterator[_Sender]:
    """A sender; everything is acknowledged when the block ends without an error."""
    with broker_failures(settings):
        client = KafkaProducer(
            **client_options(settings),
            acks="all",
            enable_idempotence=True,
            allow_auto_create_topics=False,
            compression_type=COMPRESSION,
            linger_ms=LINGER_MILLISECONDS,
            batch_size=REQUEST_BYTES,
            max_request_size=READ_MESSAGE_BYTES_MAX,
            delivery_timeout_ms=int(bounds.delivery_seconds_max * 1000),
            request_timeout_ms=int(bounds.delivery_seconds_max * 500),
        )
        sender = _Sender(client, bounds, produced, headers)
        try:
            yield sender
            sender.finish()
        except BaseException:
            sender.count_what_arrived()
            close_producer(client, 0.0)  # what it still held is given up
            raise
        client.close()
