"""When a broker lost records that were read, the partition stops, however far the broker's end has come since."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from consumers.kafka.appending.batches import PartitionBatch
from domain.sources.events import OffsetsAccepted, PartitionTruncated
from tests.consumers.kafka.broker.consumer_fleet import eventually, kafka_environment
from tests.consumers.kafka.broker.consuming import (
    OpenLog,
    RunningConsumer,
    await_received,
    consuming,
    open_log,
    publish,
    usage,
)
from tests.consumers.kafka.broker.running_broker import RunningBroker, running_broker
from tests.consumers.kafka.consumer.test_resume_offsets import source_of
from tests.consumers.kafka.dead_letters.test_dead_letters import run

pytestmark = pytest.mark.kafka


def await_stopped(consumer: RunningConsumer) -> str:
    """Wait until the partition has stopped; return the reason."""
    eventually(lambda: bool((status := consumer.partition()) and status.stopped), lambda: consumer.status)
    status = consumer.partition()
    assert status is not None
    return status.stopped or ""


def truncations(opened: OpenLog) -> list[tuple[int, int]]:
    """(next_offset, end_offset) of each truncation in the log."""
    events = opened.events("source.truncated")
    assert all(isinstance(one, PartitionTruncated) for one in events)
    return [(one.next_offset, one.end_offset) for one in events]


def test_a_stopped_partition_stays_stopped_when_the_broker_has_outgrown_what_was_read(
    broker: RunningBroker, tmp_path: Path
) -> None:
    topic = broker.fresh_topic()
    publish(broker, topic, [usage(number) for number in range(10)])
    with open_log(tmp_path / "data") as opened:
        opened.appender().append(PartitionBatch(source_of(broker, topic), 0, 20, []))  # of a broker that had twenty
        with consuming(opened, broker, topic) as consumer:
            await_stopped(consumer)
        publish(broker, topic, [usage(number) for number in range(10, 30)])
        with consuming(opened, broker, topic) as consumer:
            why = await_stopped(consumer)
            assert (opened.received(), truncations(opened)) == (0, [(20, 10)])
            command = why.partition(" meterfold ")[2].split()
            assert run(kafka_environment(broker, topic), *command, "--data", str(opened.folder)).startswith(topic)
            await_received(opened, 30)
        assert opened.received() == 30
        (accepted,) = opened.events("source.offsets_accepted")
        assert isinstance(accepted, OffsetsAccepted)
        assert accepted.next_offset == 0


@pytest.mark.parametrize("watched", [False, True])
def test_records_lost_in_a_crash_are_detected_though_others_have_taken_their_offsets(
    tmp_path: Path, watched: bool
) -> None:
    """With idle consumers running during the crash, one by each way to read, and without any."""
    with (
        running_broker(tmp_path / "broker") as broker,
        open_log(tmp_path / "one") as one,
        open_log(tmp_path / "other") as other,
    ):
        topic = broker.fresh_topic()
        publish(broker, topic, [usage(number) for number in range(10)])
        segment = broker.own.config.data / f"{topic}-0" / f"{0:020}.log"
        kept_bytes = segment.stat().st_size
        publish(broker, topic, [usage(number) for number in range(10, 20)])

        def consuming_twice() -> Sequence[AbstractContextManager[RunningConsumer]]:
            by_public_poll = consuming(other, broker, topic, group="other", public_poll=True)
            return consuming(one, broker, topic, group="one"), by_public_poll

        def lose() -> None:
            broker.own.kill()
            os.truncate(segment, kept_bytes)
            broker.own.start()
            publish(broker, topic, [usage(number) for number in range(100, 130)])

        first, second = consuming_twice()
        with first, second:
            await_received(one, 20)
            await_received(other, 20)
        if not watched:
            lose()
        first, second = consuming_twice()
        with first as consumer, second as by_public_poll:
            if watched:
                for idle in (consumer, by_public_poll):
                    eventually(partial(_is_idle, idle), partial(getattr, idle, "status"))
                lose()
            assert "--from-offset 0" in await_stopped(consumer)
            assert "--from-offset 0" in await_stopped(by_public_poll)
        for opened in (one, other):
            assert (opened.received(), truncations(opened)) == (20, [(20, 10)])


def _is_idle(consumer: RunningConsumer) -> bool:
    return bool((status := consumer.partition()) and status.next_offset == 20)
