"""What was rejected, published for whoever repairs it: the bytes as they came, and headers that say why.

A dead letter has the value, key and headers of its record, or of a batch only the event that was rejected, as a record
of its own; so it can be put back as it is. The headers `meterfold-reason`, `-detail`, `-topic`, `-partition`, `-offset`
and `-index` (the place in a batch) say what became of it, `meterfold-tenant` and `meterfold-environment` whose it is.

Letters are published at least once: after a crash those of a partition's last append are published again. Topic,
partition, offset and index tell equal ones apart from others. The log has every rejection, whatever becomes of letters.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

import msgspec
import structlog
from kafka.errors import MessageSizeTooLargeError

from consumers.kafka.record_meaning import (
    CONTENT_TYPE_HEADER,
    ENVIRONMENT_HEADER,
    TENANT_HEADER,
    Part,
)
from consumers.kafka.record_runs import Headers, RecordRun
from consumers.partition_batches import PartitionSource, RejectedItem, UsageRun

REASON_HEADER: Final = "meterfold-reason"
DETAIL_HEADER: Final = "meterfold-detail"
TOPIC_HEADER: Final = "meterfold-topic"
PARTITION_HEADER: Final = "meterfold-partition"
OFFSET_HEADER: Final = "meterfold-offset"
INDEX_HEADER: Final = "meterfold-index"
#: Headers that a letter has beside those of its record.
LETTER_HEADERS: Final = frozenset(
    {REASON_HEADER, DETAIL_HEADER, TOPIC_HEADER, PARTITION_HEADER, OFFSET_HEADER, INDEX_HEADER}
)
#: How long an append waits for the letters of the one before it. Then it goes on, and they are counted as unpublished.
DELIVERY_SECONDS_MAX: Final = 30.0

_logger = structlog.get_logger("meterfold.kafka")


class DeadLetter(msgspec.Struct, frozen=True):
    """A record for the topic of dead letters."""

    key: bytes | None
    value: bytes | None
    headers: Headers


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
            yield DeadLetter(run.keys[row], raw, kept + _told(item, source, kept))
        else:
            yield DeadLetter(run.keys[row], value, headers + _told(item, source, headers))


def letters_again(rejected: Iterable[RejectedItem], source: PartitionSource) -> Iterator[DeadLetter]:
    """The letters of what the log says was rejected: without key, and with the first 64 KiB that it has kept."""
    for item in rejected:
        yield DeadLetter(None, item.raw, _told(item, source, ()))


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
    """A record on its way, as the client's producer tells of it."""

    @property
    def is_done(self) -> bool: ...

    def get(self, timeout: float | None = None) -> Any: ...


class Producer(Protocol):
    """What is needed of the client's producer."""

    def send(self, topic: str, *, value: bytes | None, key: bytes | None, headers: list[Any]) -> Delivery: ...

    def close(self, timeout: float | None = None) -> None: ...


class LetterBox:
    """Publishes dead letters and knows which are on their way. For one thread.

    1. `post` hands letters to the producer, after the append that rejected them.
    2. `settle` waits for those of a partition: before its next append, and before its offset is committed.

    So at most the letters of each partition's last append can be missing after a crash.
    """

    def __init__(self, connect: Callable[[], Producer], topic: str) -> None:
        """`connect` makes the producer when the first letter is to be published: most consumers never need it."""
        self._connect = connect
        self._producer: Producer | None = None
        self._topic = topic
        self._under_way: dict[str, list[Delivery]] = {}
        self.unpublished = 0

    def post(self, source: PartitionSource, letters: Iterable[DeadLetter]) -> None:
        """Publish letters of a partition; whoever wants to know that they arrived calls `settle`.

        Where the client has waited for one in vain, the others are not tried: each would wait as long.
        """
        waiting = list(letters)
        for number, letter in enumerate(waiting):
            try:
                self._producer = self._producer or self._connect()
                value = b"" if letter.key is None and letter.value is None else letter.value  # one the client demands
                delivery = self._producer.send(self._topic, value=value, key=letter.key, headers=list(letter.headers))
            except MessageSizeTooLargeError as error:
                self._failed(source, 1, error)
            except Exception as error:  # the client raises many kinds: no metadata, closed
                self._failed(source, len(waiting) - number, error)
                return
            else:
                self._under_way.setdefault(source.stream, []).append(delivery)

    def settle(self, source: PartitionSource, seconds_max: float = DELIVERY_SECONDS_MAX) -> bool:
        """Wait for the letters of a partition; False when not all arrived. Those are counted and not tried again."""
        waiting = self._under_way.pop(source.stream, [])
        for number, delivery in enumerate(waiting):
            try:
                delivery.get(timeout=seconds_max)
            except Exception as error:
                self._failed(source, len(waiting) - number, error)
                return False
        return True

    def have_arrived(self, source: PartitionSource) -> bool:
        """Whether no letter of a partition is on its way."""
        return all(delivery.is_done for delivery in self._under_way.get(source.stream, ()))

    def close(self, seconds_max: float) -> None:
        if self._producer is not None:
            self._producer.close(timeout=seconds_max)

    def _failed(self, source: PartitionSource, letters: int, error: Exception) -> None:
        self.unpublished += letters
        _logger.error(
            "letters_unpublished",
            topic=source.topic,
            partition=source.partition,
            letters=letters,
            reason=f"{type(error).__name__}: {error}",
        )
