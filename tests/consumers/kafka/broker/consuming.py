"""A consumer in a thread of the test process, on the log of a data folder."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from consumers.intake.options import IntakeOptions
from consumers.kafka.appending.appender import PartitionAppender
from consumers.kafka.consumer.backpressure import Backpressure
from consumers.kafka.consumer.options import ReadingOptions
from consumers.kafka.consumer.process import ConsumerProcess, group_options
from consumers.kafka.consumer.reporting import ConsumerReporter
from consumers.kafka.consumer.status import ConsumerStatus, PartitionStatus, StatusFile
from domain.log.blocks import read_header
from domain.log.creation import ensure_log_created
from domain.log.event_codec import decode_lifecycle
from domain.log.records import USAGE_BATCH_TOPIC, LogRecord
from domain.log.sqlite.event_log import SQLiteEventLog
from domain.log.sqlite.key_store import SQLiteKeyStore
from domain.scope import DEFAULT_SCOPE
from tests.consumers.kafka.broker.consumer_fleet import SESSION_SECONDS, eventually
from tests.consumers.kafka.broker.running_broker import RunningBroker

REJECTED_TOPIC = "no-letters"


def now_utc() -> datetime:
    return datetime.now(UTC)


class OpenLog:
    """A log without an owner, and appenders to it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.log = SQLiteEventLog(folder / "log.sqlite")
        self._keys = SQLiteKeyStore(folder / "keys.sqlite", os.urandom)
        self._seed = ensure_log_created(self.log, "0" * 32, 7, now_utc()).hash_seed

    def appender(self) -> PartitionAppender:
        """An appender for one consumer; appenders share no memory."""
        return PartitionAppender(
            self.log, self._keys, self._seed, now_utc, os.urandom, lambda provider, model: None, IntakeOptions()
        )

    def records(self) -> list[LogRecord]:
        """Everything in the log."""
        return self.log.read(0, 100_000)

    def received(self) -> int:
        """The number of usage items in blocks."""
        return sum(read_header(one.state).count for one in self.records() if one.topic == USAGE_BATCH_TOPIC)

    def streams(self) -> set[str]:
        """The streams of usage."""
        return {one.stream for one in self.records() if one.topic == USAGE_BATCH_TOPIC}

    def events(self, topic: str) -> list[Any]:
        """The lifecycle events of one topic."""
        return [decode_lifecycle(one.topic, one.state) for one in self.records() if one.topic == topic]

    def close(self) -> None:
        self.log.close()
        self._keys.close()


@contextmanager
def open_log(folder: Path) -> Iterator[OpenLog]:
    opened = OpenLog(folder)
    try:
        yield opened
    finally:
        opened.close()


class RunningConsumer:
    """A consumer in a thread. `stop` raises the error that it died of."""

    def __init__(self, process: ConsumerProcess) -> None:
        self.statuses: list[ConsumerStatus] = []
        self._stopping = threading.Event()
        self._died_of: BaseException | None = None
        self._process = process
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self._process.run(self._stopping)
        except BaseException as error:
            self._died_of = error

    def start(self) -> None:
        self._thread.start()

    @property
    def status(self) -> ConsumerStatus | None:
        return self.statuses[-1] if self.statuses else None

    def partition(self, number: int = 0) -> PartitionStatus | None:
        """The last status of a partition, whatever its topic."""
        found = [] if self.status is None else [one for one in self.status.partitions if one.partition == number]
        return found[0] if found else None

    def stop(self) -> None:
        self._stopping.set()
        self.join(20)

    def join(self, seconds: float) -> None:
        """Wait for a consumer that ends by itself."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "the consumer does not end"
        if self._died_of is not None:
            raise self._died_of


@contextmanager
def consuming(
    opened: OpenLog,
    broker: RunningBroker,
    topic: str,
    *,
    group: str | None = None,
    rejected_topic: str = REJECTED_TOPIC,
    backpressure: Any = None,
    **options: Any,
) -> Iterator[RunningConsumer]:
    """A consumer of one topic, until the block ends."""
    reading = msgspec.structs.replace(
        ReadingOptions(name="test", scope=DEFAULT_SCOPE, topics=(topic,), customer_topics=(topic,)), **options
    )
    statuses: list[ConsumerStatus] = []
    reporting = ConsumerReporter(StatusFile(opened.folder, "test"), "test", now_utc, statuses.append)
    process = ConsumerProcess(
        {"bootstrap_servers": broker.bootstrap},
        group_options(group or f"group.{topic}", SESSION_SECONDS),
        rejected_topic,
        opened.appender(),
        backpressure or Backpressure(lambda: None, lambda: False, 1.0, time.monotonic),
        reporting,
        reading,
    )
    running = RunningConsumer(process)
    running.statuses = statuses
    running.start()
    try:
        yield running
    finally:
        running.stop()


def await_received(opened: OpenLog, count: int) -> None:
    """Wait until so many items are in the log."""
    eventually(lambda: opened.received() >= count, lambda: f"{opened.received()} of {count} items", 40)


def usage(number: int, customer: str = "ada") -> bytes:
    """An event of usage with an identity of its own."""
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": f"event-{number}",
            "source": "gateway",
            "type": "llm.request",
            "subject": customer,
            "data": {"input_tokens": number},
        }
    )


def publish(broker: RunningBroker, topic: str, values: list[bytes], partition: int = 0, key: bytes = b"ada") -> None:
    with broker.producer() as producer:
        for value in values:
            producer.send(topic, key=key, value=value, partition=partition)
