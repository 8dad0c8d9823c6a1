"""Prometheus metrics of HTTP requests, log, fold and Kafka consumers, in a registry of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from consumers.bootstrap import system_clock
from consumers.engine import Engine
from consumers.kafka.consumer.status import ConsumerStatus, consumers_of
from domain.usage.outcomes import OUTCOMES
from projections.views.source_losses import partition_losses

LATENCY_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class HttpMetrics:
    """Counts and times requests. Log, fold and consumers are read from the engine at each scrape."""

    def __init__(self, engine: Engine) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "meterfold_http_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "meterfold_http_request_duration_seconds",
            "From the first byte of a request to the last of its answer.",
            ("method", "route"),
            buckets=LATENCY_SECONDS,
            registry=self.registry,
        )
        self.registry.register(EngineCollector(engine))

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request. `route` is a template such as /v1/customers/{customer_id}: series stay bounded."""
        method = method if method in _METHODS else "OTHER"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self) -> bytes:
        """Render all metrics in the Prometheus text format."""
        return generate_latest(self.registry)


class EngineCollector(Collector):
    """Collects the state of log, fold and outcomes at the time of a scrape."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> Iterable[Metric]:
        """Describe nothing, as registering must not read the store."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Read the engine and yield its metrics."""
        progress = self._engine.progress()
        gauges = (
            ("meterfold_log_head_position", "Last position of the log.", progress.head),
            ("meterfold_folded_position", "Position up to which the log is folded.", progress.position),
            ("meterfold_fold_lag_positions", "Positions not yet folded.", max(0, progress.head - progress.position)),
            ("meterfold_fold_lag_seconds", "Age of the oldest record not yet folded.", progress.behind_seconds),
            (
                "meterfold_fold_stopped",
                "1 while the fold has stopped because of a failure.",
                progress.failure is not None,
            ),
        )
        for name, meaning, value in gauges:
            yield GaugeMetricFamily(name, meaning, value=float(value))
        with self._engine.reads.snapshot() as snapshot:
            totals = msgspec.structs.asdict(snapshot.totals())
            lost = partition_losses(snapshot)
        yield from consumer_metrics(consumers_of(self._engine.settings.data_dir, system_clock()))
        events = CounterMetricFamily("meterfold_events", "Events received, by outcome.", labels=("outcome",))
        for outcome in OUTCOMES:
            events.add_metric((outcome,), totals[outcome])
        yield events
        yield CounterMetricFamily(
            "meterfold_records_lost",
            "Kafka records that the broker deleted before they were read.",
            value=lost.records_lost,
        )
        yield CounterMetricFamily(
            "meterfold_commands_refused", "Commands from Kafka that broke a rule.", value=lost.commands_refused
        )


def consumer_metrics(consumers: Sequence[ConsumerStatus]) -> Iterable[Metric]:
    """Lag and progress of each Kafka consumer, by topic and partition."""
    partition_labels = ("consumer", "topic", "partition")
    lag = GaugeMetricFamily("meterfold_consumer_lag_positions", "Records not yet in the log.", labels=partition_labels)
    waiting = GaugeMetricFamily(
        "meterfold_consumer_lag_seconds",
        "How long the oldest record not yet in the log has been waiting, at most.",
        labels=partition_labels,
    )
    stopped = GaugeMetricFamily(
        "meterfold_consumer_partition_stopped", "1 while a partition waits for an operator.", labels=partition_labels
    )
    reported_at = GaugeMetricFamily(
        "meterfold_consumer_told_at_seconds",
        "When a consumer last reported its status, Unix time.",
        labels=("consumer",),
    )
    records = CounterMetricFamily(
        "meterfold_consumer_records", "Records appended since the consumer was started.", labels=("consumer",)
    )
    fenced = CounterMetricFamily(
        "meterfold_consumer_appends_fenced",
        "Appends discarded because another consumer had read on (fenced).",
        labels=("consumer",),
    )
    for consumer in consumers:
        reported_at.add_metric((consumer.name,), consumer.written_at.timestamp())
        records.add_metric((consumer.name,), consumer.records)
        fenced.add_metric((consumer.name,), consumer.appends_fenced)
        for one in consumer.partitions:
            labels = (consumer.name, one.topic, str(one.partition))
            lag.add_metric(labels, one.lag_positions)
            waiting.add_metric(labels, one.lag_seconds)
            stopped.add_metric(labels, one.stopped is not None)
    return (lag, waiting, stopped, reported_at, records, fenced)
