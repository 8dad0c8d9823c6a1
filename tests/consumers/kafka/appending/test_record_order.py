"""Within a partition, commands and usage take effect in record order, also at one instant; across topics, by instant.

Within the millisecond of a deletion a record's timestamp cannot say which usage came before it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.consumers.kafka.broker.consumer_fleet import eventually, kafka_environment
from tests.consumers.kafka.broker.consuming import usage
from tests.consumers.kafka.broker.running_broker import RunningBroker
from tests.meterfold_process import ADMIN_KEY, Server, serving

pytestmark = pytest.mark.kafka

HEADERS = {"Authorization": f"Bearer {ADMIN_KEY}"}
#: All of a test in one poll, or a poll for every record.
AT_ONCE = {"METERFOLD_KAFKA_BATCH_SECONDS_MAX": "1"}
ONE_BY_ONE = {"METERFOLD_KAFKA_BATCH_EVENTS_MAX": "1"}
POLLS = pytest.mark.parametrize("polls", [AT_ONCE, ONE_BY_ONE], ids=["in one poll", "each in a poll"])


def command(number: int, verb: str, customer: str = "ada", **data: object) -> bytes:
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": f"command-{number}",
            "source": "crm",
            "type": f"customer.{verb}",
            "subject": customer,
            "data": data,
        }
    )


class Engine:
    """A server with one consumer, and the two topics that it reads."""

    def __init__(self, server: Server, broker: RunningBroker, topic: str) -> None:
        self._server = server
        self._broker = broker
        self.usage_topic, self.customer_topic = topic, f"{topic}.customers"

    def publish(self, topic: str, records: Sequence[bytes], instants_ms: Sequence[int]) -> None:
        """Send records one by one, each in a batch of its own, and wait until all of them are folded."""
        before = self._offsets().get(topic, 0)
        with self._broker.producer(batch_size=0) as producer:
            for record, instant_ms in zip(records, instants_ms, strict=True):
                producer.send(topic, key=b"ada", value=record, partition=0, timestamp_ms=instant_ms)
        eventually(lambda: self._offsets().get(topic, 0) == before + len(records), self._offsets)

    def get(self, path: str) -> Any:
        answer = httpx.get(self._server.url + path, headers=HEADERS, timeout=30)
        return answer.json() if answer.status_code == 200 else None

    def life(self) -> tuple[int, int, int]:
        """The number of the current life, its requests, and those of all lives."""
        now = self.get("/v1/customers/ada/current-usage")
        every = self.get("/v1/customers/ada/usage?from=2025-01-01")["data"]
        requests = 0 if now is None else now["usage"]["requests"]
        shown = self.get("/v1/customers/ada")
        return (0 if shown is None else shown["life"]), requests, sum(row["requests"] for row in every)

    def history(self) -> list[str]:
        """The kinds of the history in effective order, without entries derived from usage."""
        entries = self.get("/v1/customers/ada/history")["data"]
        return [entry["kind"].removeprefix("customer.") for entry in entries if not entry["derived"]]

    def refused(self) -> int:
        return int(self.get("/v1/operations/status")["commands_refused"])

    def _offsets(self) -> dict[str, int]:
        return {one["topic"]: one["next_offset"] for one in self.get("/v1/sources")["data"]}


@contextmanager
def engine(broker: RunningBroker, tmp_path: Path, polls: dict[str, str]) -> Iterator[Engine]:
    topic = broker.fresh_topic()
    for beside in ("customers", "rejected"):
        broker.make_topic(f"{topic}.{beside}")
    settings = kafka_environment(broker, topic) | polls
    with serving(tmp_path / "data", tmp_path / "serve.log", settings) as server:
        yield Engine(server, broker, topic)


def now_ms() -> int:
    return int(time.time() * 1_000)


@POLLS
def test_commands_of_one_instant_take_effect_in_record_order(
    broker: RunningBroker, tmp_path: Path, polls: dict[str, str]
) -> None:
    """The last one wins, with usage between them or not."""
    verbs = "create block unblock block deactivate unblock reactivate block".split()
    records = [command(number, verb) for number, verb in enumerate(verbs)]
    for index in (5, 3, 1):
        records.insert(index, usage(index))
    with engine(broker, tmp_path, polls) as running:
        running.publish(running.usage_topic, records, [now_ms()] * len(records))
        shown = running.get("/v1/customers/ada")
        assert (shown["blocked"], shown["active"], shown["life"]) == (True, True, 1)
        past = "created blocked unblocked blocked deactivated unblocked reactivated blocked".split()
        assert running.history() == past
        assert running.get("/v1/customers/ada/access")["reason"] == "blocked"
        assert running.life() == (1, 3, 3)
        assert running.refused() == 0


@POLLS
def test_usage_counts_in_the_life_that_its_record_stands_in(
    broker: RunningBroker, tmp_path: Path, polls: dict[str, str]
) -> None:
    """Before a deletion in the life that ends, after it in the next, though all have one timestamp.

    What is said between the deletion and the usage that begins the next life holds in that life.
    """
    at = now_ms() - 1_000
    said = command(3, "update", name="Ada")
    records = [command(1, "create"), usage(1), usage(2), command(2, "delete"), said, usage(3), command(4, "block")]
    instants = [at] * len(records)
    with engine(broker, tmp_path, polls) as running:
        running.publish(running.usage_topic, records, instants)
        assert running.life() == (2, 1, 3)
        assert running.history() == ["created", "deleted", "updated", "blocked"]
        assert running.get("/v1/customers/ada")["name"] == "Ada"
        running.publish(running.usage_topic, [command(5, "delete")], [at + 2])
        assert running.life() == (0, 0, 3)
        assert running.refused() == 0


@pytest.mark.parametrize("first", ["usage", "commands"])
def test_across_topics_instants_decide_whichever_is_read_first(
    broker: RunningBroker, tmp_path: Path, first: str
) -> None:
    """A command takes effect a microsecond into its millisecond, after usage of another topic with its timestamp."""
    at = now_ms() - 60_000
    used = [usage(number) for number in range(4)], [at - 1, at, at + 1, at + 2]
    said = [command(number, verb) for number, verb in enumerate(("create", "delete", "block"))], [at - 9, at, at + 1]
    with engine(broker, tmp_path, AT_ONCE) as running:
        parts = [(running.usage_topic, *used), (running.customer_topic, *said)]
        for topic, records, instants_ms in parts if first == "usage" else reversed(parts):
            running.publish(topic, records, instants_ms)
        assert running.life() == (2, 2, 4)
        assert running.get("/v1/customers/ada")["blocked"]
        assert running.refused() == 0
