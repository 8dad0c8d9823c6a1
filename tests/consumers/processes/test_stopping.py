"""A child is stopped in bounded time, whatever it does, and none is started after it."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from consumers.processes.supervisor import ChildState, RestartPauses, Supervisor, spawn, stop_all
from tests.consumers.processes.running import is_running
from tests.fakes.supervised_children import end_at_once, refuse_to_end, run_until_ended, starts_in
from tests.waiting import eventually

SECONDS_MAX = 20.0


def test_a_child_is_stopped_while_it_starts(tmp_path: Path) -> None:
    supervisor = Supervisor("worker", partial(spawn, "worker", run_until_ended, tmp_path))
    child = supervisor.state().pid
    assert child is not None
    supervisor.stop(SECONDS_MAX)
    assert not is_running(child)
    assert starts_in(tmp_path) == []
    assert supervisor.state().restarts == 0


def test_a_child_that_refuses_to_end_is_killed(tmp_path: Path) -> None:
    supervisor = Supervisor("worker", partial(spawn, "worker", refuse_to_end, tmp_path))
    assert eventually(lambda: len(starts_in(tmp_path)) == 1, SECONDS_MAX)
    supervisor.stop(0.2)
    assert supervisor.state() == ChildState("worker", None, 0, -9)
    supervisor.stop(0.2)  # a second time does nothing


def test_stopping_during_a_pause_starts_nothing(tmp_path: Path) -> None:
    pauses = RestartPauses(seconds_min=SECONDS_MAX, seconds_max=SECONDS_MAX)
    supervisor = Supervisor("worker", partial(spawn, "worker", end_at_once, tmp_path), pauses=pauses)
    assert eventually(lambda: supervisor.state().exit_code == 3, SECONDS_MAX)
    begun = time.monotonic()
    supervisor.stop(SECONDS_MAX)
    assert time.monotonic() - begun < SECONDS_MAX / 2
    assert (supervisor.state(), len(starts_in(tmp_path))) == (ChildState("worker", None, 0, 3), 1)


def test_several_children_share_one_bound(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    supervisors = [
        Supervisor(folder.name, partial(spawn, folder.name, refuse_to_end, folder), lambda process: process.join())
        for folder in folders
    ]
    assert eventually(lambda: all(starts_in(folder) for folder in folders), SECONDS_MAX)
    begun = time.monotonic()
    stop_all(supervisors, 2.0)
    assert time.monotonic() - begun < 4.0
    assert [one.state() for one in supervisors] == [ChildState(name, None, 0, -9) for name in "abc"]
