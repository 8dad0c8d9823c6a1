"""A consumer that was frozen past its session appends nothing that another consumer has read meanwhile."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.consumers.kafka.broker.consumer_fleet import SESSION_SECONDS, eventually, fleet, kafka_environment
from tests.consumers.kafka.broker.consuming import await_received, open_log, publish, usage
from tests.consumers.kafka.broker.running_broker import RunningBroker

pytestmark = pytest.mark.kafka

#: Long enough to be frozen with records in hand.
BATCH_SECONDS = 1.5


@pytest.mark.slow
def test_the_append_of_a_zombie_is_fenced(broker: RunningBroker, tmp_path: Path) -> None:
    topic = broker.fresh_topic()
    broker.make_topic(f"{topic}.customers")
    settings = kafka_environment(broker, topic) | {"METERFOLD_KAFKA_BATCH_SECONDS_MAX": str(BATCH_SECONDS)}
    with open_log(tmp_path / "data") as opened, fleet(opened.folder, settings) as consumers:
        publish(broker, topic, [usage(0)])
        consumers.start(0)
        await_received(opened, 1)
        publish(broker, topic, [usage(number) for number in range(1, 11)])
        time.sleep(BATCH_SECONDS / 2)
        consumers.freeze(0)
        assert opened.received() == 1, "it was frozen with ten records in hand"
        consumers.start(1)
        time.sleep(SESSION_SECONDS)
        await_received(opened, 11)
        consumers.thaw(0)
        eventually(lambda: "append_fenced" in consumers.said(), consumers.said)
        publish(broker, topic, [usage(number) for number in range(11, 21)])
        await_received(opened, 21)
        assert opened.received() == 21
