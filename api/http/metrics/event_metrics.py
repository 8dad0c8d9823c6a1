"""Metrics of events by outcome, counted from the read store: they do not begin again at a restart.

A scrape counts the records of the log since the last scrape and adds them to what it has. Only the first scrape after a
start counts all of them. The commit and the revert of a backfill take events from one outcome to another. So how many
events have an outcome is a gauge, and the counters are sums of what each record added: they follow from the log alone,
never go down, and do not depend on when somebody scraped.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from domain.usage.outcomes import OUTCOMES, OutcomeCounts
from projections.queries.snapshot import Snapshot
from projections.views.source_losses import PartitionLosses, partition_losses


class EventMetrics:
    """Counts events up to the last folded position. Safe to call from several threads."""

    def __init__(self, snapshot: Callable[[], AbstractContextManager[Snapshot]]) -> None:
        """`snapshot` opens a snapshot of the read store in use."""
        self._snapshot = snapshot
        self._lock = threading.Lock()
        self._counted_to, self._gained, self._rejections = 0, OutcomeCounts(), Counter[str]()
        self._lost = PartitionLosses(0, 0)
        self._held_at, self._held = 0, OutcomeCounts()

    def collect(self) -> Iterable[Metric]:
        """Count what is new, and return all counts."""
        with self._lock, self._snapshot() as snapshot:
            self._catch_up(snapshot)
            lost = self._lost
            gained, held = msgspec.structs.asdict(self._gained), msgspec.structs.asdict(self._held)
            rejections = dict(self._rejections)
        events = CounterMetricFamily("meterfold_events", "Events that came to an outcome.", labels=("outcome",))
        present = GaugeMetricFamily(
            "meterfold_outcome_events", "Events that have an outcome at present.", labels=("outcome",)
        )
        for outcome in OUTCOMES:
            events.add_metric((outcome,), gained[outcome])
            present.add_metric((outcome,), held[outcome])
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
        return events, present, rejected, records_lost, commands_refused

    def _catch_up(self, snapshot: Snapshot) -> None:
        position = snapshot.point().position
        if position < self._held_at:  # another read store is in use, which is not as far yet
            self._held_at, self._held = 0, OutcomeCounts()
        if position > self._held_at:
            self._held = self._held.plus(snapshot.totals(self._held_at))
            self._held_at = position
        if position < self._counted_to:  # the counters wait: one that fell would look like a restart
            return
        self._lost = partition_losses(snapshot)
        if position > self._counted_to:
            self._gained = self._gained.plus(snapshot.totals(self._counted_to, gained=True))
            self._rejections.update(snapshot.rejections(self._counted_to))
            self._counted_to = position
