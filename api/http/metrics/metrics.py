"""Prometheus metrics of an application, in a registry of their own."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, disable_created_metrics
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder

from api.http.metrics.engine_metrics import (
    disk_metrics,
    fold_metrics,
    measured_metrics,
    process_metrics,
    refusal_metrics,
)
from api.http.metrics.event_metrics import EventMetrics
from api.http.metrics.kafka_metrics import consumer_metrics
from api.http.metrics.sources import SourceCollector, Sources
from consumers.bootstrap import system_clock
from consumers.engine import Engine
from consumers.kafka.consumer.status import consumers_of
from consumers.release import running_release
from domain.budgets.access_decision import AccessDecision, AccessReason

LATENCY_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ALLOWING: Final = frozenset({"ok", "new_customer"})
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNAUTHENTICATED: Final = 401


class Metrics:
    """Counts requests and what became of them. The state of the engine is read at each scrape."""

    def __init__(self, engine: Engine) -> None:
        # Without this the library adds a series `_created` beside each counter. It holds for the whole process.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = self._registry = CollectorRegistry()
        build = Info("meterfold_build", "The running release.", registry=registry)
        build.info({"version": running_release()})
        self._requests = Counter(
            "meterfold_http_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "meterfold_http_request_duration_seconds",
            "From the first byte of a request to the last of its answer.",
            ("method", "route"),
            buckets=LATENCY_SECONDS,
            registry=registry,
        )
        self._authentication_failures = Counter(
            "meterfold_authentication_failures", "Requests without a valid API key, refused.", registry=registry
        )
        self._append_failures = Counter(
            "meterfold_append_failures", "Requests refused because the log could not be written.", registry=registry
        )
        self._decisions = Counter(
            "meterfold_access_decisions",
            "Answers to whether a customer may go on.",
            ("decision", "reason"),
            registry=registry,
        )
        for reason in get_args(AccessReason):
            self._decisions.labels("allowed" if reason in ALLOWING else "refused", reason)
        registry.register(SourceCollector(_sources_of(engine)))

    def request_answered(self, method: str, route: str, status: int, seconds: float, *, identified: bool) -> None:
        """Count one request. `route` is a template such as /v1/customers/{customer_id}: series stay bounded.

        `identified`: it had a valid API key.
        """
        method = method if method in _METHODS else "OTHER"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)
        if status == _UNAUTHENTICATED and not identified:
            self._authentication_failures.inc()

    def access_decided(self, decision: AccessDecision) -> None:
        """Count an answer to whether a customer may go on."""
        self._decisions.labels("allowed" if decision.allowed else "refused", decision.reason).inc()

    def append_failed(self) -> None:
        """Count a request that was refused because the log could not be written."""
        self._append_failures.inc()

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Render all metrics in the format that the header `Accept` prefers; return them with their content type.

        That is the text format, or OpenMetrics where it is asked for.
        """
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


def _sources_of(engine: Engine) -> Sources:
    return {
        "fold": lambda: fold_metrics(engine.progress()),
        "events": EventMetrics(lambda: engine.reads.snapshot()).collect,
        "engine": lambda: measured_metrics(engine.measurements()),
        "storage": lambda: refusal_metrics(engine.refusals()),
        "disk": lambda: disk_metrics(engine.settings.data_dir),
        "kafka": lambda: _consumers_at(engine, system_clock()),
        "process": lambda: process_metrics(engine.measurements),
    }


def _consumers_at(engine: Engine, now: datetime) -> Iterable[Metric]:
    return consumer_metrics(consumers_of(engine.settings.data_dir, now), now)
