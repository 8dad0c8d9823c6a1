"""The Kafka table shows the consumer beside the clients alone, or the reason why nothing was measured."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bench.kafka.consuming import ConsumingResult
from bench.kafka.polling import CONFLUENT, KAFKA_PYTHON, Polled
from bench.kafka.records import Published
from bench.kafka.running import KafkaResult, missing_requirements
from bench.kafka.tables import KAFKA_HEADINGS, kafka_memory, kafka_rows

MEBIBYTE = 1024 * 1024
RESULT = ConsumingResult(
    published=Published(usage=1_000, duplicates=10, commands=1_000, value_bytes=500_000),
    seconds=0.02,
    consumer_cpu_seconds=0.018,
    owner_cpu_seconds=0.01,
    owner_bytes=[100 * MEBIBYTE, 110 * MEBIBYTE],
    consumer_bytes=[90 * MEBIBYTE, 90 * MEBIBYTE],
    counted=990,
    duplicates=10,
    honoured=1_000,
    polled=[
        Polled(KAFKA_PYTHON, 3_000, 0.02, 0.018),
        Polled(CONFLUENT, 3_000, 0.01, 0.003),
        Polled(KAFKA_PYTHON, 3_000, 0.04, 0.024),
    ],
)


def test_a_consumer_stands_beside_the_clients_alone() -> None:
    assert list(kafka_rows(KafkaResult(with_commands=RESULT))) == [
        ("half commands", "meterfold", "100,000", "1.00", "9.0", "5.0", "as sent"),
        ("half commands", "kafka-python alone", "100,000", "1.00", "7.0", "", ""),
        ("half commands", "confluent-kafka alone", "300,000", "3.00", "1.0", "", ""),
    ]


def test_a_wrong_count_is_shown() -> None:
    wrong = msgspec.structs.replace(RESULT, counted=989, honoured=999)
    first = next(kafka_rows(KafkaResult(usage=wrong)))
    assert first[-1] == "WRONG: 989 counted, 10 duplicates, 999 commands honoured"


def test_a_client_that_is_not_installed_has_a_row_that_says_so() -> None:
    alone = msgspec.structs.replace(RESULT, polled=RESULT.polled[:1])
    last = list(kafka_rows(KafkaResult(usage=alone)))[-1]
    assert last == ("usage", "confluent-kafka alone", "not installed: pip install meterfold[bench]", "", "", "", "")


def test_memory_is_shown_by_fifths() -> None:
    assert list(kafka_memory(KafkaResult(usage=RESULT))) == [
        ("owner, Kafka, by fifths", "100 110"),
        ("consumer, Kafka, by fifths", "90 90"),
    ]


def test_without_java_or_maven_a_row_says_what_is_missing(tmp_path: Path) -> None:
    said = missing_requirements({"PATH": str(tmp_path)})
    assert said is not None
    assert [line.partition(" ")[0] for line in said.splitlines()] == ["Java", "Maven"]
    (row,) = kafka_rows(KafkaResult(left_out=said))
    assert row == (said, *[""] * (len(KAFKA_HEADINGS) - 1))
