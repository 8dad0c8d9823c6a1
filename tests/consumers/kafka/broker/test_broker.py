"""The broker of the tests is a real one: it keeps records over a stop and a kill."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.consumers.kafka.broker.running_broker import RunningBroker, running_broker

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("compression", [None, "lz4", "zstd", "gzip"])
def test_records_come_back_as_they_were_sent(broker: RunningBroker, compression: str | None) -> None:
    topic = broker.fresh_topic(partitions=2)
    sent = [(b"ada", b"first" * 100, [("kind", b"one")]), (b"bob", b"second", []), (b"ada", None, [])]
    with broker.producer(compression_type=compression) as producer:
        for key, value, headers in sent:
            producer.send(topic, value=value, key=key, headers=headers)
    read = [(record.key, record.value, list(record.headers)) for record in broker.records(topic)]
    assert sorted(read, key=repr) == sorted(sent, key=repr)
    assert sum(broker.ends(topic).values()) == 3


def test_a_topic_made_again_is_empty(broker: RunningBroker) -> None:
    topic = broker.fresh_topic()
    with broker.producer() as producer:
        producer.send(topic, value=b"lost")
    broker.delete_topic(topic)
    broker.make_topic(topic, partitions=3)
    assert broker.ends(topic) == {0: 0, 1: 0, 2: 0}


def test_records_outlive_a_stop_and_a_kill(tmp_path: Path) -> None:
    with running_broker(tmp_path) as broker:
        topic = broker.fresh_topic()
        for number, end in enumerate((broker.own.stop, broker.own.kill)):
            with broker.producer() as producer:
                producer.send(topic, value=b"%d" % number)
            end()
            assert broker.own.ended()
            broker.own.start()
        assert [record.value for record in broker.records(topic)] == [b"0", b"1"]
