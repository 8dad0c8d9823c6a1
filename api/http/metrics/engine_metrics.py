"""Metrics of log, fold, jobs, disks and processes of an engine."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from prometheus_client import PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from consumers.engine import FoldProgress, JobRuns, Measurements, Refusals


def fold_metrics(progress: FoldProgress) -> Iterable[Metric]:
    """How far the log goes, and how far it is folded."""
    yield CounterMetricFamily(
        "meterfold_log_records", "Records appended to the log, by any process, ever.", progress.head
    )
    lag = max(0, progress.head - progress.position)
    yield GaugeMetricFamily("meterfold_log_head_position", "Last position of the log.", progress.head)
    yield GaugeMetricFamily("meterfold_folded_position", "Position up to which the log is folded.", progress.position)
    yield GaugeMetricFamily("meterfold_fold_lag_records", "Records not yet folded.", lag)
    yield GaugeMetricFamily(
        "meterfold_fold_lag_seconds", "Age of the oldest record not yet folded.", progress.behind_seconds
    )
    yield GaugeMetricFamily(
        "meterfold_fold_stopped",
        "1 while the fold has stopped because of a failure.",
        float(progress.failure is not None),
    )


def refusal_metrics(refused: Refusals) -> Iterable[Metric]:
    """What the storage refuses at present."""
    yield GaugeMetricFamily(
        "meterfold_writes_refused", "1 while the log cannot be written.", float(refused.writes is not None)
    )
    yield GaugeMetricFamily(
        "meterfold_reads_refused", "1 while the read store cannot be read.", float(refused.reads is not None)
    )


def measured_metrics(measured: Measurements) -> Iterable[Metric]:
    """What the engine counts by itself."""
    yield CounterMetricFamily("meterfold_fold_steps", "Steps of the fold that added records.", measured.fold_steps)
    yield CounterMetricFamily("meterfold_fold_failures", "Steps of the fold that failed.", measured.fold_failures)
    yield CounterMetricFamily(
        "meterfold_flushes", "Times that all that was folded went into the files of the read side.", measured.flushes
    )
    yield GaugeMetricFamily(
        "meterfold_unflushed_records",
        "Events and other records folded in memory alone; after a crash they are folded again.",
        measured.unflushed_records,
    )
    yield from _job_metrics(measured.jobs)
    if measured.intake is not None:
        yield CounterMetricFamily(
            "meterfold_intake_restarts", "Times that the intake process died.", measured.intake.restarts
        )
        yield GaugeMetricFamily(
            "meterfold_intake_requests_in_flight", "Requests waiting to be appended.", measured.intake.in_flight
        )
    if measured.verification is not None:
        yield GaugeMetricFamily(
            "meterfold_verification_timestamp_seconds",
            "When the last verification ended, Unix time.",
            measured.verification.at.timestamp(),
        )
        yield GaugeMetricFamily(
            "meterfold_verification_findings",
            "Differences that the last verification found.",
            measured.verification.findings,
        )


def _job_metrics(jobs: Iterable[JobRuns]) -> Iterable[Metric]:
    runs = CounterMetricFamily("meterfold_job_runs", "Runs of a scheduled job.", labels=("job_name",))
    failures = CounterMetricFamily(
        "meterfold_job_failures", "Runs of a scheduled job that failed.", labels=("job_name",)
    )
    for job in jobs:
        runs.add_metric((job.name,), job.runs)
        failures.add_metric((job.name,), job.failures)
    return runs, failures


def disk_metrics(data_dir: Path) -> Iterable[Metric]:
    """Room on the disks of the log and of the read store, which may be one."""
    free = GaugeMetricFamily("meterfold_disk_free_bytes", "Free space on the disk of this folder.", labels=("folder",))
    size = GaugeMetricFamily("meterfold_disk_size_bytes", "Size of the disk of this folder.", labels=("folder",))
    for name, folder in (("log", data_dir), ("read", data_dir / "read")):
        usage = shutil.disk_usage(folder)
        free.add_metric((name,), usage.free)
        size.add_metric((name,), usage.total)
    return free, size


def process_metrics(measurements: Callable[[], Measurements]) -> Iterable[Metric]:
    """CPU, memory and files of this process and of the intake process, and the Python that runs them."""
    yield from PlatformCollector(registry=None).collect()
    yield from ProcessCollector(registry=None).collect()
    intake = measurements().intake
    if intake is not None and intake.pid is not None:
        pid = intake.pid
        yield from ProcessCollector("meterfold_intake", lambda: pid, registry=None).collect()
