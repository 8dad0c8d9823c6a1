"""A child that was killed is started again, whenever that was, and the state of the child says so."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from consumers.processes.supervisor import ChildState, Supervisor, spawn
from tests.fakes.supervised_children import run_until_ended, starts_in
from tests.waiting import eventually

SECONDS_MAX = 20.0


@contextmanager
def supervised(start: Callable[[], BaseProcess]) -> Iterator[Supervisor]:
    supervisor = Supervisor("worker", start)
    try:
        yield supervisor
    finally:
        supervisor.stop(SECONDS_MAX)


def test_a_running_child_that_is_killed_comes_back_and_the_state_says_so(tmp_path: Path) -> None:
    with supervised(partial(spawn, "worker", run_until_ended, tmp_path)) as supervisor:
        first = supervisor.state()
        assert first == ChildState("worker", first.pid, 0, None)
        assert eventually(lambda: len(starts_in(tmp_path)) == 1, SECONDS_MAX)
        assert starts_in(tmp_path)[0][0] == first.pid
        os.kill(starts_in(tmp_path)[0][0], signal.SIGKILL)
        assert eventually(lambda: len(starts_in(tmp_path)) == 2, SECONDS_MAX)
        assert supervisor.state() == ChildState("worker", starts_in(tmp_path)[1][0], 1, -signal.SIGKILL)
    assert supervisor.state() == ChildState("worker", None, 1, -signal.SIGTERM)


class FailingFirst:
    """Starts of a child of which the first one fails: by a child that is dead at once, or by an error."""

    def __init__(self, folder: Path, error: OSError | None) -> None:
        self._folder = folder
        self._error = error
        self.starts = 0

    def __call__(self) -> BaseProcess:
        self.starts += 1
        if self.starts == 1 and self._error is not None:
            raise self._error
        process = spawn("worker", run_until_ended, self._folder)
        if self.starts == 1 and process.pid is not None:
            os.kill(process.pid, signal.SIGKILL)  # long before its interpreter runs
        return process


@pytest.mark.parametrize("error", [None, BrokenPipeError("it was killed before it was told what to run")])
def test_a_child_killed_in_its_very_first_start_comes_back(tmp_path: Path, error: OSError | None) -> None:
    start = FailingFirst(tmp_path, error)
    with supervised(start) as supervisor:
        assert eventually(lambda: len(starts_in(tmp_path)) == 1, SECONDS_MAX)
        exit_code = None if error else -signal.SIGKILL
        assert supervisor.state() == ChildState("worker", starts_in(tmp_path)[0][0], 1, exit_code)
    assert start.starts == 2
