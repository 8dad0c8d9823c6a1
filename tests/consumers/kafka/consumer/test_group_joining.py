"""A group member takes up its assignment, whatever happens to topics while it joins."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from kafka import KafkaConsumer
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor

from consumers.kafka.client_internals.internal_reader import InternalReader
from consumers.kafka.consumer.assignment import Assignment
from tests.consumers.kafka.broker.consumer_fleet import eventually
from tests.consumers.kafka.broker.consuming import await_received, consuming, open_log, publish, usage
from tests.consumers.kafka.broker.readers import BOTH_WAYS, BOUNDS
from tests.consumers.kafka.broker.running_broker import RunningBroker

pytestmark = pytest.mark.kafka

JOINING_SECONDS_MAX = 20.0


def test_a_join_that_outlasts_a_poll_is_completed(broker: RunningBroker) -> None:
    """The topic appears after the first join, and no poll waits for the second one."""
    topic = f"{broker.fresh_topic()}.later"
    client = KafkaConsumer(
        bootstrap_servers=broker.bootstrap,
        group_id=topic,
        auto_offset_reset="none",
        enable_auto_commit=False,
        metadata_max_age_ms=500,
        partition_assignment_strategy=[CooperativeStickyAssignor],
        allow_auto_create_topics=False,
    )
    try:
        client.subscribe([topic], listener=Assignment(client))
        reader = InternalReader(client, BOUNDS)
        reader.poll(2)
        assert client.assignment() == set()
        broker.make_topic(topic, partitions=3)
        deadline = time.monotonic() + JOINING_SECONDS_MAX
        while len(client.assignment()) < 3:
            reader.poll(0.001)
            assert time.monotonic() < deadline, "the member never takes what it was assigned"
            time.sleep(0.001)
    finally:
        client.close()


@BOTH_WAYS
def test_partitions_that_a_topic_gains_are_read_too(broker: RunningBroker, tmp_path: Path, public_poll: bool) -> None:
    topic = broker.fresh_topic(1)
    with open_log(tmp_path / "data") as opened, consuming(opened, broker, topic, public_poll=public_poll) as consumer:
        publish(broker, topic, [usage(1)])
        await_received(opened, 1)
        with broker.admin() as admin:
            admin.create_partitions({topic: 3})
        eventually(
            lambda: consumer.status is not None and len(consumer.status.partitions) == 3, lambda: consumer.status, 40
        )
        for partition in range(3):
            publish(broker, topic, [usage(10 + partition)], partition)
        await_received(opened, 4)
        assert opened.received() == 4
