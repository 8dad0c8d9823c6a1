"""A producer with undeliverable records is closed in time, and its thread ends."""

from __future__ import annotations

import threading

import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaError

from consumers.kafka.client_internals.producer_closing import close_producer
from tests.consumers.kafka.broker.running_broker import RunningBroker

pytestmark = pytest.mark.kafka


@pytest.mark.slow
def test_a_producer_with_a_record_in_hand_is_closed_at_once(broker: RunningBroker) -> None:
    topic = broker.fresh_topic(partitions=1)
    before = set(threading.enumerate())
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, linger_ms=60_000)
    sent = producer.send(topic, b"held back")
    (thread,) = set(threading.enumerate()) - before
    close_producer(producer, 0.0)
    thread.join(5)
    assert not thread.is_alive()
    with pytest.raises(KafkaError):
        sent.get(timeout=0)
    assert broker.ends(topic) == {0: 0}
