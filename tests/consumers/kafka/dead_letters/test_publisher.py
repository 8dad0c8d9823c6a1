"""Undelivered dead letters are tracked and published again; tested without a broker."""

from __future__ import annotations

from typing import Any

from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from consumers.kafka.appending.batches import PartitionSource, RejectedItem, UsageRun
from consumers.kafka.dead_letters.publisher import (
    KEPT_BYTES_HEADER,
    RETRY_SECONDS_MAX,
    RETRY_SECONDS_MIN,
    WHOLE_LETTER_BYTES_MAX,
    DeadLetter,
    DeadLetterPublisher,
    letters_from_log,
    letters_of,
)
from consumers.kafka.records.record_runs import RecordRun
from domain.scope import DEFAULT_SCOPE
from domain.usage.decoding.single_event import RAW_KEPT_BYTES_MAX

SOURCE = PartitionSource("cluster", "topic-id", "usage", 0)
OTHER = PartitionSource("cluster", "topic-id", "usage", 1)


class Sent:
    """A letter under way, until the test ends its delivery."""

    def __init__(self, value: bytes | None) -> None:
        self.value = value
        self.is_done = False
        self.error: Exception | None = None

    def end(self, error: Exception | None = None) -> None:
        self.is_done, self.error = True, error

    def get(self, timeout: float | None = None) -> None:
        if not self.is_done:
            raise KafkaTimeoutError
        if self.error is not None:
            raise self.error


class Broker:
    """A producer that accepts everything while it is reachable, and a clock that stands still."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.tried = 0
        self.is_reachable = True
        self.seconds = 0.0
        self.connections = 0
        self.publisher = DeadLetterPublisher(self.connect, "rejected", lambda: self.seconds)

    def connect(self) -> Broker:
        self.connections += 1
        return self

    def send(self, topic: str, *, value: bytes | None, key: bytes | None, headers: list[Any]) -> Sent:
        self.tried += 1
        if not self.is_reachable:
            raise KafkaTimeoutError
        self.sent.append(Sent(value))
        return self.sent[-1]

    def close(self, timeout: float | None = None) -> None: ...


def letters(first: int, count: int) -> list[DeadLetter]:
    return [DeadLetter(offset, None, b"%d" % offset, ()) for offset in range(first, first + count)]


def test_an_offset_may_be_committed_when_all_letters_before_it_have_arrived() -> None:
    broker = Broker()
    publisher = broker.publisher
    assert publisher.delivered_below(SOURCE, 10) == 10
    publisher.post(SOURCE, letters(3, 2))
    assert publisher.delivered_below(SOURCE, 10) is None
    broker.sent[0].end()
    assert publisher.delivered_below(SOURCE, 10) is None
    broker.sent[1].end()
    assert (publisher.delivered_below(SOURCE, 10), publisher.unpublished, publisher.retry_offset(SOURCE)) == (
        10,
        0,
        None,
    )


def test_a_letter_that_failed_has_not_arrived() -> None:
    broker = Broker()
    publisher = broker.publisher
    publisher.post(SOURCE, letters(3, 3))
    for sent, error in zip(broker.sent, [None, KafkaTimeoutError(), None], strict=True):
        sent.end(error)
    assert (publisher.delivered_below(SOURCE, 10), publisher.unpublished) == (4, 1)
    assert publisher.delivered_below(OTHER, 10) == 10


def test_a_producer_that_was_refused_a_letter_is_given_no_other() -> None:
    """The library's producer accepts none after that."""
    broker = Broker()
    publisher = broker.publisher
    for error, connections in ((None, 1), (KafkaTimeoutError(), 1), (MessageSizeTooLargeError(), 1), (None, 2)):
        broker.seconds += RETRY_SECONDS_MAX
        publisher.retry(SOURCE, letters(3, 1))
        broker.sent[-1].end(error)
        publisher.delivered_below(SOURCE, 10)
        assert broker.connections == connections


def test_an_append_waits_for_the_letters_of_the_one_before_and_knows_which_are_missing() -> None:
    broker = Broker()
    publisher = broker.publisher
    publisher.post(SOURCE, letters(3, 3))
    broker.sent[0].end()
    assert not publisher.await_delivery(SOURCE, 5.0)
    assert (publisher.delivered_below(SOURCE, 10), publisher.unpublished) == (4, 2)
    assert publisher.await_delivery(OTHER, 5.0)


def test_missing_letters_are_published_again_after_a_pause_that_grows() -> None:
    broker = Broker()
    publisher = broker.publisher
    broker.is_reachable = False
    publisher.post(SOURCE, letters(3, 100))
    assert (broker.tried, publisher.unpublished, publisher.delivered_below(SOURCE, 200)) == (1, 100, 3)
    publisher.post(SOURCE, letters(150, 2))
    publisher.post(OTHER, letters(7, 1))
    assert (broker.tried, publisher.unpublished) == (1, 103), "nobody waits in vain once more"
    assert publisher.retry_offset(SOURCE) is None

    broker.seconds += RETRY_SECONDS_MIN
    assert publisher.retry_offset(SOURCE) == 3
    publisher.retry(SOURCE, letters(3, 102))
    assert (broker.tried, publisher.unpublished, publisher.delivered_below(SOURCE, 200)) == (2, 103, 3)
    broker.seconds += RETRY_SECONDS_MIN
    assert (publisher.retry_offset(SOURCE), publisher.retry_offset(OTHER)) == (None, None)

    broker.is_reachable = True
    broker.seconds += RETRY_SECONDS_MIN
    publisher.retry(SOURCE, letters(3, 102))
    publisher.retry(OTHER, letters(7, 1))
    assert len(broker.sent) == 103
    assert publisher.delivered_below(SOURCE, 200) is None
    for sent in broker.sent:
        sent.end()
    assert [publisher.delivered_below(source, 200) for source in (SOURCE, OTHER)] == [200, 200]
    assert (publisher.unpublished, publisher.retry_offset(SOURCE), publisher.retry_offset(OTHER)) == (0, None, None)


def test_letters_of_a_revoked_partition_are_forgotten() -> None:
    broker = Broker()
    publisher = broker.publisher
    broker.is_reachable = False
    for source in (SOURCE, OTHER):
        publisher.post(source, letters(3, 2))
    publisher.forget(SOURCE)
    assert (publisher.unpublished, publisher.delivered_below(SOURCE, 10), publisher.delivered_below(OTHER, 10)) == (
        2,
        10,
        3,
    )


def run_and_rejected(value: bytes) -> tuple[RecordRun, UsageRun, RejectedItem]:
    run = RecordRun(5, 6, [5], [1_000], [b"key"], [value], [(("trace", b"t"),)], len(value))
    item = RejectedItem(5, 0, DEFAULT_SCOPE, "not_json", None, value[:RAW_KEPT_BYTES_MAX])
    return run, UsageRun(DEFAULT_SCOPE, [value], [5], [1_000_000]), item


def test_a_letter_that_no_topic_takes_whole_has_the_beginning_and_says_so() -> None:
    whole = b"x" * (WHOLE_LETTER_BYTES_MAX // 2)
    run, part, item = run_and_rejected(whole)
    (letter,) = letters_of([item], SOURCE, run, [part])
    assert (letter.key, letter.value, KEPT_BYTES_HEADER in dict(letter.headers)) == (b"key", whole, False)

    run, part, item = run_and_rejected(b"x" * WHOLE_LETTER_BYTES_MAX)
    (letter,) = letters_of([item], SOURCE, run, [part])
    assert (letter.offset, letter.key, letter.value) == (5, None, b"x" * RAW_KEPT_BYTES_MAX)
    assert dict(letter.headers)[KEPT_BYTES_HEADER] == b"%d" % RAW_KEPT_BYTES_MAX


def test_a_letter_from_the_log_says_when_it_may_be_cut() -> None:
    _, _, small = run_and_rejected(b"oops")
    _, _, large = run_and_rejected(b"x" * (RAW_KEPT_BYTES_MAX + 1))
    kept = [dict(letter.headers).get(KEPT_BYTES_HEADER) for letter in letters_from_log([small, large], SOURCE)]
    assert kept == [None, b"%d" % RAW_KEPT_BYTES_MAX]
