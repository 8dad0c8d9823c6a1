"""Read dead letters, and publish them, repaired or not, to the topics that they came from.

Letters stay in their topic after they were put back, until its retention expires them. Putting one back twice does no
harm: deduplication has no end.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal

import msgspec
from kafka import KafkaConsumer, TopicPartition

from consumers.errors import BrokerRefused, BrokerUnreachable, FileUnreadable
from consumers.kafka.dead_letters.publisher import (
    DETAIL_HEADER,
    INDEX_HEADER,
    KEPT_BYTES_HEADER,
    LETTER_HEADERS,
    OFFSET_HEADER,
    PARTITION_HEADER,
    REASON_HEADER,
    TOPIC_HEADER,
    Producer,
)
from consumers.kafka.records.record_runs import Headers

PAGE_LETTERS_MAX: Final = 10_000
POLL_MILLISECONDS: Final = 200
READING_SECONDS_MAX: Final = 60.0
DELIVERY_SECONDS_MAX: Final = 30.0
#: Letters under way at most.
DELIVERIES_MAX: Final = 1_000


class ShownLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter as one line of JSON. `value` is what to repair; base64 where it is not UTF-8.

    `cursor` is its position in the topic of dead letters; `topic`, `partition`, `offset` and `index` are those of the
    rejected item. `kept_bytes`: the value is only the first so many bytes of the original; None: all of it.
    """

    cursor: str = ""
    topic: str
    partition: int = 0
    offset: int = 0
    index: int = 0
    reason: str = ""
    detail: str = ""
    key: str | None = None
    value: str | None
    encoding: Literal["text", "base64"] = "text"
    headers: list[tuple[str, str]] = []
    kept_bytes: int | None = None

    @property
    def origin(self) -> tuple[str, int, int, int]:
        """The rejected item. Several letters may have the same origin, since they are published at least once."""
        return self.topic, self.partition, self.offset, self.index


class LetterFilter(msgspec.Struct, frozen=True):
    """A filter of letters; None matches all. `whole`: only those that have all of the original."""

    topic: str | None = None
    reason: str | None = None
    whole: bool = False

    def matches(self, letter: ShownLetter) -> bool:
        """Whether a letter passes the filter."""
        is_meant = self.topic in (None, letter.topic) and self.reason in (None, letter.reason)
        return is_meant and not (self.whole and letter.kept_bytes is not None)


def read_letters(
    client: KafkaConsumer, topic: str, after: str | None, letter_filter: LetterFilter
) -> Iterator[ShownLetter]:
    """Read matching letters after a cursor, partition by partition up to its present end, each letter once.

    Raises `BrokerRefused` when there is no such topic, `BrokerUnreachable` when the broker falls silent.
    """
    first_partition, first_offset = _cursor_offset(after)
    numbers = client.partitions_for_topic(topic)
    if not numbers:
        raise BrokerRefused(f"Kafka has no topic {topic}; create it with: meterfold kafka topics --create")
    seen: set[tuple[str, int, int, int]] = set()
    for number in sorted(number for number in numbers if number >= first_partition):
        start = first_offset if number == first_partition else 0
        for record in _records(client, TopicPartition(topic, number), start):
            letter = shown_letter(record)
            if letter.origin not in seen and letter_filter.matches(letter):
                seen.add(letter.origin)
                yield letter


def _records(client: KafkaConsumer, partition: TopicPartition, start: int) -> Iterator[Any]:
    client.assign([partition])
    end = client.end_offsets([partition])[partition]
    offset = max(start, client.beginning_offsets([partition])[partition])
    client.seek(partition, offset)
    heard = time.monotonic()
    while (offset := client.position(partition)) < end:
        if time.monotonic() - heard > READING_SECONDS_MAX:
            raise BrokerUnreachable(
                f"no answer for records of {partition.topic}:{partition.partition} from offset {offset} on"
            )
        for record in client.poll(POLL_MILLISECONDS, max_records=PAGE_LETTERS_MAX).get(partition, ()):
            heard = time.monotonic()
            if record.offset < end:
                yield record


def shown_letter(record: Any) -> ShownLetter:
    """Return a record of the topic of dead letters as it is shown, also one that Meterfold did not publish."""
    own = {name.lower(): value.decode(errors="replace") for name, value in record.headers if value is not None}
    value, encoding = _as_text(record.value)
    kept = [
        (name, header.decode(errors="replace"))
        for name, header in record.headers
        if header is not None and name.lower() not in LETTER_HEADERS
    ]
    return ShownLetter(
        cursor=f"{record.partition}:{record.offset}",
        topic=own.get(TOPIC_HEADER, ""),
        partition=_number(own.get(PARTITION_HEADER)),
        offset=_number(own.get(OFFSET_HEADER)),
        index=_number(own.get(INDEX_HEADER)),
        reason=own.get(REASON_HEADER, ""),
        detail=own.get(DETAIL_HEADER, ""),
        key=None if record.key is None else record.key.decode(errors="replace"),
        value=value,
        encoding=encoding,
        headers=kept,
        kept_bytes=_number(own[KEPT_BYTES_HEADER]) if KEPT_BYTES_HEADER in own else None,
    )


def repaired_letters(lines: Iterable[bytes]) -> Iterator[ShownLetter]:
    """Read letters, one a line as `rejected dead-letters --json` prints them. `FileUnreadable` names a bad line."""
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        try:
            yield msgspec.json.decode(line, type=ShownLetter)
        except msgspec.MsgspecError as error:
            raise FileUnreadable(f"line {number}: {error}") from error


def put_back(producer: Producer, letters: Iterable[ShownLetter], topics: Sequence[str]) -> int:
    """Publish letters to the topics that they came from; return how many were delivered.

    Raises `FileUnreadable` for a letter of a topic that is not read, of a value that does not fit its `encoding`, or of
    a value that is only the beginning of the original.
    """
    under_way: list[Any] = []
    delivered = 0
    for letter in letters:
        if letter.topic not in topics:
            rule = f"topic must be one of {', '.join(topics)}, not {letter.topic!r}"
            raise FileUnreadable(f"letter {letter.cursor!r}: {rule}")
        if letter.kept_bytes is not None:
            rule = f"value has only the first {letter.kept_bytes} bytes; give all of it, and leave out kept_bytes"
            raise FileUnreadable(f"letter {letter.cursor!r}: {rule}")
        key = None if letter.key is None else letter.key.encode()
        headers: Headers = tuple((name, value.encode()) for name, value in letter.headers)
        under_way.append(producer.send(letter.topic, value=_as_bytes(letter), key=key, headers=list(headers)))
        if len(under_way) >= DELIVERIES_MAX:
            delivered += _delivered(under_way)
    return delivered + _delivered(under_way)


def _delivered(under_way: list[Any]) -> int:
    for delivery in under_way:
        delivery.get(timeout=DELIVERY_SECONDS_MAX)
    count = len(under_way)
    under_way.clear()
    return count


def _as_text(value: bytes | None) -> tuple[str | None, Literal["text", "base64"]]:
    if value is None:
        return None, "text"
    try:
        return value.decode(), "text"
    except UnicodeDecodeError:
        return base64.b64encode(value).decode(), "base64"


def _as_bytes(letter: ShownLetter) -> bytes | None:
    if letter.value is None:
        return None
    if letter.encoding == "text":
        return letter.value.encode()
    try:
        return base64.b64decode(letter.value, validate=True)
    except ValueError as error:
        raise FileUnreadable(f"letter {letter.cursor!r}: value must be base64") from error


def _cursor_offset(cursor: str | None) -> tuple[int, int]:
    """The partition and offset to continue reading from, after a cursor."""
    if cursor is None:
        return 0, 0
    partition, colon, offset = cursor.partition(":")
    if not (colon and partition.isdigit() and offset.isdigit()):
        raise FileUnreadable(f"{cursor!r} is not a cursor; it must be PARTITION:OFFSET, as the list shows it")
    return int(partition), int(offset) + 1


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() else 0
