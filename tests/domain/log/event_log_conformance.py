"""The conformance suite of event logs: each function takes an empty log and is a test for any implementation."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from domain.errors import Fenced
from domain.log.records import EventLog, LogRecord, NewRecord


def record(stream: str, version: int, state: bytes = b"x") -> NewRecord:
    return NewRecord(stream, version, "topic", state)


def appended_records_are_read_back_whole_in_position_order(log: EventLog) -> None:
    assert log.append([record("a", 1, b"\x00\xff"), record("b", 1, b"")]) == [1, 2]
    assert log.append([record("a", 2, b"third")]) == [3]

    assert log.read(0, 10) == [
        LogRecord(1, "a", 1, "topic", b"\x00\xff"),
        LogRecord(2, "b", 1, "topic", b""),
        LogRecord(3, "a", 2, "topic", b"third"),
    ]


def a_read_keeps_to_its_bounds(log: EventLog) -> None:
    log.append([record("a", version) for version in range(1, 8)])

    assert [one.position for one in log.read(2, 3)] == [3, 4, 5]
    assert [one.position for one in log.read(2, 3, until=4)] == [3, 4]
    assert log.read(7, 10) == []
    assert log.read(3, 10, until=3) == []


def the_records_of_a_topic_are_read_in_position_order(log: EventLog) -> None:
    log.append([NewRecord("a", version, "even" if version % 2 == 0 else "odd", b"x") for version in range(1, 8)])

    assert [one.position for one in log.records_of_topic("odd", 0, 10)] == [1, 3, 5, 7]
    assert [one.position for one in log.records_of_topic("odd", 1, 2)] == [3, 5]
    assert log.records_of_topic("even", 5, 10) == [LogRecord(6, "a", 6, "even", b"x")]
    assert log.records_of_topic("none", 0, 10) == []


def a_stream_is_read_by_versions_without_positions(log: EventLog) -> None:
    log.append([record("a", 1), record("b", 1), record("a", 2, b"second")])

    assert log.stream("a") == [LogRecord(0, "a", 1, "topic", b"x"), LogRecord(0, "a", 2, "topic", b"second")]
    assert log.stream("a", after_version=1) == [LogRecord(0, "a", 2, "topic", b"second")]
    assert log.stream("a", limit=1) == log.stream("a")[:1]
    assert log.stream("nothing") == []


def heads_name_the_last_version_record_and_position(log: EventLog) -> None:
    assert (log.head_version("a"), log.last_record("a"), log.head_position()) == (0, None, 0)

    log.append([record("a", 1), record("a", 2, b"second"), record("b", 1)])

    assert log.head_version("a") == 2
    assert log.last_record("a") == LogRecord(0, "a", 2, "topic", b"second")
    assert log.head_position() == 3


def heads_of_many_streams_are_asked_at_once(log: EventLog) -> None:
    names = [f"stream/{number}" for number in range(1_200)]
    log.append([record(name, 1) for name in names] + [record(names[7], 2)])

    assert log.head_versions([]) == {}
    assert log.head_versions(["nothing", *names]) == dict.fromkeys(names, 1) | {names[7]: 2}


def appending_nothing_changes_nothing(log: EventLog) -> None:
    assert log.append([]) == []
    assert log.head_position() == 0


def a_taken_version_fences_the_whole_append(log: EventLog) -> None:
    log.append([record("a", 1)])

    with pytest.raises(Fenced):
        log.append([record("b", 1), record("a", 1, b"late"), record("c", 1)])

    assert log.read(0, 10) == [LogRecord(1, "a", 1, "topic", b"x")]
    assert log.append([record("b", 1)]) == [2], "a position was lost to an append that failed"


def a_gap_between_versions_fences_the_append(log: EventLog) -> None:
    log.append([record("a", 1)])

    for new in (record("a", 3), record("b", 2), record("b", 0)):
        with pytest.raises(Fenced):
            log.append([new])

    assert log.head_position() == 1


def hostile_stream_names_are_kept_apart(log: EventLog) -> None:
    names = ["a", "a/", "A", "'; DROP TABLE stored_events; --", "ä", "a\n", "%", "💸"]
    log.append([record(name, 1, name.encode()) for name in names])

    assert [log.stream(name)[0].state.decode() for name in names] == names


def threads_that_append_to_one_stream_get_each_version_once(log: EventLog) -> None:
    def append_one(number: int) -> int:
        while True:
            try:
                return log.append([record("shared", log.head_version("shared") + 1, str(number).encode())])[0]
            except Fenced:
                continue

    with ThreadPoolExecutor(16) as pool:
        positions = sorted(pool.map(append_one, range(64)))

    assert positions == list(range(1, 65))
    assert [one.version for one in log.stream("shared")] == list(range(1, 65))
    assert {one.state for one in log.stream("shared")} == {str(number).encode() for number in range(64)}


def the_change_counter_moves_with_appends_and_only_with_them(log: EventLog) -> None:
    before = log.change_counter()
    assert log.change_counter() == before

    log.append([record("a", 1)])

    after = log.change_counter()
    assert after != before
    log.read(0, 10)
    assert log.change_counter() == after


CONFORMANCE: Final[tuple[Callable[[EventLog], None], ...]] = (
    appended_records_are_read_back_whole_in_position_order,
    a_read_keeps_to_its_bounds,
    the_records_of_a_topic_are_read_in_position_order,
    a_stream_is_read_by_versions_without_positions,
    heads_name_the_last_version_record_and_position,
    heads_of_many_streams_are_asked_at_once,
    appending_nothing_changes_nothing,
    a_taken_version_fences_the_whole_append,
    a_gap_between_versions_fences_the_append,
    hostile_stream_names_are_kept_apart,
    threads_that_append_to_one_stream_get_each_version_once,
    the_change_counter_moves_with_appends_and_only_with_them,
)
