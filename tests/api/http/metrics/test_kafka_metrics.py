"""Kafka lag by partition: of the consumer that reads it now, and only where it is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from api.http.metrics.kafka_metrics import consumer_metrics
from consumers.kafka.consumer.status import ConsumerStatus, PartitionStatus

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def partition(number: int, lag: int, end_offset: int | None = 100, **more: object) -> PartitionStatus:
    fields = {"paused": False, "stopped": None, **more}
    return PartitionStatus("usage", number, 100 - lag, end_offset, lag, lag / 10, **fields)  # type: ignore[arg-type]


def consumer(name: str, age_seconds: float, *partitions: PartitionStatus, **more: object) -> ConsumerStatus:
    return ConsumerStatus(name, 7, NOW - timedelta(seconds=age_seconds), partitions, **more)  # type: ignore[arg-type]


def samples(*consumers: ConsumerStatus) -> dict[str, dict[tuple[str, ...], float]]:
    return {
        metric.name.removeprefix("meterfold_kafka_"): {
            tuple(sample.labels.values()): sample.value for sample in metric.samples
        }
        for metric in consumer_metrics(consumers, NOW)
    }


def test_a_partition_that_has_moved_is_shown_once() -> None:
    found = samples(consumer("a", 5, partition(0, 40), partition(1, 7)), consumer("b", 1, partition(0, 3)))
    assert found["lag_records"] == {("usage", "0"): 3, ("usage", "1"): 7}
    assert found["lag_seconds"] == {("usage", "0"): 0.3, ("usage", "1"): 0.7}


def test_the_lag_of_a_dead_consumer_is_unknown_and_the_time_of_its_last_word_is_shown() -> None:
    found = samples(consumer("dead", 60, partition(0, 40), records=5))
    assert found["lag_records"] == {}
    assert found["consumer_status_timestamp_seconds"] == {("dead",): NOW.timestamp() - 60}
    assert found["records"] == {("dead",): 5}


def test_a_lag_that_is_not_known_yet_is_not_shown_as_none() -> None:
    found = samples(consumer("new", 1, partition(0, 0, end_offset=None), partition(1, 0)))
    assert found["lag_records"] == {("usage", "1"): 0}
    assert found["partition_stopped"] == {("usage", "0"): 0, ("usage", "1"): 0}


def test_what_waits_for_the_fold_an_operator_or_the_broker_is_told() -> None:
    paused, stopped = partition(0, 1, paused=True), partition(1, 2, stopped="the broker lost records")
    found = samples(consumer("a", 1, paused, stopped, trouble="no broker", letters_unpublished=3, appends_fenced=2))
    assert found["partition_paused"] == {("usage", "0"): 1, ("usage", "1"): 0}
    assert found["partition_stopped"] == {("usage", "0"): 0, ("usage", "1"): 1}
    assert (found["consumer_retrying"], found["dead_letters_unpublished"], found["appends_fenced"]) == (
        {("a",): 1},
        {("a",): 3},
        {("a",): 2},
    )
