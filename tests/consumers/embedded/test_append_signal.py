"""The fold is woken by appends of this process and of others; a signal that cannot be given costs nothing."""

from __future__ import annotations

import os
import stat
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

import pytest

from consumers.embedded.append_signal import FILE_NAME, AppendSignal, signal_append
from domain.api_keys.commands import IssueApiKey
from domain.event import Provenance
from domain.scope import DEFAULT_SCOPE
from tests.engine_fixtures import SettableClock, engine_on
from tests.fakes.appending_process import append_and_measure

SECONDS_MAX = 20.0
POLL_SECONDS = 60.0
READABLE_SECONDS_MAX = 1.0
APPENDS = 7
MORE_THAN_A_FIFO_HOLDS = 70_000


def test_a_signal_of_this_process_or_another_wakes_once_however_often_it_was_given(tmp_path: Path) -> None:
    signal = AppendSignal(tmp_path)
    assert not signal.wait(0)
    signal.notify()
    signal.notify()
    signal_append(tmp_path)
    assert signal.wait(SECONDS_MAX)
    assert not signal.wait(0)
    with ProcessPoolExecutor(1, get_context("spawn")) as other:
        other.submit(signal_append, tmp_path).result()
    assert signal.wait(SECONDS_MAX)
    signal.close()


def test_a_program_that_reads_the_fifo_takes_no_signal_away(tmp_path: Path) -> None:
    signal = AppendSignal(tmp_path)
    reader = os.open(tmp_path / FILE_NAME, os.O_RDONLY | os.O_NONBLOCK)
    with ThreadPoolExecutor(1) as thread:
        for _ in range(200):
            waiting = thread.submit(signal.wait, SECONDS_MAX)
            signal.notify()
            with suppress(BlockingIOError):
                os.read(reader, 1)
            if not waiting.done():
                signal.notify()  # read before the thread waited
            assert waiting.result()
    os.close(reader)
    signal.close()


def test_signals_that_nobody_takes_never_block(tmp_path: Path) -> None:
    signal = AppendSignal(tmp_path)
    for _ in range(MORE_THAN_A_FIFO_HOLDS):
        signal.notify()
    signal_append(tmp_path)
    assert signal.wait(SECONDS_MAX)
    signal.close()


def test_without_an_engine_signalling_does_nothing_and_an_engine_leaves_nothing_behind(tmp_path: Path) -> None:
    signal_append(tmp_path)
    signal = AppendSignal(tmp_path)
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    signal.close()
    signal.notify()
    signal_append(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [os.mkfifo, Path.touch])
def test_what_a_killed_engine_or_a_backup_left_is_replaced(tmp_path: Path, make: object) -> None:
    assert callable(make)
    make(tmp_path / FILE_NAME)
    signal_append(tmp_path)  # nobody reads
    signal = AppendSignal(tmp_path)
    signal_append(tmp_path)
    assert signal.wait(SECONDS_MAX)
    signal.close()


def test_where_no_fifo_can_be_made_own_appends_still_wake(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    signal = AppendSignal(tmp_path)
    signal_append(tmp_path)
    assert not signal.wait(0)
    signal.notify()
    assert signal.wait(SECONDS_MAX)
    signal.close()
    assert (tmp_path / FILE_NAME).is_dir()


def test_what_another_process_appends_is_readable_long_before_the_next_poll(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with (
        engine_on(folder, SettableClock(), event_log_poll_seconds=POLL_SECONDS) as engine,
        ProcessPoolExecutor(1, get_context("spawn")) as other,
    ):
        before = engine.folded_position()
        seconds = other.submit(append_and_measure, folder, 0, APPENDS, SECONDS_MAX).result()
        assert engine.folded_position() == before + APPENDS
    # Each was woken for; how soon is judged by the one in the middle, as other work may take the processor for a while.
    assert max(seconds) < SECONDS_MAX
    assert sorted(seconds)[APPENDS // 2] < READABLE_SECONDS_MAX


def test_an_engine_that_was_started_again_is_woken_by_a_process_that_ran_before_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with ProcessPoolExecutor(1, get_context("spawn")) as other:
        for run in range(2):
            with engine_on(folder, SettableClock(), event_log_poll_seconds=POLL_SECONDS):
                (seconds,) = other.submit(append_and_measure, folder, run, 1, SECONDS_MAX).result()
                assert seconds < SECONDS_MAX


def test_what_the_engine_itself_appends_is_folded_though_nobody_waits_for_it(tmp_path: Path) -> None:
    with engine_on(tmp_path / "data", SettableClock(), event_log_poll_seconds=POLL_SECONDS) as engine:
        issued = engine.commands.handle(IssueApiKey(DEFAULT_SCOPE, Provenance("test"), ("admin",)))
        assert issued.position is not None
        begun = time.monotonic()
        while engine.folded_position() < issued.position:
            assert time.monotonic() - begun < SECONDS_MAX
            time.sleep(0.01)


def test_without_a_signal_the_poll_finds_what_was_appended(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / FILE_NAME).mkdir()
    with (
        engine_on(folder, SettableClock(), event_log_poll_seconds=0.05),
        ProcessPoolExecutor(1, get_context("spawn")) as other,
    ):
        (seconds,) = other.submit(append_and_measure, folder, 0, 1, SECONDS_MAX).result()
    assert seconds < SECONDS_MAX
