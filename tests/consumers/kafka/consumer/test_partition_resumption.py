"""Assigned partitions start at the right offset, whatever happens to log and broker meanwhile. The log is real."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import msgspec
import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from consumers.kafka.appending.appender import PartitionAppender
from consumers.kafka.appending.batches import PartitionSource
from consumers.kafka.appending.checkpoints import PartitionCheckpoint
from consumers.kafka.consumer.assigned_partition import STOPPED_AGAIN_SECONDS, AssignedPartition
from consumers.kafka.consumer.options import ReadingOptions, Replay
from consumers.kafka.consumer.partition_resumption import PartitionResumption
from consumers.kafka.dead_letters.publisher import DeadLetterPublisher, Producer
from consumers.kafka.reading.reader import OffsetBounds, PartitionReader
from tests.consumers.kafka.appending.partition_polls import appender_on, event, poll
from tests.fakes.event_log import InMemoryEventLog
from tests.fakes.personal_keys import InMemoryPersonalKeys

PLACE = TopicPartition("usage", 0)
SOURCE = PartitionSource("cluster", "topic-id", "usage", 0)


class View:
    """A broker with one answer for every partition. `meanwhile` happens while it is asked for offsets."""

    def __init__(self, first: int = 0, end: int = 100) -> None:
        self.first, self.end = first, end
        self.end_of_epoch: int | None = None
        self.topic_id = "topic-id"
        self.meanwhile: Callable[[], object] = lambda: None
        self.committed_offset: int | None = None
        self.sought: list[tuple[int, int | None]] = []

    def source(self, partition: TopicPartition) -> PartitionSource:
        return PartitionSource("cluster", self.topic_id, partition.topic, partition.partition)

    def bounds(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, OffsetBounds]:
        self.meanwhile()
        return dict.fromkeys(partitions, OffsetBounds(self.first, self.end))

    def epoch_end(self, partition: TopicPartition, epoch: int, read_to: int) -> int:
        return read_to if self.end_of_epoch is None else self.end_of_epoch

    def refresh(self) -> None: ...

    def committed(self, partition: TopicPartition) -> int | None:
        return self.committed_offset

    def seek(self, partition: TopicPartition, offset: int, leader_epoch: int | None = None) -> bool:
        self.sought.append((offset, leader_epoch))
        return True


def no_producer() -> Producer:
    raise AssertionError("there is nothing to publish")


class Started:
    """A log, a broker view, and the resumption of one partition."""

    def __init__(self, view: View, replay: Replay | None = None, log: InMemoryEventLog | None = None) -> None:
        self.view = view
        self.log = InMemoryEventLog() if log is None else log
        self.seconds = 0.0
        self.states = {PLACE: AssignedPartition("usage", 0)}
        self.appender = self.another_consumer()
        options = ReadingOptions(name="test", topics=("usage",), replay=replay)
        letters = DeadLetterPublisher(no_producer, "rejected")
        self.starting = PartitionResumption(
            cast(PartitionReader, view), self.appender, letters, options, lambda: self.seconds
        )

    def another_consumer(self) -> PartitionAppender:
        return appender_on(self.log, InMemoryPersonalKeys())

    def read_up_to(self, offset: int, leader_epoch: int | None = None) -> None:
        """Let another consumer append from the log's offset up to this one."""
        appender = self.another_consumer()
        sent = poll([event("a")], appender.read_checkpoint(SOURCE).next_offset or 0, SOURCE)
        sent.next_offset, sent.leader_epoch = offset, leader_epoch
        appender.append(sent)

    def start(self) -> AssignedPartition:
        self.seconds += STOPPED_AGAIN_SECONDS
        list(self.starting.start(self.states))
        return self.states[PLACE]

    def topics(self) -> list[str]:
        return [record.topic for record in self.log.read(0, 100)]


def test_a_partition_starts_where_the_log_says_with_the_epoch_of_what_was_read() -> None:
    started = Started(View())
    started.read_up_to(50, leader_epoch=3)
    started.view.end_of_epoch = 50
    state = started.start()
    assert (state.is_resolved(), state.next_offset, started.view.sought) == (True, 50, [(50, 3)])


def test_a_broker_that_lacks_what_was_read_stops_the_partition_until_an_offset_is_accepted() -> None:
    """Also when its end has come further since."""
    started = Started(View(first=5, end=40))
    started.read_up_to(50)
    reason = started.start().stopped
    assert reason is not None
    assert reason.endswith("meterfold kafka accept --topic usage --partition 0 --from-offset 5")
    started.view.first, started.view.end = 6, 90
    reason = started.start().stopped
    assert reason is not None
    assert reason.endswith("--from-offset 6"), "as the broker has it now"
    assert started.topics() == ["usage.batch", "source.truncated"], "it is recorded once"

    restarted = Started(View(end=90), log=started.log)
    assert restarted.start().stopped is not None
    restarted.another_consumer().accept_offset(SOURCE, 6, "restored from a backup")
    state = restarted.start()
    assert (state.is_resolved(), state.stopped, state.next_offset) == (True, None, 6)


def test_a_broker_that_has_other_records_at_their_offsets_stops_the_partition() -> None:
    started = Started(View(end=90))
    started.read_up_to(50, leader_epoch=3)
    started.view.end_of_epoch = 30
    assert not started.start().is_resolved()
    assert started.appender.read_checkpoint(SOURCE) == PartitionCheckpoint(2, 50, None, truncated_at=30)
    started.another_consumer().accept_offset(SOURCE, 50, "nothing of it is needed")
    state = started.start()
    assert (state.is_resolved(), state.stopped, state.next_offset) == (True, None, 50)


def test_what_another_consumer_appends_while_the_broker_is_asked_is_not_taken_for_lost() -> None:
    """The log is read before the broker is asked: what is read later may lie above the broker's answer."""
    started = Started(View(end=50))
    started.read_up_to(50)
    started.view.meanwhile = lambda: started.read_up_to(60)
    state = started.start()
    assert (state.is_resolved(), state.next_offset) == (True, 50)
    assert started.topics() == ["usage.batch", "usage.batch"]


@pytest.mark.parametrize(("first", "end"), [(0, 40), (55, 90)])
def test_nothing_is_recorded_about_a_partition_that_another_consumer_moved(first: int, end: int) -> None:
    started = Started(View(first, end))
    started.read_up_to(50)
    started.view.meanwhile = lambda: started.read_up_to(60)
    assert not started.start().is_resolved()
    assert started.topics() == ["usage.batch", "usage.batch"]


def test_a_topic_that_is_made_again_while_the_broker_is_asked_is_started_as_what_it_is_then() -> None:
    """The broker is asked for offsets by name: those of the new topic must not be taken for the old one's."""
    started = Started(View(end=3))
    started.read_up_to(50)

    def made_again() -> None:
        started.view.topic_id = "another-id"

    started.view.meanwhile = made_again
    assert started.start().source is None
    state = started.start()
    assert state.source == msgspec.structs.replace(SOURCE, topic_id="another-id")
    assert (state.next_offset, started.topics()) == (0, ["usage.batch"])


def test_a_replay_from_beyond_the_end_has_nothing_to_read() -> None:
    started = Started(View(first=5, end=40), Replay("again", 70))
    assert started.start().next_offset == 40
    assert started.topics() == []


class SlowOnce(View):
    """A view whose second question for a committed offset fails."""

    asked = 0

    def committed(self, partition: TopicPartition) -> int | None:
        self.asked += 1
        if self.asked == 2:
            raise KafkaTimeoutError
        return 50


def test_a_started_partition_is_yielded_though_the_next_one_failed() -> None:
    started = Started(SlowOnce())
    partitions = [TopicPartition("usage", number) for number in range(3)]
    for number in range(3):
        sent = poll([event("a")], 0, msgspec.structs.replace(SOURCE, partition=number))
        sent.next_offset = 50
        started.appender.append(sent)
    started.states = {partition: AssignedPartition("usage", partition.partition) for partition in partitions}
    yielded: list[int] = []
    with pytest.raises(KafkaTimeoutError):
        yielded.extend(partition.partition for partition in started.starting.start(started.states))
    started.seconds += STOPPED_AGAIN_SECONDS
    yielded.extend(partition.partition for partition in started.starting.start(started.states))
    assert yielded == [0, 1, 2]
    assert [state.is_resolved() for state in started.states.values()] == [True] * 3
