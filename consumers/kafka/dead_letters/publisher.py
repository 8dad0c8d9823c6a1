"""Publish dead letters: rejected records with their original bytes, and headers that say why they were rejected.

A dead letter has the value, key and headers of its record, so that it can be published again as it is. Of a batched
record it has only the event that was rejected. The headers `meterfold-reason`, `-detail`, `-topic`, `-partition`,
`-offset` and `-index` (in a batch) tell why and where from, `meterfold-tenant` and `meterfold-environment` the scope.

Letters are published at least once: the committed offset does not pass one that was not delivered, and those from
there on are published again from the log, after a pause or by the next consumer. Such a letter lacks the key and the
headers of its record, and has at most the first 64 KiB of its value, which is what the log keeps. So has a letter that
is larger than the topic accepts. Where the value may be cut off, `meterfold-kept-bytes` is its length here.

Topic, partition, offset and index identify a letter, so repeated ones can be recognized. The log has every rejection,
whatever becomes of the letters.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

import msgspec
import structlog
from kafka.errors import KafkaTimeoutError

from consumers.kafka.appending.batches import Part, PartitionSource, RejectedItem, UsageRun
from consumers.kafka.client_internals.producer_closing import close_producer
from consumers.kafka.records.record_content import CONTENT_TYPE_HEADER, ENVIRONMENT_HEADER, TENANT_HEADER
from consumers.kafka.records.record_runs import Headers, RecordRun
from consumers.kafka.topics import REJECTED_MESSAGE_BYTES_MAX
from domain.usage.decoding.single_event import RAW_KEPT_BYTES_MAX

REASON_HEADER: Final = "meterfold-reason"
DETAIL_HEADER: Final = "meterfold-detail"
TOPIC_HEADER: Final = "meterfold-topic"
PARTITION_HEADER: Final = "meterfold-partition"
OFFSET_HEADER: Final = "meterfold-offset"
INDEX_HEADER: Final = "meterfold-index"
KEPT_BYTES_HEADER: Final = "meterfold-kept-bytes"
#: Headers that a letter has in addition to those of its record.
LETTER_HEADERS: Final = frozenset(
    {REASON_HEADER, DETAIL_HEADER, TOPIC_HEADER, PARTITION_HEADER, OFFSET_HEADER, INDEX_HEADER, KEPT_BYTES_HEADER}
)
#: Bound of key, value and headers of a letter of a whole record: what the topic accepts, less room for its headers.
WHOLE_LETTER_BYTES_MAX: Final = REJECTED_MESSAGE_BYTES_MAX - 64 * 1024
#: How long an append waits for the letters of the one before it. Later ones are counted as unpublished.
DELIVERY_SECONDS_MAX: Final = 30.0
#: After letters that were not delivered, pauses double between these bounds.
RETRY_SECONDS_MIN: Final = 1.0
RETRY_SECONDS_MAX: Final = 60.0

_logger = structlog.get_logger("meterfold.kafka")


class DeadLetter(msgspec.Struct, frozen=True):
    """A record for the topic of dead letters. `offset` is that of the rejected record."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    def size_bytes(self) -> int:
        """Return the length of key, value and headers."""
        headers = sum(len(name.encode()) + len(value or b"") for name, value in self.headers)
        return len(self.key or b"") + len(self.value or b"") + headers


def letters_of(
    rejected: Sequence[RejectedItem], source: PartitionSource, run: RecordRun, parts: Sequence[Part]
) -> Iterator[DeadLetter]:
    """Return the letters of the rejected items of a run, whose `parts` were appended, in record order."""
    items = _ItemLookup(parts)
    for item in sorted(rejected, key=lambda one: (one.offset, one.index)):
        row = bisect_left(run.offsets, item.offset)
        value = run.values[row]
        headers = () if run.headers is None else run.headers[row]
        raw = items.find(item.offset, item.index, item.raw)
        if value is not None and raw != value and raw in value:  # one event of a batch
            kept = tuple((name, text) for name, text in headers if name.lower() != CONTENT_TYPE_HEADER)
            letter = DeadLetter(item.offset, run.keys[row], raw, kept + _own_headers(item, source, kept))
        else:
            letter = DeadLetter(item.offset, run.keys[row], value, headers + _own_headers(item, source, headers))
        yield letter if letter.size_bytes() <= WHOLE_LETTER_BYTES_MAX else _kept_letter(item, source)


def letters_from_log(rejected: Iterable[RejectedItem], source: PartitionSource) -> Iterator[DeadLetter]:
    """Return the letters of items as the log keeps them: without key, and with the first 64 KiB of the value."""
    return (_kept_letter(item, source) for item in rejected)


def _kept_letter(item: RejectedItem, source: PartitionSource) -> DeadLetter:
    kept_bytes = len(item.raw)
    is_cut = kept_bytes >= RAW_KEPT_BYTES_MAX
    cut: Headers = ((KEPT_BYTES_HEADER, str(kept_bytes).encode()),) if is_cut else ()
    return DeadLetter(item.offset, None, item.raw, _own_headers(item, source, ()) + cut)


class _ItemLookup:
    """Finds the items of parts by offset and index."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._runs = [part for part in parts if isinstance(part, UsageRun)]

    def find(self, offset: int, index: int, otherwise: bytes) -> bytes:
        for run in self._runs:
            row = bisect_left(run.offsets, offset)
            while row < len(run.offsets) and run.offsets[row] == offset:
                if run.indexes is None or run.indexes[row] == index:
                    return run.items[row]
                row += 1
        return otherwise


def _own_headers(item: RejectedItem, source: PartitionSource, of_record: Headers) -> Headers:
    """The headers that a letter has in addition to those of its record."""
    added = {
        REASON_HEADER: item.reason,
        DETAIL_HEADER: item.detail or "",
        TOPIC_HEADER: source.topic,
        PARTITION_HEADER: str(source.partition),
        OFFSET_HEADER: str(item.offset),
        INDEX_HEADER: str(item.index),
    }
    named = {name.lower() for name, _ in of_record}
    if not named & {TENANT_HEADER, ENVIRONMENT_HEADER}:
        added |= {TENANT_HEADER: item.scope.tenant, ENVIRONMENT_HEADER: item.scope.environment}
    return tuple((name, text.encode()) for name, text in added.items())


class Delivery(Protocol):
    """A record under way: the future that the client's producer returns."""

    @property
    def is_done(self) -> bool:
        """Whether it has been delivered or has failed."""

    def get(self, timeout: float | None = None) -> Any:
        """Wait for the delivery; raise the error that it failed with."""


class Producer(Protocol):
    """The part of the client's producer that is needed here."""

    def send(self, topic: str, *, value: bytes | None, key: bytes | None, headers: list[Any]) -> Delivery:
        """Send a record without waiting for its delivery."""

    def close(self, timeout: float | None = None) -> None:
        """Wait for the records under way, at most so many seconds, and end."""


class _Undelivered(msgspec.Struct):
    """Letters of a partition that were not delivered: how many, and the lowest offset of their records."""

    from_offset: int
    letters: int


class DeadLetterPublisher:
    """Publishes dead letters; tracks which are under way and which were not delivered. For one thread.

    1. `post` hands letters to the producer, after the append that rejected them.
    2. `await_delivery` waits for those of a partition, before its next append.
    3. `delivered_below` limits the offset to commit: not past a letter that was not delivered.
    4. `retry_offset` is the offset from which `retry` is to publish letters again, from the log.

    While deliveries fail, no further letters are tried, since each would hold up its partition: they count as
    undelivered.
    """

    def __init__(
        self, connect: Callable[[], Producer], topic: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`connect` makes the producer when the first letter is published: most consumers never need it."""
        self._connect = connect
        self._producer: Producer | None = None
        self._topic = topic
        self._monotonic = monotonic
        self._under_way: dict[str, list[tuple[DeadLetter, Delivery]]] = {}
        self._undelivered: dict[str, _Undelivered] = {}
        self._retry_at = 0.0
        self._pause_seconds = RETRY_SECONDS_MIN

    @property
    def unpublished(self) -> int:
        """The number of letters that were not delivered and are not under way."""
        return sum(undelivered.letters for undelivered in self._undelivered.values())

    def post(self, source: PartitionSource, letters: Iterable[DeadLetter]) -> None:
        """Publish letters of a partition without waiting; see `await_delivery`."""
        waiting = list(letters)
        if self._undelivered and self._monotonic() < self._retry_at:
            self._count_undelivered(source, waiting)
            return
        for number, letter in enumerate(waiting):
            try:
                self._producer = self._producer or self._connect()
                # The client demands a key or a value.
                value = b"" if letter.key is None and letter.value is None else letter.value
                delivery = self._producer.send(self._topic, value=value, key=letter.key, headers=list(letter.headers))
            except Exception as error:  # the client raises many types: no metadata, closed
                self._note_failure(source, waiting[number:], error)
                return
            self._under_way.setdefault(source.stream, []).append((letter, delivery))

    def await_delivery(self, source: PartitionSource, seconds_max: float = DELIVERY_SECONDS_MAX) -> bool:
        """Wait for all letters of a partition, `seconds_max` in total; False when some were not delivered."""
        deadline = self._monotonic() + seconds_max
        return self._delivered(source, self._under_way.pop(source.stream, []), deadline)

    def delivered_below(self, source: PartitionSource, offset: int) -> int | None:
        """Return the offset, at most `offset`, below which every letter is delivered; None while some are under way.

        Knows only the letters that were posted here, not those of earlier consumers.
        """
        under_way = self._under_way.pop(source.stream, [])
        still = [one for one in under_way if not one[1].is_done]
        self._delivered(source, [one for one in under_way if one[1].is_done], self._monotonic())
        if still:
            self._under_way[source.stream] = still
            return None
        undelivered = self._undelivered.get(source.stream)
        return offset if undelivered is None else min(offset, undelivered.from_offset)

    def retry_offset(self, source: PartitionSource) -> int | None:
        """Return the offset from which the letters of a partition are to be published again now; None: not now."""
        undelivered = self._undelivered.get(source.stream)
        is_due = undelivered is not None and self._monotonic() >= self._retry_at
        if undelivered is None or not is_due or self._under_way.get(source.stream):
            return None
        return undelivered.from_offset

    def retry(self, source: PartitionSource, letters: Iterable[DeadLetter]) -> None:
        """Publish letters again: all of the partition from `retry_offset` on."""
        self._undelivered.pop(source.stream, None)
        self.post(source, letters)

    def forget(self, source: PartitionSource) -> None:
        """Forget a revoked partition. Its next consumer publishes again what was not delivered."""
        self._under_way.pop(source.stream, None)
        self._undelivered.pop(source.stream, None)

    def close(self, seconds_max: float) -> None:
        """Close the producer; what is not delivered after `seconds_max` is given up."""
        if self._producer is not None:
            close_producer(self._producer, seconds_max)

    def _delivered(
        self, source: PartitionSource, deliveries: Sequence[tuple[DeadLetter, Delivery]], deadline: float
    ) -> bool:
        undelivered, failure = [], None
        for letter, delivery in deliveries:
            try:
                delivery.get(timeout=max(0.0, deadline - self._monotonic()))
            except Exception as error:
                undelivered.append(letter)
                failure = failure or error
        if failure is not None:
            self._note_failure(source, undelivered, failure)
            if not isinstance(failure, KafkaTimeoutError):
                self._drop_producer()
        elif deliveries:
            self._pause_seconds = RETRY_SECONDS_MIN
        return failure is None

    def _drop_producer(self) -> None:
        """Close the producer and connect anew for the next letter.

        After a refused record, say for its size, its sequence numbers have a gap and it can send no other.
        """
        producer, self._producer = self._producer, None
        if producer is not None:
            close_producer(producer, 0.0)

    def _note_failure(self, source: PartitionSource, letters: Sequence[DeadLetter], error: Exception) -> None:
        self._count_undelivered(source, letters)
        self._retry_at = self._monotonic() + self._pause_seconds
        self._pause_seconds = min(2 * self._pause_seconds, RETRY_SECONDS_MAX)
        _logger.error(
            "letters_unpublished",
            topic=source.topic,
            partition=source.partition,
            letters=len(letters),
            reason=f"{type(error).__name__}: {error}",
        )

    def _count_undelivered(self, source: PartitionSource, letters: Sequence[DeadLetter]) -> None:
        if letters:
            first = min(letter.offset for letter in letters)
            undelivered = self._undelivered.setdefault(source.stream, _Undelivered(first, 0))
            undelivered.from_offset = min(undelivered.from_offset, first)
            undelivered.letters += len(letters)
