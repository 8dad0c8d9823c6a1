"""A real broker for tests: the one that METERFOLD_KAFKA_BOOTSTRAP names, else one started here on free ports."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from deploy.kafka.broker import Broker, BrokerConfig, fetch_jars, free_ports

GIVEN: Final = os.environ.get("METERFOLD_KAFKA_BOOTSTRAP")
READ_SECONDS_MAX: Final = 60.0
_NUMBERS: Final = itertools.count(1)


class RunningBroker:
    """A running broker. Only one that was started here can be stopped, killed and started again."""

    def __init__(self, bootstrap: str, own: Broker | None = None) -> None:
        self.bootstrap = bootstrap
        self._own = own

    @property
    def own(self) -> Broker:
        assert self._own is not None, "a broker from outside is not ours to stop"
        return self._own

    def fresh_topic(
        self, partitions: int = 1, prefix: str = "usage", configuration: Mapping[str, str] | None = None
    ) -> str:
        """Create an empty topic with an unused name."""
        name = f"{prefix}.{os.getpid()}.{time.time_ns()}.{next(_NUMBERS)}"
        self.make_topic(name, partitions, configuration)
        return name

    def make_topic(self, name: str, partitions: int = 1, configuration: Mapping[str, str] | None = None) -> None:
        """Create a topic of this name; return when it can be written to."""
        with self.admin() as admin:
            admin.create_topics([NewTopic(name, partitions, 1, topic_configs=dict(configuration or {}))])
            self._await_topics(admin, name, there=True)

    def delete_topic(self, name: str) -> None:
        """Delete a topic; return when it is gone and can be created again."""
        with self.admin() as admin:
            admin.delete_topics([name])
            self._await_topics(admin, name, there=False)

    def _await_topics(self, admin: Any, name: str, *, there: bool) -> None:
        deadline = time.monotonic() + READ_SECONDS_MAX
        while (name in admin.list_topics()) is not there:
            assert time.monotonic() < deadline, f"topic {name} does not {'appear' if there else 'vanish'}"
            time.sleep(0.05)

    @contextmanager
    def admin(self) -> Iterator[Any]:
        client = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            yield client
        finally:
            client.close()

    @contextmanager
    def producer(self, **options: Any) -> Iterator[Any]:
        """A producer; everything is sent when the block ends."""
        client = KafkaProducer(bootstrap_servers=self.bootstrap, **options)
        try:
            yield client
            client.flush(READ_SECONDS_MAX)
        finally:
            client.close()

    def ends(self, topic: str) -> dict[int, int]:
        """The offset after the last record of each partition."""
        with self._consumer() as client:
            partitions = [TopicPartition(topic, number) for number in client.partitions_for_topic(topic)]
            ends = client.end_offsets(partitions)
        return {partition.partition: end for partition, end in ends.items()}

    def records(self, topic: str) -> list[Any]:
        """Every record of a topic, by partition and offset, as the client returns them."""
        found: list[Any] = []
        with self._consumer() as client:
            partitions = [TopicPartition(topic, number) for number in sorted(client.partitions_for_topic(topic))]
            client.assign(partitions)
            client.seek_to_beginning(*partitions)
            ends = client.end_offsets(partitions)
            deadline = time.monotonic() + READ_SECONDS_MAX
            while any(client.position(partition) < ends[partition] for partition in partitions):
                assert time.monotonic() < deadline, f"topic {topic} cannot be read to its end"
                for records in client.poll(timeout_ms=100, max_records=10_000).values():
                    found += records
        return sorted(found, key=lambda record: (record.partition, record.offset))

    def committed_records(self, topic: str) -> dict[int, int]:
        """The number of committed records in each partition of a topic."""
        with self._consumer(isolation_level="read_committed") as client:
            partitions = [TopicPartition(topic, number) for number in sorted(client.partitions_for_topic(topic))]
            client.assign(partitions)
            client.seek_to_beginning(*partitions)
            ends = client.end_offsets(partitions)
            counts = dict.fromkeys((partition.partition for partition in partitions), 0)
            heard = time.monotonic()
            while any(client.position(partition) < ends[partition] for partition in partitions):
                for partition, records in client.poll(timeout_ms=100, max_records=10_000).items():
                    counts[partition.partition] += len(records)
                    heard = time.monotonic()
                assert time.monotonic() - heard < READ_SECONDS_MAX, f"topic {topic} cannot be read to its end"
        return counts

    @contextmanager
    def _consumer(self, **options: Any) -> Iterator[Any]:
        client = KafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False, **options)
        try:
            yield client
        finally:
            client.close()


@contextmanager
def running_broker(
    folder: Path,
    properties: Mapping[str, str] | None = None,
    listeners: tuple[str, ...] = (),
    format_arguments: tuple[str, ...] = (),
) -> Iterator[RunningBroker]:
    """A broker of the test's own in this folder, which it may configure, stop and kill; stopped at the end."""
    port, controller_port = free_ports(2)
    config = BrokerConfig(folder, port, controller_port, listeners, properties or {}, format_arguments)
    broker = Broker(config, fetch_jars())
    broker.start()
    try:
        yield RunningBroker(broker.bootstrap, broker)
    finally:
        broker.stop()


@contextmanager
def given_or_running_broker(folder: Path) -> Iterator[RunningBroker]:
    """The broker of METERFOLD_KAFKA_BOOTSTRAP, else one started in this folder."""
    if GIVEN:
        yield RunningBroker(GIVEN)
        return
    with running_broker(folder) as broker:
        yield broker
