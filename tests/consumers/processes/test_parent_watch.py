"""A child ends when its parent is killed, also when another process holds the pipe between them open."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from consumers.processes.parent_watch import end_with_parent
from tests.consumers.processes.running import is_running
from tests.fakes.supervised_children import starts_in
from tests.meterfold_process import ROOT
from tests.waiting import eventually

SECONDS_MAX = 20.0

PARENT = """
import os, sys, threading, time
from functools import partial
from pathlib import Path
from consumers.processes.supervisor import Supervisor, spawn
from tests.fakes.supervised_children import run_until_the_parent_ends

started = []

def start(folder):
    started.append(Supervisor("worker", partial(spawn, "worker", run_until_the_parent_ends, folder)))

if __name__ == "__main__":
    starting = threading.Thread(target=start, args=(Path(sys.argv[1]),))
    starting.start()
    starting.join()  # the thread that started the child has ended: that must not end the child
    if sys.argv[2] == "forked" and os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    time.sleep(60)
"""


@contextmanager
def parent_of_a_child(folder: Path, kind: str) -> Iterator[subprocess.Popen[bytes]]:
    script = folder / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen(
        [sys.executable, str(script), str(folder), kind],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    ) as parent:
        try:
            yield parent
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


@pytest.mark.parametrize("kind", ["alone", "forked"])
def test_a_child_ends_with_its_killed_parent(tmp_path: Path, kind: str) -> None:
    with parent_of_a_child(tmp_path, kind) as parent:
        assert eventually(lambda: bool(starts_in(tmp_path)), SECONDS_MAX)
        ((child, _),) = starts_in(tmp_path)
        assert is_running(child)
        parent.kill()
        assert eventually(lambda: not is_running(child), SECONDS_MAX)
        assert len(starts_in(tmp_path)) == 1


def test_a_process_without_a_parent_of_ours_is_refused() -> None:
    with pytest.raises(RuntimeError, match="only a child process"):
        end_with_parent()
