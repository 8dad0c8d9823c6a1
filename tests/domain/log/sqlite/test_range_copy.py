"""A copy of a range of a log keeps positions and streams, lacks what is left out, and goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest

from domain.errors import LogError
from domain.log.records import LogRecord, NewRecord
from domain.log.sqlite.event_log import SQLiteEventLog
from domain.log.sqlite.range_copy import COPIED_POSITIONS_MAX, copy_range

LEFT_OUT = ("usage",)


def filled(path: Path, records: int) -> list[LogRecord]:
    """A log whose odd positions are facts, and whose even ones are usage of one stream."""
    with closing(SQLiteEventLog(path)) as log:
        news = [
            NewRecord("facts", number // 2 + 1, "fact", b"f%d" % number)
            if number % 2 == 0
            else NewRecord("usage", number // 2 + 1, "usage", b"u%d" % number)
            for number in range(records)
        ]
        log.append(news)
        return log.read(0, records)


def copied(path: Path) -> list[LogRecord]:
    with closing(SQLiteEventLog(path)) as log:
        return log.read(0, 1_000_000)


def test_everything_below_the_end_is_copied_with_its_position(tmp_path: Path) -> None:
    records = filled(tmp_path / "one", 10)
    assert list(copy_range(tmp_path / "one", tmp_path / "two", 1, 8, LEFT_OUT)) == [7]
    assert copied(tmp_path / "two") == records[:7]


def test_topics_are_left_out_before_the_range_alone(tmp_path: Path) -> None:
    records = filled(tmp_path / "one", 10)
    list(copy_range(tmp_path / "one", tmp_path / "two", 5, 11, LEFT_OUT))
    kept = [one for one in records if one.position >= 5 or one.topic == "fact"]
    assert copied(tmp_path / "two") == kept
    assert [one.position for one in kept] == [1, 3, 5, 6, 7, 8, 9, 10]


def test_a_copy_that_was_stopped_goes_on_and_one_that_is_done_does_nothing(tmp_path: Path) -> None:
    many = 2 * COPIED_POSITIONS_MAX + 10
    records = filled(tmp_path / "one", many)
    stopped = copy_range(tmp_path / "one", tmp_path / "two", 1, many + 1, LEFT_OUT)
    assert next(stopped) == COPIED_POSITIONS_MAX
    assert isinstance(stopped, Generator)
    stopped.close()
    rest = list(copy_range(tmp_path / "one", tmp_path / "two", 1, many + 1, LEFT_OUT))
    assert rest == [2 * COPIED_POSITIONS_MAX, many]
    assert copied(tmp_path / "two") == records
    assert list(copy_range(tmp_path / "one", tmp_path / "two", 1, many + 1, LEFT_OUT)) == []


def test_a_source_that_is_not_there_is_no_empty_log(tmp_path: Path) -> None:
    with pytest.raises(LogError):
        list(copy_range(tmp_path / "none", tmp_path / "two", 1, 5, LEFT_OUT))
    assert not (tmp_path / "none").exists()
