"""Metrics of Kafka consumers, from the status that each reported last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from consumers.kafka.consumer.status import ConsumerStatus, PartitionStatus


def consumer_metrics(consumers: Sequence[ConsumerStatus], now: datetime) -> Iterable[Metric]:
    """Lag by topic and partition, and the counts of each consumer since its start."""
    yield from _partition_metrics(_current_partitions(consumers, now))
    reported_at = GaugeMetricFamily(
        "meterfold_kafka_consumer_status_timestamp_seconds",
        "When a consumer last reported its status, Unix time.",
        labels=("consumer",),
    )
    retrying = GaugeMetricFamily(
        "meterfold_kafka_consumer_retrying", "1 while a consumer retries after an error.", labels=("consumer",)
    )
    unpublished = GaugeMetricFamily(
        "meterfold_kafka_dead_letters_unpublished",
        "Dead letters that are in the log, but could not be published yet.",
        labels=("consumer",),
    )
    records = CounterMetricFamily("meterfold_kafka_records", "Records appended to the log.", labels=("consumer",))
    appends = CounterMetricFamily("meterfold_kafka_appends", "Appends to the log.", labels=("consumer",))
    fenced = CounterMetricFamily(
        "meterfold_kafka_appends_fenced",
        "Appends discarded because another consumer had read on (fenced).",
        labels=("consumer",),
    )
    for consumer in consumers:
        label = (consumer.name,)
        reported_at.add_metric(label, consumer.written_at.timestamp())
        retrying.add_metric(label, consumer.trouble is not None)
        unpublished.add_metric(label, consumer.letters_unpublished)
        records.add_metric(label, consumer.records)
        appends.add_metric(label, consumer.appends)
        fenced.add_metric(label, consumer.appends_fenced)
    yield from (reported_at, retrying, unpublished, records, appends, fenced)


def _current_partitions(consumers: Sequence[ConsumerStatus], now: datetime) -> Iterable[PartitionStatus]:
    """The newest status of each partition. One of a consumer that has died says nothing about the present."""
    living = (consumer for consumer in consumers if not consumer.is_stale(now))
    newest: dict[tuple[str, int], PartitionStatus] = {}
    for consumer in sorted(living, key=lambda consumer: consumer.written_at):
        newest |= {(partition.topic, partition.partition): partition for partition in consumer.partitions}
    return [status for _, status in sorted(newest.items())]


def _partition_metrics(partitions: Iterable[PartitionStatus]) -> Iterable[Metric]:
    labels = ("topic", "partition")
    lag = GaugeMetricFamily("meterfold_kafka_lag_records", "Records not yet in the log.", labels=labels)
    waiting = GaugeMetricFamily(
        "meterfold_kafka_lag_seconds",
        "How long the oldest record not yet in the log has been waiting, at most.",
        labels=labels,
    )
    paused = GaugeMetricFamily(
        "meterfold_kafka_partition_paused", "1 while a partition waits for the fold (backpressure).", labels=labels
    )
    stopped = GaugeMetricFamily(
        "meterfold_kafka_partition_stopped", "1 while a partition waits for an operator.", labels=labels
    )
    for one in partitions:
        values = (one.topic, str(one.partition))
        if one.next_offset is not None and one.end_offset is not None:  # otherwise the lag is not known yet
            lag.add_metric(values, one.lag_positions)
            waiting.add_metric(values, one.lag_seconds)
        paused.add_metric(values, one.paused)
        stopped.add_metric(values, one.stopped is not None)
    return lag, waiting, paused, stopped
