"""Metrics of received events by outcome, counted from the read store: they do not begin again at a restart.

What a record of the log came to is decided once, so a scrape counts the records since the last scrape and adds them to
what it has. Only the first scrape after a start counts all of them.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

import msgspec
from prometheus_client.core import CounterMetricFamily, Metric

from domain.usage.outcomes import OUTCOMES, OutcomeCounts
from projections.queries.snapshot import Snapshot
from projections.views.source_losses import partition_losses


class EventMetrics:
    """Counts events up to the last folded position. Safe to call from several threads."""

    def __init__(self, snapshot: Callable[[], AbstractContextManager[Snapshot]]) -> None:
        """`snapshot` opens a snapshot of the read store in use."""
        self._snapshot = snapshot
        self._lock = threading.Lock()
        self._forget()

    def collect(self) -> Iterable[Metric]:
        """Count what is new, and return all counts."""
        with self._lock, self._snapshot() as snapshot:
            self._catch_up(snapshot)
            lost = partition_losses(snapshot)
            totals, rejections = msgspec.structs.asdict(self._totals), dict(self._rejections)
        events = CounterMetricFamily("meterfold_events", "Events received, by outcome.", labels=("outcome",))
        for outcome in OUTCOMES:
            events.add_metric((outcome,), totals[outcome])
        rejected = CounterMetricFamily("meterfold_events_rejected", "Events rejected, by reason.", labels=("reason",))
        for reason, count in sorted(rejections.items()):
            rejected.add_metric((reason,), count)
        records_lost = CounterMetricFamily(
            "meterfold_kafka_records_lost",
            "Kafka records that the broker deleted before they were read.",
            lost.records_lost,
        )
        commands_refused = CounterMetricFamily(
            "meterfold_kafka_commands_refused", "Commands from Kafka that broke a rule.", lost.commands_refused
        )
        return events, rejected, records_lost, commands_refused

    def _forget(self) -> None:
        self._position, self._totals, self._rejections = 0, OutcomeCounts(), Counter[str]()

    def _catch_up(self, snapshot: Snapshot) -> None:
        position = snapshot.point().position
        if position < self._position:  # another read store is in use, which is not as far yet
            self._forget()
        if position > self._position:
            self._totals = self._totals.plus(_grown(snapshot.totals(self._position)))
            self._rejections.update(snapshot.rejections(self._position))
            self._position = position


def _grown(new: OutcomeCounts) -> OutcomeCounts:
    """The counts that grew: a backfill takes events from one outcome to another, and a counter never goes down."""
    return OutcomeCounts(**{name: max(count, 0) for name, count in msgspec.structs.asdict(new).items()})
