"""What was rejected, published for whoever repairs it: the bytes as they came, and headers that say why.

A dead letter has the value, key and headers of its record, or of a batch only the event that was rejected, as a record
of its own; so it can be put back as it is. The headers `meterfold-reason`, `-detail`, `-topic`, `-partition`, `-offset`
and `-index` (the place in a batch) say what became of it, `meterfold-tenant` and `meterfold-environment` whose it is.

Letters are published at least once: the committed offset does not pass one that did not arrive, and those from there on
are published again from the log: after a pause, or by the next consumer. Such a letter has no key and no headers of its
record, and of its value at most the first 64 KiB that the log keeps; so has one that is larger than the topic takes.
Where something may have been cut off, `meterfold-kept-bytes` says how much of the value is there.

Topic, partition, offset and index tell equal letters apart from others. The log has every rejection, whatever becomes
of letters.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

import msgspec
import structlog
from kafka.errors import KafkaTimeoutError

from consumers.kafka.appending.batches import PartitionSource, RejectedItem, UsageRun
from consumers.kafka.producing.producer_closing import close_producer
from consumers.kafka.records.record_content import CONTENT_TYPE_HEADER, ENVIRONMENT_HEADER, TENANT_HEADER, Part
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
#: Headers that a letter has beside those of its record.
LETTER_HEADERS: Final = frozenset(
    {REASON_HEADER, DETAIL_HEADER, TOPIC_HEADER, PARTITION_HEADER, OFFSET_HEADER, INDEX_HEADER, KEPT_BYTES_HEADER}
)
#: Key, value and headers of a record that becomes a letter whole: what the topic takes, less what is told beside it.
WHOLE_LETTER_BYTES_MAX: Final = REJECTED_MESSAGE_BYTES_MAX - 64 * 1024
#: How long an append waits for the letters of the one before it. Then it goes on, and they are counted as unpublished.
DELIVERY_SECONDS_MAX: Final = 30.0
#: After letters that did not arrive: pauses that double between these two.
AGAIN_SECONDS_MIN: Final = 1.0
AGAIN_SECONDS_MAX: Final = 60.0

_logger = structlog.get_logger("meterfold.kafka")


class DeadLetter(msgspec.Struct, frozen=True):
    """A record for the topic of dead letters. `offset` is that of the record that was rejected."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    def size_bytes(self) -> int:
        headers = sum(len(name.encode()) + len(value or b"") for name, value in self.headers)
        return len(self.key or b"") + len(self.value or b"") + headers


def letters_of(
    rejected: Sequence[RejectedItem], source: PartitionSource, run: RecordRun, parts: Sequence[Part]
) -> Iterator[DeadLetter]:
    """The letters of what was rejected of a run, whose `parts` were appended, in record order."""
    items = _Items(parts)
    for item in sorted(rejected, key=lambda one: (one.offset, one.index)):
        row = bisect_left(run.offsets, item.offset)
        value = run.values[row]
        headers = () if run.headers is None else run.headers[row]
        raw = items.find(item.offset, item.index, item.raw)
        if value is not None and raw != value and raw in value:  # one event of a batch
            kept = tuple((name, text) for name, text in headers if name.lower() != CONTENT_TYPE_HEADER)
            letter = DeadLetter(item.offset, run.keys[row], raw, kept + _told(item, source, kept))
        else:
            letter = DeadLetter(item.offset, run.keys[row], value, headers + _told(item, source, headers))
        yield letter if letter.size_bytes() <= WHOLE_LETTER_BYTES_MAX else _kept_letter(item, source)


def letters_again(rejected: Iterable[RejectedItem], source: PartitionSource) -> Iterator[DeadLetter]:
    """The letters of what the log says was rejected: without key, and with the first 64 KiB that it has kept."""
    return (_kept_letter(item, source) for item in rejected)


def _kept_letter(item: RejectedItem, source: PartitionSource) -> DeadLetter:
    kept_bytes = len(item.raw)
    is_cut = kept_bytes >= RAW_KEPT_BYTES_MAX
    cut: Headers = ((KEPT_BYTES_HEADER, str(kept_bytes).encode()),) if is_cut else ()
    return DeadLetter(item.offset, None, item.raw, _told(item, source, ()) + cut)


class _Items:
    """The items of parts by offset and place in their record."""

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


def _told(item: RejectedItem, source: PartitionSource, own: Headers) -> Headers:
    told = {
        REASON_HEADER: item.reason,
        DETAIL_HEADER: item.detail or "",
        TOPIC_HEADER: source.topic,
        PARTITION_HEADER: str(source.partition),
        OFFSET_HEADER: str(item.offset),
        INDEX_HEADER: str(item.index),
    }
    named = {name.lower() for name, _ in own}
    if not named & {TENANT_HEADER, ENVIRONMENT_HEADER}:
        told |= {TENANT_HEADER: item.scope.tenant, ENVIRONMENT_HEADER: item.scope.environment}
    return tuple((name, text.encode()) for name, text in told.items())


class Delivery(Protocol):
    """A record on its way, as the client's producer tells of it. `is_done` says nothing of how it ended."""

    @property
    def is_done(self) -> bool: ...

    def get(self, timeout: float | None = None) -> Any: ...


class Producer(Protocol):
    """What is needed of the client's producer."""

    def send(self, topic: str, *, value: bytes | None, key: bytes | None, headers: list[Any]) -> Delivery: ...

    def close(self, timeout: float | None = None) -> None: ...


class _Missed(msgspec.Struct):
    """Letters of a partition that did not arrive: how many, and the lowest offset of their records."""

    from_offset: int
    letters: int


class DeadLetterPublisher:
    """Publishes dead letters and knows which are on their way, and which did not arrive. For one thread.

    1. `post` hands letters to the producer, after the append that rejected them.
    2. `await_delivery` waits for those of a partition, before its next append.
    3. `arrived_below` says how far its offset may be committed: not past a letter that did not arrive.
    4. `again_from` says from which offset on letters are to be published again, from the log, by `post_again`.

    While letters do not arrive no further ones are tried: each would keep its partition waiting. They are missed, too.
    """

    def __init__(
        self, connect: Callable[[], Producer], topic: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`connect` makes the producer when the first letter is to be published: most consumers never need it."""
        self._connect = connect
        self._producer: Producer | None = None
        self._topic = topic
        self._monotonic = monotonic
        self._under_way: dict[str, list[tuple[DeadLetter, Delivery]]] = {}
        self._missed: dict[str, _Missed] = {}
        self._again_at = 0.0
        self._pause_seconds = AGAIN_SECONDS_MIN

    @property
    def unpublished(self) -> int:
        """How many letters have not arrived and are not on their way."""
        return sum(missed.letters for missed in self._missed.values())

    def post(self, source: PartitionSource, letters: Iterable[DeadLetter]) -> None:
        """Publish letters of a partition; whoever wants to know that they arrived calls `await_delivery`."""
        waiting = list(letters)
        if self._missed and self._monotonic() < self._again_at:
            self._note(source, waiting)
            return
        for number, letter in enumerate(waiting):
            try:
                self._producer = self._producer or self._connect()
                value = b"" if letter.key is None and letter.value is None else letter.value  # one the client demands
                delivery = self._producer.send(self._topic, value=value, key=letter.key, headers=list(letter.headers))
            except Exception as error:  # the client raises many kinds: no metadata, closed
                self._miss(source, waiting[number:], error)
                return
            self._under_way.setdefault(source.stream, []).append((letter, delivery))

    def await_delivery(self, source: PartitionSource, seconds_max: float = DELIVERY_SECONDS_MAX) -> bool:
        """Wait for the letters of a partition, so long for all of them; False when some did not arrive."""
        deadline = self._monotonic() + seconds_max
        return self._ended(source, self._under_way.pop(source.stream, []), deadline)

    def arrived_below(self, source: PartitionSource, offset: int) -> int | None:
        """Up to where, and at most `offset`, every letter of a partition has arrived; None while some are on their way.

        Of what was posted here: whoever came before may have missed others.
        """
        under_way = self._under_way.pop(source.stream, [])
        still = [one for one in under_way if not one[1].is_done]
        self._ended(source, [one for one in under_way if one[1].is_done], self._monotonic())
        if still:
            self._under_way[source.stream] = still
            return None
        missed = self._missed.get(source.stream)
        return offset if missed is None else min(offset, missed.from_offset)

    def again_from(self, source: PartitionSource) -> int | None:
        """From which offset on the letters of a partition are to be published again now; None: nothing to be done."""
        missed = self._missed.get(source.stream)
        is_due = missed is not None and self._monotonic() >= self._again_at
        return missed.from_offset if missed is not None and is_due and not self._under_way.get(source.stream) else None

    def post_again(self, source: PartitionSource, letters: Iterable[DeadLetter]) -> None:
        """Publish letters that did not arrive, all from `again_from` on."""
        self._missed.pop(source.stream, None)
        self.post(source, letters)

    def forget(self, source: PartitionSource) -> None:
        """A partition is another's now, who publishes again what had not arrived by its committed offset."""
        self._under_way.pop(source.stream, None)
        self._missed.pop(source.stream, None)

    def close(self, seconds_max: float) -> None:
        if self._producer is not None:
            close_producer(self._producer, seconds_max)

    def _ended(
        self, source: PartitionSource, deliveries: Sequence[tuple[DeadLetter, Delivery]], deadline: float
    ) -> bool:
        missed, failure = [], None
        for letter, delivery in deliveries:
            try:
                delivery.get(timeout=max(0.0, deadline - self._monotonic()))
            except Exception as error:
                missed.append(letter)
                failure = failure or error
        if failure is not None:
            self._miss(source, missed, failure)
            if not isinstance(failure, KafkaTimeoutError):
                self._start_afresh()
        elif deliveries:
            self._pause_seconds = AGAIN_SECONDS_MIN
        return failure is None

    def _start_afresh(self) -> None:
        """One that was refused a record, say for its size, takes no other any more: what it numbers has a gap then."""
        producer, self._producer = self._producer, None
        if producer is not None:
            close_producer(producer, 0.0)

    def _miss(self, source: PartitionSource, letters: Sequence[DeadLetter], error: Exception) -> None:
        self._note(source, letters)
        self._again_at = self._monotonic() + self._pause_seconds
        self._pause_seconds = min(2 * self._pause_seconds, AGAIN_SECONDS_MAX)
        _logger.error(
            "letters_unpublished",
            topic=source.topic,
            partition=source.partition,
            letters=len(letters),
            reason=f"{type(error).__name__}: {error}",
        )

    def _note(self, source: PartitionSource, letters: Sequence[DeadLetter]) -> None:
        if letters:
            first = min(letter.offset for letter in letters)
            missed = self._missed.setdefault(source.stream, _Missed(first, 0))
            missed.from_offset = min(missed.from_offset, first)
            missed.letters += len(letters)
