"""A consumer pauses while the fold does not keep up, and reports it; an HTTP write stays quick.

The fold is slow because its process is stopped, first for long, then again and again.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from consumers.embedded.folded_position import FoldedPositionReader
from domain.log.blocks import read_header
from domain.log.records import USAGE_BATCH_TOPIC
from domain.log.sqlite.event_log import SQLiteEventLog
from tests.consumers.kafka.broker.consumer_fleet import Fleet, eventually, fleet, kafka_environment
from tests.consumers.kafka.broker.consuming import publish, usage
from tests.consumers.kafka.broker.running_broker import RunningBroker
from tests.meterfold_process import ADMIN_KEY, Server, serving

pytestmark = pytest.mark.kafka

HEADERS = {"Authorization": f"Bearer {ADMIN_KEY}"}
PARTITIONS = 3
BACKLOG_EVENTS = 200_000
FIRST_WRITTEN = 1_000_000
FOLD_LAG_SECONDS_MAX = 0.3
#: The bound is checked before an append, which then takes its time.
APPEND_SECONDS_MAX = 0.5
STANDSTILL_SECONDS = 2.0
#: What a write that waits for the fold may take, as a part of the time for the whole backlog. Behind a consumer that
#: does not wait, a write takes nearly all of it.
WRITE_TO_BACKLOG_MAX = 0.5
PAUSE_BETWEEN_WRITES_SECONDS = 0.02
LOG_PAGE_RECORDS = 1_000
#: A fold that is stopped again and again, for longer than the bound of a consumer.
RUNNING_SECONDS, STOPPED_SECONDS = 0.2, 0.6


def topics_of(broker: RunningBroker) -> str:
    topic = broker.fresh_topic(PARTITIONS)
    for beside in ("customers", "rejected"):
        broker.make_topic(f"{topic}.{beside}")
    return topic


def fill(broker: RunningBroker, topic: str) -> None:
    with broker.producer(linger_ms=20, batch_size=100_000) as producer:
        for number in range(1, BACKLOG_EVENTS + 1):
            producer.send(topic, value=usage(number, f"customer-{number % 500}"), partition=number % PARTITIONS)


@contextmanager
def serving_slowly(tmp_path: Path, broker: RunningBroker, topic: str) -> Iterator[tuple[Server, Fleet]]:
    """An engine without consumers, and a fleet for them, none started yet."""
    settings = kafka_environment(broker, topic) | {"METERFOLD_FOLD_LAG_SECONDS_MAX": str(FOLD_LAG_SECONDS_MAX)}
    folder = tmp_path / "data"
    with (
        serving(folder, tmp_path / "serve.log", settings | {"METERFOLD_KAFKA_CONSUMERS": "0"}) as server,
        fleet(folder, settings) as consumers,
    ):
        write(server, FIRST_WRITTEN)  # the first one waits for the intake to have started
        yield server, consumers


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stop a process (SIGSTOP) within this block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def slowed(pid: int) -> Iterator[None]:
    """Run a process only a part of the time within this block; it still answers requests."""
    ended = threading.Event()

    def slow() -> None:
        while not ended.wait(RUNNING_SECONDS):
            with stopped(pid):
                time.sleep(STOPPED_SECONDS)

    thread = threading.Thread(target=slow)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.slow
def test_a_consumer_waits_for_the_fold_and_a_write_stays_quick_beside_a_full_topic(
    broker: RunningBroker, tmp_path: Path
) -> None:
    topic = topics_of(broker)
    with serving_slowly(tmp_path, broker, topic) as (server, consumers):
        publish(broker, topic, [usage(0)])
        consumers.start(0)
        eventually(lambda: counted(server) == 2, lambda: status_of(server))
        with stopped(server.pid):
            fill(broker, topic)
            records, lasted = appended_while_stopped(server.folder, consumers)
        print(f"{records} records within {lasted:.3f} s before the pause")  # noqa: T201
        assert lasted < FOLD_LAG_SECONDS_MAX + APPEND_SECONDS_MAX
        assert 0 < records < BACKLOG_EVENTS / 2, "the topic is to be full still"
        with slowed(server.pid):
            begun = time.monotonic()
            slowest = slowest_write_until_counted(server, BACKLOG_EVENTS + 1)
            lasted = time.monotonic() - begun
        print(f"the slowest write took {slowest:.3f} s of {lasted:.3f} s")  # noqa: T201
        assert slowest < WRITE_TO_BACKLOG_MAX * lasted
        eventually(lambda: not any_paused(status_of(server)), lambda: status_of(server))


def appended_while_stopped(folder: Path, consumers: Fleet) -> tuple[int, float]:
    """The records that the consumer appends until it pauses for good, and over how many seconds."""
    folded = FoldedPositionReader(folder).read()
    assert folded is not None
    log = SQLiteEventLog(folder / "log.sqlite")
    try:
        eventually(lambda: all_paused(consumers), consumers.statuses)
        head, appended = log.head_position(), unfolded(log, folded)
        time.sleep(STANDSTILL_SECONDS)
        assert log.head_position() == head, "a paused consumer has appended"
        assert all_paused(consumers)
        assert consumers.statuses()[0].fold_lag_seconds > STANDSTILL_SECONDS
    finally:
        log.close()
    instants = [recorded_at for recorded_at, _ in appended]
    return sum(count for _, count in appended), (max(instants) - min(instants)).total_seconds()


def slowest_write_until_counted(server: Server, others: int) -> float:
    """Write single events until so many others are counted, too; return how long the slowest took."""
    slowest, writes = 0.0, 1  # one was written at the start
    while (status := status_of(server))["counts"]["counted"] < others + writes:
        slowest = max(slowest, write(server, FIRST_WRITTEN + writes))
        writes += 1
        time.sleep(PAUSE_BETWEEN_WRITES_SECONDS)
    assert status["counts"] == {
        "counted": others + writes,
        "duplicate": 0,
        "conflict": 0,
        "rejected": 0,
        "withdrawn": 0,
    }
    return slowest


def write(server: Server, number: int) -> float:
    """The seconds until one write is counted."""
    begun = time.monotonic()
    content = {"Content-Type": "application/cloudevents+json", **HEADERS}
    answer = httpx.post(f"{server.url}/v1/events", content=usage(number), headers=content, timeout=60)
    assert answer.status_code == 200
    return time.monotonic() - begun


def status_of(server: Server) -> Any:
    return httpx.get(f"{server.url}/v1/operations/status", headers=HEADERS, timeout=60).json()


def counted(server: Server) -> int:
    return int(status_of(server)["counts"]["counted"])


def any_paused(status: Any) -> bool:
    return any(one["paused"] for consumer in status["consumers"] for one in consumer["partitions"])


def all_paused(consumers: Fleet) -> bool:
    """Whether the consumer reports all its partitions as paused."""
    (status,) = consumers.statuses()
    return len(status.partitions) > PARTITIONS and all(one.paused for one in status.partitions)


def unfolded(log: SQLiteEventLog, folded: int) -> list[tuple[datetime, int]]:
    """Recorded time and size of each block after a position."""
    found = []
    position = folded
    while page := log.read(position, LOG_PAGE_RECORDS):
        headers = [read_header(record.state) for record in page if record.topic == USAGE_BATCH_TOPIC]
        found += [(header.recorded_at, header.count) for header in headers]
        position = page[-1].position
    return found
