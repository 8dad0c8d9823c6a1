"""The test bed of a history: an engine with a settable clock, its HTTP API, and a consumer of a real broker."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from kafka import TopicPartition
from starlette.testclient import TestClient

from api.app import create_app
from consumers.bootstrap import open_consumer, open_engine
from consumers.embedded.jobs import scheduler_of
from consumers.kafka.consumer.options import consumer_options
from consumers.maintenance.scheduler import Scheduler
from consumers.settings import Settings
from tests.consumers.kafka.broker.consuming import RunningConsumer
from tests.consumers.kafka.broker.running_broker import RunningBroker
from tests.engine_fixtures import Api, JsonObject, SettableClock
from tests.golden.fixtures import Moment, Profile

USAGE, CUSTOMERS, REJECTED = "meterfold.usage", "meterfold.customers", "meterfold.rejected"
PARTITIONS = 2
SEED = 8
ARRIVAL_SECONDS_MAX = 60.0
Headers = Sequence[tuple[str, bytes]]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Kafka:
    """A broker, and a consumer of its topics that appends to the log of the data folder."""

    def __init__(self, broker: RunningBroker, settings: Settings, clock: SettableClock) -> None:
        self._broker = broker
        self._settings = settings
        self._clock = clock
        self._random = Random(SEED + 1)
        self._consumer = ExitStack()
        for topic in (USAGE, CUSTOMERS, REJECTED):
            broker.make_topic(topic, PARTITIONS, {"retention.ms": "-1"})
        self._read()

    def _read(self) -> None:
        options = consumer_options(self._settings, "golden")
        opened = open_consumer(self._settings, options, clock=self._clock, randomness=self._random.randbytes)
        running = RunningConsumer(self._consumer.enter_context(opened))
        running.start()
        self._consumer.callback(running.stop)

    @contextmanager
    def nobody_reading(self) -> Iterator[None]:
        """Stop the consumer until the block ends."""
        self.close()
        yield
        self._read()

    def send(
        self, at: datetime, value: bytes | None, key: str | None, topic: str, partition: int, headers: Headers
    ) -> None:
        """Send one record with this timestamp."""
        sent_key = None if key is None else key.encode()
        milliseconds = int(at.timestamp() * 1000)
        with self._broker.producer() as producer:
            producer.send(topic, value, sent_key, list(headers), partition, milliseconds)

    def end(self, topic: str, partition: int) -> int:
        return self._broker.ends(topic)[partition]

    def forget(self, topic: str, partition: int, offset: int) -> None:
        """Delete the records below an offset, as retention does."""
        with self._broker.admin() as admin:
            admin.delete_records({TopicPartition(topic, partition): offset})

    def close(self) -> None:
        """Stop the consumer."""
        self._consumer.close()


class Stage:
    """The clients, clock and broker of a history. `admin` and the other clients each send with their own key."""

    def __init__(
        self, client: TestClient, admin_key: str, clock: SettableClock, kafka: Kafka, scheduler: Scheduler
    ) -> None:
        self.clock = clock
        self.random = Random(SEED)
        self.keys: dict[str, str] = {}
        self.moments: list[Moment] = []
        self._client = client
        self._kafka = kafka
        self._scheduler = scheduler
        self.admin = self.keep_key("admin", admin_key)

    def keep_key(self, name: str, secret: str) -> Api:
        """Keep a key, so that questions may name it, and return a client with it."""
        self.keys[name] = secret
        return Api(self._client, secret)

    def keys_of(self, name: str) -> Api:
        """The client with this key."""
        return Api(self._client, self.keys[name])

    def issue_key(self, name: str, *scopes: str, **place: str) -> Api:
        """A client with a new key."""
        made = self.admin.post("/v1/keys", {"scopes": list(scopes or ("admin",)), "name": name, **place})
        return self.keep_key(name, made["secret"])

    def at(self, text: str) -> None:
        """Set the clock, UTC."""
        self.clock.set(utc(text))

    def mark(self, name: str, *later: str, profile: Profile = "current") -> None:
        """Add moments for the present log position, at this instant and at later ones."""
        position = self.admin.get("/v1/customers", limit=1)["position"]
        for now in (self.clock(), *map(utc, later)):
            self.moments.append(Moment(f"{name} {now:%Y-%m-%dT%H:%M:%S}", position, now, profile))

    def run_due_jobs(self) -> None:
        """Run the scheduled jobs that are due, as a serving engine does by itself."""
        self._scheduler.run_due()

    def publish(
        self,
        value: bytes | None,
        key: str | None = None,
        topic: str = USAGE,
        partition: int = 0,
        headers: Headers = (),
    ) -> None:
        """Send one record, and wait until it is counted."""
        self._kafka.send(self.clock(), value, key, topic, partition, headers)
        self._await_read(topic, partition)

    def lose(self, values: Sequence[bytes], topic: str, partition: int) -> None:
        """Send records and delete all but the last before the consumer reads them."""
        with self._kafka.nobody_reading():
            for value in values:
                self._kafka.send(self.clock(), value, None, topic, partition, ())
            self._kafka.forget(topic, partition, self._kafka.end(topic, partition) - 1)
        self._await_read(topic, partition)

    def _await_read(self, topic: str, partition: int) -> None:
        end, deadline = self._kafka.end(topic, partition), time.monotonic() + ARRIVAL_SECONDS_MAX
        while end not in self._read_to(topic, partition):
            assert time.monotonic() < deadline, f"{topic}:{partition} is not read up to {end}"
            time.sleep(0.02)

    def _read_to(self, topic: str, partition: int) -> list[int]:
        sources: list[JsonObject] = self.admin.get("/v1/sources")["data"]
        return [one["next_offset"] for one in sources if (one["topic"], one["partition"]) == (topic, partition)]


@contextmanager
def stage(folder: Path, broker: RunningBroker, begins: str) -> Iterator[Stage]:
    """An engine and a consumer on a new data folder; both are closed at the end."""
    clock = SettableClock(utc(begins))
    given: dict[str, Any] = {"intake_process": False, "duckdb_threads": 1, "http_write_wait_seconds_max": 60.0}
    compacted: dict[str, Any] = {"compact_rows_min": 1, "compact_deltas_min": 1}
    settings = Settings(
        data_dir=folder, kafka_bootstrap=broker.bootstrap, kafka_session_timeout_seconds=6, **given, **compacted
    )
    with (
        open_engine(settings, clock=clock, randomness=Random(SEED).randbytes) as engine,
        closing(Kafka(broker, settings, clock)) as kafka,
        TestClient(create_app(engine)) as client,
    ):
        secret = engine.folder.first_key()
        assert secret is not None
        yield Stage(client, secret, clock, kafka, scheduler_of(engine))
