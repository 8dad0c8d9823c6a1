"""Decisions of a consumer, tested without a broker: where to resume, when to append, when to pause, what to report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from consumers.kafka.appending.batches import PartitionSource
from consumers.kafka.consumer.assigned_partition import AssignedPartition
from consumers.kafka.consumer.backpressure import Backpressure
from consumers.kafka.consumer.resume_offsets import BrokerTruncated, OffsetGap, ResumeAt, resume_point
from consumers.kafka.consumer.status import (
    KEPT_SECONDS,
    ConsumerStatus,
    PartitionStatus,
    StatusFile,
    checked_name,
    consumers_of,
)
from consumers.kafka.reading.reader import OffsetBounds
from consumers.kafka.records.record_runs import RecordRun, RunBounds
from domain.errors import InvalidInput

SOURCE = PartitionSource("cluster", "topic-id", "usage", 0)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
BOUNDS = RunBounds(records_max=3, value_bytes_max=1_000)


def run_of(first: int, *values: bytes) -> RecordRun:
    count = len(values)
    offsets = list(range(first, first + count))
    sizes = sum(map(len, values))
    return RecordRun(first, first + count, offsets, [1_000] * count, [None] * count, list(values), None, sizes)


def reading(offset: int = 0) -> AssignedPartition:
    state = AssignedPartition("usage", 0)
    state.start(SOURCE, offset)
    return state


def test_reading_starts_where_the_log_says_and_else_at_the_earliest() -> None:
    bounds = OffsetBounds(10, 50)
    assert resume_point(None, bounds) == ResumeAt(10)
    assert resume_point(10, bounds) == ResumeAt(10)
    assert resume_point(50, bounds) == ResumeAt(50)
    assert resume_point(9, bounds) == OffsetGap(9, 10)
    assert resume_point(51, bounds) == BrokerTruncated(51, 50)


def test_records_that_a_broker_lost_are_detected_though_it_has_others_at_their_offsets() -> None:
    bounds = OffsetBounds(10, 50)
    assert resume_point(40, bounds, epoch_end=40) == ResumeAt(40)
    assert resume_point(40, bounds, epoch_end=50) == ResumeAt(40)
    assert resume_point(40, bounds, epoch_end=39) == BrokerTruncated(40, 39)
    assert resume_point(None, bounds, epoch_end=None) == ResumeAt(10)
    assert resume_point(9, bounds, epoch_end=12) == OffsetGap(9, 10)


def test_an_open_run_is_due_when_it_is_old_large_or_long() -> None:
    state = reading()
    assert state.due_in(0.0, BOUNDS, 0.5) is None
    assert state.take(run_of(0, b"a"), 10.0)
    assert state.due_in(10.2, BOUNDS, 0.5) == pytest.approx(0.3)
    assert state.due_in(10.5, BOUNDS, 0.5) == pytest.approx(0.0)
    assert state.take(run_of(1, b"b", b"c"), 10.1)
    assert state.due_in(10.1, BOUNDS, 0.5) == 0.0
    large = reading()
    assert large.take(run_of(0, b"x" * 1_000), 10.0)
    assert large.due_in(10.0, BOUNDS, 0.5) == 0.0


def test_a_run_that_does_not_follow_is_not_taken() -> None:
    state = reading(5)
    assert not state.take(run_of(4, b"a"), 0.0)
    assert not state.take(run_of(6, b"a"), 0.0)
    assert state.take(run_of(5, b"a"), 0.0)
    assert not state.take(run_of(5, b"a"), 0.0)
    assert state.open_run == run_of(5, b"a")


def test_lag_is_reported_in_positions_and_seconds() -> None:
    state = reading(5)
    state.end_offset = 5
    assert state.status(1_000, False) == PartitionStatus("usage", 0, 5, 5, 0, 0.0, False, None)
    state.end_offset = 9
    assert state.status(3_500, False) == PartitionStatus("usage", 0, 5, 9, 4, 2.5, False, None)
    assert state.take(run_of(5, b"a", b"b"), 0.0)
    state.appended(run_of(5, b"a", b"b"))
    assert state.status(4_000, True) == PartitionStatus("usage", 0, 7, 9, 2, 3.0, True, None)


class Fold:
    """An owner's fold, with a clock that stands still."""

    def __init__(self) -> None:
        self.now = 0.0
        self.position: int | None = 0
        self.owned = True
        self.backpressure = Backpressure(lambda: self.position, lambda: self.owned, 1.0, lambda: self.now)


def test_a_consumer_pauses_while_its_oldest_append_is_not_folded_in_time() -> None:
    fold = Fold()
    fold.backpressure.appended(10)
    fold.now = 0.9
    fold.backpressure.appended(11)
    assert not fold.backpressure.is_too_high()
    fold.now = 1.5
    assert fold.backpressure.is_too_high()
    assert fold.backpressure.lag_seconds() == pytest.approx(1.5)
    fold.position = 10
    assert not fold.backpressure.is_too_high()
    assert fold.backpressure.lag_seconds() == pytest.approx(0.6)
    fold.position = 11
    assert fold.backpressure.lag_seconds() == 0.0


def test_nobody_waits_for_a_fold_without_an_owner() -> None:
    fold = Fold()
    fold.owned, fold.position = False, None
    fold.backpressure.appended(10)
    fold.now = 100.0
    assert not fold.backpressure.is_too_high()
    fold.owned = True
    assert not fold.backpressure.is_too_high(), "what was appended without an owner holds nobody up later"


def test_consumers_are_known_by_their_files_until_these_are_old(tmp_path: Path) -> None:
    status = ConsumerStatus("c1", 7, NOON, (PartitionStatus("usage", 0, 5, 9, 4, 2.5, False, "why"),), records=3)
    file = StatusFile(tmp_path, "c1")
    file.write(status)
    StatusFile(tmp_path, "c0").write(ConsumerStatus("c0", 8, NOON))
    (tmp_path / "consumers" / "spoilt.json").write_text("{")
    assert consumers_of(tmp_path, NOON) == [ConsumerStatus("c0", 8, NOON), status]
    assert [one.is_stale(NOON + timedelta(seconds=16)) for one in consumers_of(tmp_path, NOON)] == [True, True]
    assert consumers_of(tmp_path, NOON + timedelta(seconds=KEPT_SECONDS + 1)) == []
    file.close()
    file.close()
    assert [one.name for one in consumers_of(tmp_path, NOON)] == ["c0"]


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 65, "a b"])
def test_a_name_that_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        checked_name(name)


def test_a_run_without_records_advances_the_offset() -> None:
    state = reading(10)
    assert state.take(RecordRun(10, 5_000, [], [], [], [], None, 0), 0.0)
    assert state.next_offset == 5_000
