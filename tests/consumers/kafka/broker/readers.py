"""Both ways to read partitions from a broker, with clients of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest
from kafka import KafkaConsumer, TopicPartition

from consumers.kafka.client_internals.internal_reader import InternalReader
from consumers.kafka.reading.public_poll import FETCHING, PublicPollReader
from consumers.kafka.reading.reader import PartitionReader
from consumers.kafka.records.record_runs import RecordRun, RunBounds
from tests.consumers.kafka.broker.consumer_fleet import eventually
from tests.consumers.kafka.broker.running_broker import RunningBroker

Way = Literal["insides", "public poll"]
WAYS: tuple[Way, ...] = ("insides", "public poll")
BOTH_WAYS = pytest.mark.parametrize("public_poll", [False, True], ids=WAYS)
BOUNDS = RunBounds(records_max=500, value_bytes_max=1 << 20)
OPTIONS: dict[str, Any] = {
    "enable_auto_commit": False,
    "auto_offset_reset": "none",
    "isolation_level": "read_committed",
}


def reader_of(
    way: Way, broker: RunningBroker, client: Any, *topics: str, bounds: RunBounds = BOUNDS
) -> PartitionReader:
    if way == "insides":
        return InternalReader(client, bounds)
    return PublicPollReader(client, {"bootstrap_servers": broker.bootstrap}, topics)


@contextmanager
def reading(
    way: Way,
    broker: RunningBroker,
    *partitions: TopicPartition,
    offset: int = 0,
    bounds: RunBounds = BOUNDS,
    client_of: Callable[..., Any] = KafkaConsumer,
    **options: Any,
) -> Iterator[PartitionReader]:
    """A reader that is about to read partitions from an offset, without a group."""
    fetching = FETCHING if way == "public poll" else {}
    client = client_of(bootstrap_servers=broker.bootstrap, **(OPTIONS | fetching | options))
    reader = reader_of(way, broker, client, *{one.topic for one in partitions}, bounds=bounds)
    try:
        client.assign(partitions)
        for partition in partitions:
            assert reader.seek(partition, offset)
        yield reader
    finally:
        reader.close(5)


def runs_to(reader: PartitionReader, end: int, seconds: float = 30) -> list[RecordRun]:
    """The runs of the only partition of a reader, up to an offset."""
    runs: list[RecordRun] = []

    def came() -> bool:
        for found in reader.poll(0.2).values():
            runs.extend(found)
        return bool(runs) and runs[-1].next_offset >= end

    eventually(came, lambda: runs, seconds)
    return runs


def joined(runs: list[RecordRun]) -> RecordRun:
    whole = RecordRun.starting_at(runs[0].first_offset)
    for run in runs:
        whole.extend(run)
    return whole


def rows(runs: list[RecordRun]) -> list[Any]:
    """Offset, timestamp, key, value and headers of each record."""
    run = joined(runs)
    headers = run.headers or [()] * len(run)
    return list(zip(run.offsets, run.timestamps_ms, run.keys, run.values, headers, strict=True))
