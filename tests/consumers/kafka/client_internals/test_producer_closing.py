"""A producer with undeliverable records is closed in time, and its thread ends."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaError

from consumers.kafka.client_internals.producer_closing import close_producer
from tests.consumers.kafka.broker.running_broker import running_broker

pytestmark = pytest.mark.kafka


@pytest.mark.slow
def test_a_producer_with_a_record_for_a_dead_broker_is_closed_at_once(tmp_path: Path) -> None:
    with running_broker(tmp_path) as broker:
        topic = broker.fresh_topic()
        before = set(threading.enumerate())
        producer = KafkaProducer(bootstrap_servers=broker.bootstrap)
        producer.partitions_for(topic)
        started = set(threading.enumerate()) - before
        broker.own.kill()
    sent = producer.send(topic, b"undeliverable")
    close_producer(producer, 0.0)
    for thread in started:
        thread.join(5)
    assert [thread.name for thread in started if thread.is_alive()] == []
    assert isinstance(sent.exception, KafkaError)
