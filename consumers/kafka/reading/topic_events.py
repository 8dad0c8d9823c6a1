"""The usage events of a topic as lines of JSON, from its first record to the end that it has when reading begins.

1. Ask for the bounds of all partitions, and read each up to its end, without a group and without committing anything.
2. Split records into events as a consumer does: any mode of the CloudEvents binding, batched or not.
3. Leave out commands and tombstones, and events of other tenants or that are not wanted by their time, customer or
   source. What cannot be read is wanted: intake rejects it with a reason.
4. Give an event without a subject the customer that its record names, and one without a time that of its record.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from datetime import datetime
from typing import Any, Final

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError
from msgspec import UNSET, Raw

from consumers.kafka.appending.batches import CommandMessage, UsageRun
from consumers.kafka.connection import broker_failures, client_options
from consumers.kafka.reading.public_poll import FETCHING, run_of
from consumers.kafka.reading.reader import OffsetBounds, offset_bounds
from consumers.kafka.records.record_content import RecordContext, parts_of
from consumers.kafka.topics import partitions_of
from consumers.settings import Settings
from domain.scope import Scope
from domain.values.instants import EPOCH
from domain.values.periods import MICROSECOND

#: Without a record for so long, the broker is taken to be gone.
SILENT_SECONDS_MAX: Final = 60.0
POLL_SECONDS: Final = 0.5


class WantedEvents(msgspec.Struct, frozen=True):
    """The events that are wanted: with a time in [start, end), and of these customers and sources; empty: of all."""

    start: datetime
    end: datetime
    customers: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


class _Envelope(msgspec.Struct):
    """The members of an event that tell whether it is wanted."""

    source: Any = UNSET
    subject: Any = UNSET
    time: Any = UNSET


_read_envelope: Final = msgspec.json.Decoder(_Envelope).decode
_encode: Final = msgspec.json.Encoder().encode


class TopicEvents:
    """Reads one topic once.

    `topic` is its name. `left_out` counts the events and commands that were not wanted so far; `records` of
    `records_total` are read.
    """

    def __init__(self, settings: Settings, topic: str, scope: Scope, wanted: WantedEvents) -> None:
        """`scope`: that of the wanted events, and of records whose headers name none."""
        self.topic = topic
        self.left_out = 0
        self.records = 0
        self.records_total = 0
        self._settings = settings
        self._scope = scope
        self._wanted = wanted
        self._context = RecordContext(scope, "left out")

    def lines(self, silent_seconds_max: float = SILENT_SECONDS_MAX) -> Iterator[bytes]:
        """Yield the wanted events, by partition in the order of the topic.

        Raises `BrokerUnreachable`, `BrokerRefused` or `KafkaMisconfigured`.
        """
        count = partitions_of(self._settings, self.topic)
        partitions = [TopicPartition(self.topic, number) for number in range(count)]
        with broker_failures(self._settings), closing(_client(self._settings)) as client:
            client.assign(partitions)
            bounds = offset_bounds(client, partitions)
            self.records_total = sum(bound.end - bound.first for bound in bounds.values())
            for records in _polled(client, bounds, silent_seconds_max):
                yield from self._lines_of(records)
                self.records += len(records)
        self.records = self.records_total  # markers of transactions and what was compacted are no records

    def _lines_of(self, records: Sequence[Any]) -> Iterator[bytes]:
        """The wanted events of consecutive records of a partition."""
        run = run_of(records, records[0].offset, records[-1].offset + 1)
        for part in parts_of(run, self._context):
            if isinstance(part, CommandMessage):
                self.left_out += 1
                continue
            for row, item in enumerate(part.items):
                line = self._wanted_line(part, row, item)
                if line:
                    yield line
                else:
                    self.left_out += 1

    def _wanted_line(self, run: UsageRun, row: int, item: bytes) -> bytes | None:
        """The event with its customer and time, on one line; None: it is not wanted."""
        if run.scope != self._scope:
            return None
        try:
            event = _read_envelope(item)
        except (ValueError, RecursionError):
            return _on_one_line(item)
        customer = None if run.customers is None else run.customers[row]
        if event.subject in (UNSET, None):
            event.subject = customer
            item = _with_member(item, "subject", customer)
        arrival_us = run.arrivals_us[row]
        if event.time in (UNSET, None) and arrival_us >= 0:
            event.time = (EPOCH + arrival_us * MICROSECOND).isoformat()
            item = _with_member(item, "time", event.time)
        return _on_one_line(item) if self._wants(event) else None

    def _wants(self, event: _Envelope) -> bool:
        """Whether nothing that the event tells is outside of what is wanted."""
        wanted, time = self._wanted, _instant(event.time)
        if time is not None and not wanted.start <= time < wanted.end:
            return False
        if wanted.customers and isinstance(event.subject, str) and event.subject not in wanted.customers:
            return False
        return not (wanted.sources and isinstance(event.source, str) and event.source not in wanted.sources)


def _client(settings: Settings) -> KafkaConsumer:
    options = {"enable_auto_commit": False, "auto_offset_reset": "earliest", "allow_auto_create_topics": False}
    return KafkaConsumer(**client_options(settings), isolation_level="read_committed", **options, **FETCHING)


def _polled(
    client: KafkaConsumer, bounds: dict[TopicPartition, OffsetBounds], silent_seconds_max: float
) -> Iterator[Sequence[Any]]:
    """Consecutive records of a partition, of each up to its end. Raises `KafkaTimeoutError` where none come."""
    left = {partition for partition, bound in bounds.items() if bound.first < bound.end}
    for partition in bounds:
        client.seek(partition, bounds[partition].first)
    client.pause(*(bounds.keys() - left))
    silent_seconds = 0.0
    while left:
        before = {partition: client.position(partition) for partition in left}
        for partition, polled in client.poll(int(POLL_SECONDS * 1_000)).items():
            records = [record for record in polled if record.offset < bounds[partition].end]
            if records:
                yield records
        reached = {partition: client.position(partition) for partition in left}
        silent_seconds = 0.0 if reached != before else silent_seconds + POLL_SECONDS
        if silent_seconds > silent_seconds_max:
            raise KafkaTimeoutError(f"no record in {silent_seconds_max:g} s")
        for partition, offset in reached.items():
            if offset >= bounds[partition].end:
                client.pause(partition)
                left.discard(partition)


def _with_member(item: bytes, name: str, value: str | None) -> bytes:
    """The JSON object of an event with a member that it has not, or has as null."""
    if value is None:
        return item
    members = msgspec.json.decode(item, type=dict[str, Raw])
    members[name] = Raw(_encode(value))
    return _encode(members)


def _on_one_line(item: bytes) -> bytes:
    """The item without line breaks. Within JSON they are spaces; what is no JSON stays unreadable."""
    return item.replace(b"\r", b" ").replace(b"\n", b" ")


def _instant(value: Any) -> datetime | None:
    """The instant that a text tells; None where it tells none, which intake then says."""
    if not isinstance(value, str):
        return None
    with suppress(ValueError):
        found = datetime.fromisoformat(value)
        return found if found.tzinfo is not None else None
    return None
