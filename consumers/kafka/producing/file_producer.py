"""Produce the usage events of a file to a topic: keyed by customer, in file order, acknowledged by all replicas.

1. Check that the topic exists, and get its number of partitions.
2. Read the file line by line; find the customer of each event, which determines the partition.
3. Send each event as a record of its own, or gather events of one partition in batched records.
4. Bound the records that are not acknowledged yet, by waiting for the oldest.
5. At the end wait for the rest.

A line that is not an event is sent as it is, alone, so that it is received, rejected with a reason and can be found. A
file that was sent before, whole or in part, can be sent again: no event counts twice.
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
from consumers.files.event_batches import read_lines
from consumers.files.map_file import FileMap
from consumers.files.row_mapping import Line
from consumers.kafka.client_internals.producer_closing import close_producer
from consumers.kafka.connection import broker_failures, client_options
from consumers.kafka.topics import READ_MESSAGE_BYTES_MAX, partitions_of
from consumers.settings import Settings

RECORD_EVENTS_MAX: Final = 1_000
#: Bound of the events gathered in one batched record.
RECORD_BYTES_MAX: Final = 256 * 1024
#: Bound of the gathered events of all partitions; beyond it the largest batch is sent as it is.
GATHERED_BYTES_MAX: Final = 32 * 1024 * 1024
#: How long the client waits to fill a request, and how large it makes one.
LINGER_MILLISECONDS: Final = 20
REQUEST_BYTES: Final = 256 * 1024
COMPRESSION: Final = "lz4"
PARTITIONS_REMEMBERED_MAX: Final = 100_000

STRUCTURED: Final = b"application/cloudevents+json"
BATCHED: Final = b"application/cloudevents-batch+json"

#: Called after every record that was sent, with the bytes of the file that are in records so far.
ProgressCallback = Callable[[int], None]


class Produced(msgspec.Struct):
    """Progress of a file. `acknowledged` counts the events that all replicas have acknowledged."""

    file: str
    topic: str
    events: int = 0
    records: int = 0
    acknowledged: int = 0


class Bounds(msgspec.Struct, frozen=True):
    """Bounds of unacknowledged records, and how long the delivery of a record is tried before it fails."""

    unacknowledged_records_max: int = 10_000
    unacknowledged_bytes_max: int = 32 * 1024 * 1024
    delivery_seconds_max: float = 60.0


DEFAULT_BOUNDS: Final = Bounds()


class Record(msgspec.Struct, frozen=True):
    """A record to send: one event with its customer as key, or a batch for a partition, without a key."""

    value: bytes
    content_type: bytes
    events: int
    end_bytes: int
    key: bytes | None = None
    partition: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()  # more than those of all records


class Production:
    """Produces one file. `produced` is kept up to date, also when the run fails."""

    def __init__(self, path: Path, file_map: FileMap | None, topic: str, bounds: Bounds = DEFAULT_BOUNDS) -> None:
        self.produced = Produced(str(path), topic)
        self._path = path
        self._file_map = file_map
        self._bounds = bounds

    def run(
        self, settings: Settings, record_events: int, headers: Iterable[tuple[str, bytes]], advance: ProgressCallback
    ) -> None:
        """Send the whole file, `record_events` events to a record (1: each alone, keyed by its customer).

        Raises `BrokerUnreachable`, `BrokerRefused`, `KafkaMisconfigured` or `FileUnreadable`.
        """
        partitions = partitions_of(settings, self.produced.topic)
        keyed = keyed_records(self._lines(), partitions)
        records = keyed if record_events == 1 else batched_records(keyed, record_events)
        with sending(settings, self._bounds, self.produced, headers) as sender:
            for record in records:
                sender.send(record)
                advance(record.end_bytes)

    def _lines(self) -> Iterator[Line]:
        try:
            with self._path.open("rb") as stream:
                size_bytes = self._path.stat().st_size
                yield from read_lines(stream, self._path.suffix.lower(), size_bytes, self._file_map)
        except OSError as error:  # else it would be taken for a network error
            raise FileUnreadable(error.strerror or str(error)) from error


def keyed_records(lines: Iterable[Line], partitions: int) -> Iterator[Record]:
    """Yield each line as a record of its own, keyed by its customer and for that customer's partition."""
    for line in lines:
        customer = customer_of(line.body)
        key = customer.encode() if customer else None
        partition = None if key is None else partition_of(key, partitions)
        yield Record(line.body, STRUCTURED, 1, line.end_bytes, key, partition)


def batched_records(records: Iterable[Record], events_max: int) -> Iterator[Record]:
    """Gather events of a partition in records of at most `events_max` events or `RECORD_BYTES_MAX` bytes.

    Order is kept within a partition, so also for each customer. An item that is not a JSON object is sent alone: in a
    batch it would make the others unreadable.
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
    """The batch of one partition that is being filled."""

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
    """Return the customer that an event names: its subject, else `data.customerId`, else `data.user`.

    None when it names none, and when it is not a JSON object.
    """
    try:
        event.decode()  # the decoder does not check what it skips
        envelope = _ENVELOPE.decode(event)
        if envelope.subject is not None:
            return envelope.subject if isinstance(envelope.subject, str) else None
        named = _CUSTOMER.decode(envelope.data) if bytes(envelope.data) else _Customer()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    customer = named.user if named.customer_id is None else named.customer_id
    return customer if isinstance(customer, str) else None


@lru_cache(PARTITIONS_REMEMBERED_MAX)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition to which every Kafka client sends this key by default."""
    return int(murmur2(key) & 0x7FFF_FFFF) % partitions


class _Unacknowledged(msgspec.Struct, frozen=True):
    future: Any
    events: int
    size_bytes: int


class Sender:
    """Sends records by the client, and bounds those that are not acknowledged."""

    def __init__(self, client: Any, bounds: Bounds, produced: Produced, headers: Iterable[tuple[str, bytes]]) -> None:
        self._client = client
        self._bounds = bounds
        self._produced = produced
        self._headers = tuple(headers)
        self._waiting: deque[_Unacknowledged] = deque()
        self._waiting_bytes = 0

    def send(self, record: Record) -> None:
        """Return when the record is under way; raise the error of an earlier one that failed."""
        headers = [("content-type", record.content_type), *self._headers, *record.headers]
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
        """Wait for all records, one by one: the client's own flush fails when a refused batch is split."""
        while self._waiting:
            self._await_oldest()

    def count_what_arrived(self) -> None:
        """After a failure, count what else was acknowledged, without waiting."""
        for one in self._waiting:
            self._produced.acknowledged += one.events if one.future.succeeded() else 0
        self._waiting.clear()

    def _is_full(self) -> bool:
        return (
            self._waiting_bytes > self._bounds.unacknowledged_bytes_max
            or len(self._waiting) > self._bounds.unacknowledged_records_max
        )

    def _await_oldest(self) -> None:
        oldest = self._waiting.popleft()
        self._waiting_bytes -= oldest.size_bytes
        oldest.future.get(2 * self._bounds.delivery_seconds_max)  # the client gives up first, and knows why
        self._produced.acknowledged += oldest.events


@contextmanager
def sending(
    settings: Settings, bounds: Bounds, produced: Produced, headers: Iterable[tuple[str, bytes]]
) -> Iterator[Sender]:
    """Open a sender; all records are acknowledged when the block ends without an error."""
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
        sender = Sender(client, bounds, produced, headers)
        try:
            yield sender
            sender.finish()
        except BaseException:
            sender.count_what_arrived()
            close_producer(client, 0.0)  # the records that it still holds are given up
            raise
        client.close()
