"""Timing of functions counts time once and changes nothing else."""

from __future__ import annotations

import time
from pathlib import Path

from bench.tracing import LongestCall, Stopwatch

SLEPT = 0.02


def inner(answer: int) -> int:
    time.sleep(SLEPT)
    return answer


def outer(answer: int) -> int:
    time.sleep(SLEPT)
    return inner(answer)


def other() -> None:
    time.sleep(SLEPT)


def test_time_in_an_inner_stage_is_not_counted_in_the_outer_one() -> None:
    stopwatch = Stopwatch()
    stopwatch.hook("inner", f"{__name__}:inner")
    stopwatch.hook("outer", f"{__name__}:outer")
    assert globals()["outer"](3) == 3
    spent = stopwatch.stages
    assert {name: one.calls for name, one in spent.items()} == {"inner": 1, "outer": 1}
    assert spent["inner"].seconds >= SLEPT
    assert SLEPT <= spent["outer"].seconds <= spent["outer"].longest - SLEPT


def test_a_function_that_is_not_there_is_named() -> None:
    stopwatch = Stopwatch()
    stopwatch.hook("gone", "domain.usage.request_bodies:gone", "domain.gone:gone")
    assert stopwatch.not_found == ["domain.usage.request_bodies:gone", "domain.gone:gone"]


def test_the_longest_call_is_left_in_a_file(tmp_path: Path) -> None:
    LongestCall(f"{__name__}:other", tmp_path / "longest")
    globals()["other"]()
    assert float((tmp_path / "longest").read_text()) >= SLEPT
