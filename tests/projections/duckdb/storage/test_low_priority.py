"""Work at low priority runs in a thread of its own and reports its result or error to the caller."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from projections.duckdb.storage.low_priority import NICE, at_low_priority


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a niceness of their own on Linux only")
def test_work_gives_way_and_its_caller_does_not() -> None:
    usual = niceness()
    assert (at_low_priority(niceness), niceness()) == (max(usual, NICE), usual)


def test_each_call_has_a_thread_of_its_own_that_has_ended_when_it_returns() -> None:
    threads = [at_low_priority(threading.current_thread) for _ in range(2)]
    assert threads[0] is not threads[1]
    assert [thread.is_alive() for thread in threads] == [False, False]


def test_what_work_raises_is_raised_to_its_caller() -> None:
    def refuse() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        at_low_priority(refuse)
