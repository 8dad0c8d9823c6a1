"""Dead letters read back: to look at them, to repair them, and to put them where they came from.

Letters stay in their topic after they were put back, until the topic's retention takes them. Putting one back twice
does no harm: whatever was counted once has its identity for ever.
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
#: Letters that are under way at most.
DELIVERIES_MAX: Final = 1_000


class ShownLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter as one line of JSON. `value` is what to repair; base64 where it is no text.

    `cursor` is its place among the letters; the rest says where it came from and why it was rejected. `kept_bytes` says
    that the value is but the first so many bytes of the original; None: all of it.
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
    def place(self) -> tuple[str, int, int, int]:
        """What it is a letter of; the same letter may be there twice."""
        return self.topic, self.partition, self.offset, self.index


class Selection(msgspec.Struct, frozen=True):
    """Which letters are meant; None: whatever it is. `whole`: only those that have all of the original."""

    topic: str | None = None
    reason: str | None = None
    whole: bool = False

    def takes(self, letter: ShownLetter) -> bool:
        is_meant = self.topic in (None, letter.topic) and self.reason in (None, letter.reason)
        return is_meant and not (self.whole and letter.kept_bytes is not None)


def read_letters(client: KafkaConsumer, topic: str, after: str | None, selection: Selection) -> Iterator[ShownLetter]:
    """The selected letters after a cursor, partition after partition, up to the end that there is now; each once.

    Raises `BrokerRefused` when there is no such topic, `BrokerUnreachable` when the broker falls silent.
    """
    first_partition, first_offset = _place_of(after)
    numbers = client.partitions_for_topic(topic)
    if not numbers:
        raise BrokerRefused(f"there is no topic {topic}; make it with: meterfold kafka topics --create")
    seen: set[tuple[str, int, int, int]] = set()
    for number in sorted(number for number in numbers if number >= first_partition):
        start = first_offset if number == first_partition else 0
        for record in _records(client, TopicPartition(topic, number), start):
            letter = shown_letter(record)
            if letter.place not in seen and selection.takes(letter):
                seen.add(letter.place)
                yield letter


def _records(client: KafkaConsumer, place: TopicPartition, start: int) -> Iterator[Any]:
    client.assign([place])
    end = client.end_offsets([place])[place]
    offset = max(start, client.beginning_offsets([place])[place])
    client.seek(place, offset)
    heard = time.monotonic()
    while (offset := client.position(place)) < end:
        if time.monotonic() - heard > READING_SECONDS_MAX:
            raise BrokerUnreachable(f"{place.topic}:{place.partition} cannot be read on from offset {offset}")
        for record in client.poll(POLL_MILLISECONDS, max_records=PAGE_LETTERS_MAX).get(place, ()):
            heard = time.monotonic()
            if record.offset < end:
                yield record


def shown_letter(record: Any) -> ShownLetter:
    """A record of the topic of dead letters. One that somebody else put there is shown as it is."""
    told = {name.lower(): value.decode(errors="replace") for name, value in record.headers if value is not None}
    value, encoding = _as_text(record.value)
    kept = [
        (name, header.decode(errors="replace"))
        for name, header in record.headers
        if header is not None and name.lower() not in LETTER_HEADERS
    ]
    return ShownLetter(
        cursor=f"{record.partition}:{record.offset}",
        topic=told.get(TOPIC_HEADER, ""),
        partition=_number(told.get(PARTITION_HEADER)),
        offset=_number(told.get(OFFSET_HEADER)),
        index=_number(told.get(INDEX_HEADER)),
        reason=told.get(REASON_HEADER, ""),
        detail=told.get(DETAIL_HEADER, ""),
        key=None if record.key is None else record.key.decode(errors="replace"),
        value=value,
        encoding=encoding,
        headers=kept,
        kept_bytes=_number(told[KEPT_BYTES_HEADER]) if KEPT_BYTES_HEADER in told else None,
    )


def repaired_letters(lines: Iterable[bytes]) -> Iterator[ShownLetter]:
    """Letters from a file, one a line as `rejected list --json` shows them. `FileUnreadable` names the line."""
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        try:
            yield msgspec.json.decode(line, type=ShownLetter)
        except msgspec.MsgspecError as error:
            raise FileUnreadable(f"line {number}: {error}") from error


def put_back(producer: Producer, letters: Iterable[ShownLetter], topics: Sequence[str]) -> int:
    """Publish letters to where they came from; answer how many arrived.

    Raises `FileUnreadable` for one that names a topic that is not read, or whose value is not what it says, or but the
    beginning of the original.
    """
    under_way: list[Any] = []
    arrived = 0
    for letter in letters:
        if letter.topic not in topics:
            raise FileUnreadable(f"letter {letter.cursor!r}: topic {letter.topic!r} is none of {', '.join(topics)}")
        if letter.kept_bytes is not None:
            told = f"value: is but the first {letter.kept_bytes} bytes; give all of it, and leave out kept_bytes"
            raise FileUnreadable(f"letter {letter.cursor!r}: {told}")
        key = None if letter.key is None else letter.key.encode()
        headers: Headers = tuple((name, value.encode()) for name, value in letter.headers)
        under_way.append(producer.send(letter.topic, value=_as_bytes(letter), key=key, headers=list(headers)))
        if len(under_way) >= DELIVERIES_MAX:
            arrived += _delivered(under_way)
    return arrived + _delivered(under_way)


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
        raise FileUnreadable(f"letter {letter.cursor!r}: value is not base64") from error


def _place_of(cursor: str | None) -> tuple[int, int]:
    """The partition and offset that reading goes on from."""
    if cursor is None:
        return 0, 0
    partition, colon, offset = cursor.partition(":")
    if not (colon and partition.isdigit() and offset.isdigit()):
        raise FileUnreadable(f"{cursor!r} is no cursor: they are PARTITION:OFFSET, as the list shows them")
    return int(partition), int(offset) + 1


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() else 0
