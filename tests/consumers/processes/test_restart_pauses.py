"""A child that ends at once each time is started after pauses that double up to a bound, and the log says so."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from pathlib import Path

from consumers.processes.supervisor import RestartPauses, Supervisor, spawn
from tests.captured_logs import captured_logs
from tests.fakes.supervised_children import end_at_once, starts_in
from tests.waiting import eventually

SECONDS_MAX = 30.0
STARTS = 5


def restarted(folder: Path, pauses: RestartPauses) -> list[float]:
    """The pauses that the log announces before the first restarts."""
    with captured_logs() as logs:
        supervisor = Supervisor("worker", partial(spawn, "worker", end_at_once, folder), pauses=pauses)
        assert eventually(lambda: len(starts_in(folder)) >= STARTS, SECONDS_MAX)
        supervisor.stop(SECONDS_MAX)
    ends = [entry for entry in logs if entry["event"] == "child_ended"][: STARTS - 1]
    pids = [pid for pid, _ in starts_in(folder)][: STARTS - 1]
    assert [(one["name"], one["pid"], one["exit_code"]) for one in ends] == [("worker", pid, 3) for pid in pids]
    return [one["restart_in_seconds"] for one in ends]


def test_pauses_double_up_to_their_bound(tmp_path: Path) -> None:
    announced = [0.1, 0.2, 0.3, 0.3]
    assert restarted(tmp_path, RestartPauses(0.1, 0.3, healthy_seconds_min=60.0)) == announced
    instants = [instant for _, instant in starts_in(tmp_path)][:STARTS]
    assert all(after - before >= pause for (before, after), pause in zip(pairwise(instants), announced, strict=True))


def test_after_a_child_has_run_long_enough_the_pause_is_the_shortest_again(tmp_path: Path) -> None:
    assert restarted(tmp_path, RestartPauses(0.1, 0.3, healthy_seconds_min=0.0)) == [0.1] * 4
