"""Metrics that are read when they are scraped, each source by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import structlog
from prometheus_client import Counter
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

_logger = structlog.get_logger("meterfold.metrics")

#: What to read, by the name of the source.
Sources = Mapping[str, Callable[[], Iterable[Metric]]]


class SourceCollector(Collector):
    """Reads its sources one after the other. The series of one that fails are left out of that scrape, and counted."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._errors = Counter(
            "meterfold_scrape_errors", "Sources of metrics that could not be read.", ("source",), registry=None
        )
        for name in sources:
            self._errors.labels(name)

    def describe(self) -> Iterable[Metric]:
        """Describe nothing, as registering must not read a source."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics of every source that can be read."""
        for name, read in self._sources.items():
            try:
                found = list(read())
            except Exception as error:  # whatever it is, the other metrics tell the operator about it
                self._errors.labels(name).inc()
                _logger.warning("metrics_source_failed", source=name, reason=str(error), exc_info=error)
            else:
                yield from found
        yield from self._errors.collect()
