"""A source of metrics that fails costs its own series, never the scrape."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from api.http.metrics.sources import SourceCollector
from tests.captured_logs import captured_logs


def test_the_others_are_read_and_the_failure_is_counted_and_logged() -> None:
    def failing() -> Iterable[Metric]:
        yield GaugeMetricFamily("half", "Of a source that fails after it.", 1)
        raise OSError("no such device")

    disable_created_metrics()  # type: ignore[no-untyped-call]  # as `Metrics` does for the whole process
    registry = CollectorRegistry()
    sources = {
        "bad": failing,
        "good": lambda: [GaugeMetricFamily("fine", "Of a source that works.", 2)],
    }
    registry.register(SourceCollector(sources))
    with captured_logs() as lines:
        texts = [generate_latest(registry).decode() for _ in range(2)]
    samples = [[line for line in text.splitlines() if not line.startswith("#")] for text in texts]
    assert samples == [
        [
            "fine 2.0",
            f'meterfold_scrape_errors_total{{source="bad"}} {scrapes}.0',
            'meterfold_scrape_errors_total{source="good"} 0.0',
        ]
        for scrapes in (1, 2)
    ]
    assert [(line["event"], line["source"], line["reason"]) for line in lines] == [
        ("metrics_source_failed", "bad", "no such device")
    ] * 2
