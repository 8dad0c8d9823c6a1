"""The limit of consuming: a Kafka client alone, polling every record of a topic and discarding it.

Each client has its defaults, except that it starts at the beginning, belongs to no group, and polls many records at a
time. It reads everything once before it is measured, so that connections and code are warm.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
from kafka import KafkaConsumer, TopicPartition

from bench.kafka.records import PARTITIONS

KAFKA_PYTHON: Final = "kafka-python"
CONFLUENT: Final = "confluent-kafka"
POLL_RECORDS_MAX: Final = 10_000
POLL_SECONDS: Final = 0.2
READ_SECONDS_MAX: Final = 300.0
READINGS: Final = 2


class PollRun(msgspec.Struct, frozen=True):
    """One client reading a topic with `records` records."""

    bootstrap: str
    topic: str
    records: int
    client: str


class Polled(msgspec.Struct, frozen=True):
    """The last reading: elapsed seconds, and processor seconds of the client's process."""

    client: str
    records: int
    seconds: float
    cpu_seconds: float


def confluent_is_there() -> bool:
    """Whether confluent-kafka is installed, which only this measurement needs (`pip install meterfold[bench]`)."""
    return importlib.util.find_spec("confluent_kafka") is not None


def poll(run: PollRun) -> Polled:
    """Read the whole topic `READINGS` times and measure the last. Runs in a process of its own."""
    return _poll_confluent(run) if run.client == CONFLUENT else _poll_kafka_python(run)


def _poll_kafka_python(run: PollRun) -> Polled:
    client = KafkaConsumer(bootstrap_servers=run.bootstrap, enable_auto_commit=False, max_poll_records=POLL_RECORDS_MAX)
    partitions = [TopicPartition(run.topic, number) for number in range(PARTITIONS)]
    client.assign(partitions)

    def polled() -> int:
        return sum(map(len, client.poll(int(POLL_SECONDS * 1_000)).values()))

    try:
        return _read(run, lambda: client.seek_to_beginning(*partitions), polled)
    finally:
        client.close()


def _poll_confluent(run: PollRun) -> Polled:
    import confluent_kafka

    client: Any = confluent_kafka.Consumer(
        {"bootstrap.servers": run.bootstrap, "group.id": f"bench-{time.time_ns()}", "enable.auto.commit": False}
    )
    beginning = [
        confluent_kafka.TopicPartition(run.topic, number, confluent_kafka.OFFSET_BEGINNING)
        for number in range(PARTITIONS)
    ]

    def polled() -> int:
        return len(client.consume(POLL_RECORDS_MAX, POLL_SECONDS))

    try:
        return _read(run, lambda: client.assign(beginning), polled)
    finally:
        client.close()


def _read(run: PollRun, begin: Callable[[], None], polled: Callable[[], int]) -> Polled:
    seconds = cpu_seconds = 0.0
    for _ in range(READINGS):
        begin()
        started, cpu_started = time.perf_counter(), time.process_time()
        left = run.records
        while left > 0:
            left -= polled()
            if time.perf_counter() - started > READ_SECONDS_MAX:
                raise TimeoutError(f"{run.client} still misses {left} records")
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    return Polled(run.client, run.records, seconds, cpu_seconds)
