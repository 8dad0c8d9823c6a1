"""The measurement of current usage asks in every way that it tells of."""

from __future__ import annotations

import pytest

from bench.current_usage import AGGREGATIONS, main


def test_each_aggregation_is_asked_in_each_way(capsys: pytest.CaptureFixture[str]) -> None:
    main(300, 3, asked=2)
    lines = [line for line in capsys.readouterr().out.splitlines() if "p50, p99, longest" in line]
    shown = [tuple(line.partition("  p50")[0].strip().split(maxsplit=3)) for line in lines]
    ways = ("no events", "the first time", "again", "after each event")
    assert shown == [
        (name, "0" if way == "no events" else "300", "events", way) for name in AGGREGATIONS for way in ways
    ]
