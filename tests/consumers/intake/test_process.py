"""Intake in a child process: the same answers, and every way in which one of the two sides can end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from consumers.errors import IntakeFull, IntakeUnavailable
from consumers.intake.intake import IntakeOptions, IntakeReceipt
from consumers.intake.process import PART_BYTES, IntakeHealth, IntakeProcess
from domain.errors import InvalidInput, LogUnavailable
from domain.log.blocks import decode_typed
from domain.log.sqlite.event_log import SQLiteEventLog
from domain.usage.block_schema import BLOCK_EVENTS_MAX
from tests.consumers.intake.test_intake import SECONDS_MAX, receipt, request
from tests.domain.usage.usage_event_texts import text
from tests.fakes.gated_intake import gated_intake, no_intake
from tests.meterfold_process import ROOT
from tests.waiting import eventually


@contextmanager
def intake_in(folder: Path, **options: Any) -> Iterator[IntakeProcess]:
    intake = IntakeProcess(partial(gated_intake, folder), IntakeOptions(**options))
    try:
        yield intake
    finally:
        (folder / "closed").unlink(missing_ok=True)
        intake.close()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_the_child_answers_as_an_intake_in_this_process_does(tmp_path: Path) -> None:
    with intake_in(tmp_path) as intake:
        found = [intake.submit(request(text(id=f"{n}"), b"oops")) for n in range(3)]
        assert [(receipt(future).received, receipt(future).rejected) for future in found] == [(2, 1)] * 3
        positions = {position for future in found for position, _, _ in receipt(future).pieces}
        assert receipt(intake.submit(request())) == IntakeReceipt(max(positions), (), 0, 0)
    log = SQLiteEventLog(tmp_path / "log.db")
    stored = [name for record in log.read(0, 10) for name in decode_typed(record.state).column("id").to_pylist()]
    log.close()
    assert stored == ["0", None, "1", None, "2", None]


def test_a_large_body_reaches_the_child_whole_and_a_small_one_before_it(tmp_path: Path) -> None:
    lines = [text(id=f"{n}") for n in range(40 * PART_BYTES // len(text(id="0")))]
    with intake_in(tmp_path) as intake:
        receipt(intake.submit(request(text(id="started"))))
        large, small = intake.submit(request(*lines, key="one")), intake.submit(request(text(), key="other"))
        assert receipt(small).position < receipt(large).pieces[0].position
        assert (receipt(large).received, receipt(large).rejected) == (len(lines), 0)


def test_errors_come_back_as_what_they_are(tmp_path: Path) -> None:
    with intake_in(tmp_path) as intake:
        with pytest.raises(InvalidInput) as refused_here:
            intake.submit(request(text(), content_type="text/csv"))
        too_large = intake.submit(request(*[b"1"] * (BLOCK_EVENTS_MAX + 1), group="g", atomic=True))
        refused_there = too_large.exception(SECONDS_MAX)
        (tmp_path / "full").touch()
        unavailable = intake.submit(request(text())).exception(SECONDS_MAX)
        (tmp_path / "full").unlink()
        assert receipt(intake.submit(request(text()))).position == 1
    assert refused_here.value.field == "Content-Type"
    assert isinstance(refused_there, InvalidInput)
    assert (refused_there.field, refused_there.code) == ("body", "batch_too_large")
    assert isinstance(unavailable, LogUnavailable)
    assert str(unavailable) == "the disk is full"


def test_what_is_in_flight_is_bounded(tmp_path: Path) -> None:
    size = len(text())
    (tmp_path / "closed").touch()
    with intake_in(tmp_path, pending_requests_max=3, pending_bytes_max=3 * size) as intake:
        taken = [intake.submit(request(text())), intake.submit(request(text()))]
        with pytest.raises(IntakeFull, match="bytes are waiting"):
            intake.submit(request(text(), text()))
        taken.append(intake.submit(request(b"")))
        with pytest.raises(IntakeFull, match="3 requests are waiting"):
            intake.submit(request(b""))
        with pytest.raises(InvalidInput, match="body"):
            intake.submit(request(*[text()] * 4))
        (tmp_path / "closed").unlink()
        assert [receipt(future).received for future in taken] == [1, 1, 0]
        assert receipt(intake.submit(request(text(), text()[:-10]))).received == 2


def test_a_killed_child_fails_what_was_in_flight_and_is_replaced(tmp_path: Path) -> None:
    with intake_in(tmp_path) as intake:
        receipt(intake.submit(request(text(id="before"))))
        (tmp_path / "closed").touch()
        in_flight = [intake.submit(request(text(id=f"{n}"))) for n in range(3)]
        killed = intake.health().pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        assert [type(future.exception(SECONDS_MAX)) for future in in_flight] == [IntakeUnavailable] * 3
        (tmp_path / "closed").unlink()
        assert eventually(lambda: intake.health().restarts == 1, SECONDS_MAX)
        assert receipt(intake.submit(request(text(id="after")))).position == 2
        assert intake.health() == IntakeHealth(intake.health().pid, 1, 0)
        assert intake.health().pid not in (None, killed)


class DyingOnce:
    """A factory that cannot be handed to the first child, as when that is killed while it is being started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handed_over = 0

    def __reduce__(self) -> tuple[Any, ...]:
        self._handed_over += 1
        if self._handed_over == 1:
            raise BrokenPipeError
        return partial, (gated_intake, self._folder)

    def __call__(self) -> Any:
        raise AssertionError("only its replacement is called, in the child")


def test_a_first_child_that_dies_while_it_is_started_is_replaced(tmp_path: Path) -> None:
    intake = IntakeProcess(DyingOnce(tmp_path), IntakeOptions())
    try:
        assert receipt(intake.submit(request(text()))).received == 1
    finally:
        intake.close()


def test_a_child_killed_in_its_very_first_start_is_replaced_and_no_later_request_is_lost(tmp_path: Path) -> None:
    with intake_in(tmp_path) as intake:
        killed = intake.health().pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        assert eventually(lambda: intake.health().pid != killed, SECONDS_MAX)
        assert receipt(intake.submit(request(text()))).received == 1  # waits for the next child, if that is not there
        assert intake.health().restarts == 1


def test_a_child_that_cannot_start_is_tried_again_until_intake_closes(tmp_path: Path) -> None:
    intake = IntakeProcess(partial(no_intake, tmp_path), IntakeOptions())
    waiting = intake.submit(request(text()))
    assert isinstance(waiting.exception(SECONDS_MAX), IntakeUnavailable)
    assert eventually(lambda: len((tmp_path / "tries").read_text()) >= 2, SECONDS_MAX)
    intake.close()
    with pytest.raises(IntakeUnavailable):
        intake.submit(request(text()))


def test_closing_finishes_what_was_submitted_and_ends_the_child(tmp_path: Path) -> None:
    with intake_in(tmp_path) as intake:
        child = intake.health().pid
        futures = [intake.submit(request(text(id=f"{n}"))) for n in range(20)]
    assert [future.result(0).received for future in futures] == [1] * 20
    assert child is not None
    assert not is_running(child)
    assert intake.health() == IntakeHealth(None, 0, 0)
    intake.close()  # a second time does nothing


PARENT = """
import os, sys, time
from functools import partial
from pathlib import Path
from consumers.intake.options import IntakeOptions
from consumers.intake.process import IntakeProcess
from consumers.intake.requests import IntakeRequest
from domain.scope import DEFAULT_SCOPE
from tests.fakes.gated_intake import gated_intake

if __name__ == "__main__":
    intake = IntakeProcess(partial(gated_intake, Path(sys.argv[1])), IntakeOptions())
    intake.submit(IntakeRequest(DEFAULT_SCOPE, "application/x-ndjson", b"oops")).result(20)
    if os.fork() == 0:  # holds the pipe open after its parent is gone
        time.sleep(20)
        os._exit(0)
    print(intake.health().pid, flush=True)
    time.sleep(20)
"""


def test_the_child_ends_when_its_parent_is_killed_even_if_another_process_holds_the_pipe(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE, env=environment, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_running(child)
        parent.kill()
        ended = eventually(lambda: not is_running(child), SECONDS_MAX)
        os.killpg(parent.pid, signal.SIGKILL)  # the process that held the pipe
    assert ended
