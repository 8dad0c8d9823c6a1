"""A single event is answered soon beside a client that sends worst-case bodies without pause."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.fairness import SECONDS_MAX, FairnessRun, measure


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["zeros", "duplicates", "conflicts"])
def test_single_events_are_answered_in_time_beside_large_bodies(tmp_path: Path, kind: str) -> None:
    alone, beside = measure(FairnessRun(str(tmp_path / "data"), 1.0, 100, 7, (kind,), (1,)))
    assert (alone.neighbours, beside.neighbours, beside.kind) == (0, 1, kind)
    assert beside.answers["200"] >= 1
    assert {name for name in beside.answers if name.startswith("single")} == {"single 200"}
    assert beside.p99 < max(SECONDS_MAX, 5 * alone.p99)
