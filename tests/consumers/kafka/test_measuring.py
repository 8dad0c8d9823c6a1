"""`make bench` counts everything that was sent to the broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.kafka.consuming import FIFTHS, ConsumingResult, ConsumingRun
from bench.kafka.polling import CONFLUENT, KAFKA_PYTHON, confluent_is_there
from bench.kafka.running import KafkaResult
from bench.kafka.tables import kafka_memory, kafka_rows
from bench.processes import run_step
from tests.consumers.kafka.broker.running_broker import RunningBroker

pytestmark = pytest.mark.kafka

USAGE = 1_200
AGAIN = 12
COMMANDS = USAGE - 6


def test_everything_that_was_sent_is_counted(broker: RunningBroker, tmp_path: Path) -> None:
    run = ConsumingRun(broker.bootstrap, str(tmp_path / "data"), USAGE, 50, 11, commands=True)
    result = run_step("kafka", run, ConsumingResult)
    published = result.published
    assert (published.usage, published.duplicates, published.commands) == (USAGE, AGAIN, COMMANDS)
    assert (result.counted, result.duplicates, result.honoured) == (USAGE - AGAIN, AGAIN, COMMANDS)
    clients = [KAFKA_PYTHON, CONFLUENT] if confluent_is_there() else [KAFKA_PYTHON]
    assert [one.client for one in result.polled] == clients * 2

    shown = KafkaResult(usage=result)
    rows = list(kafka_rows(shown))
    assert [row[1] for row in rows] == ["meterfold", "kafka-python alone", "confluent-kafka alone"]
    assert rows[0][-1] == "as sent"
    assert [len(sizes.split()) for _, sizes in kafka_memory(shown)] == [FIFTHS, FIFTHS]
