"""A client that has to be replaced again soon is replaced more slowly, and at once when it had lasted."""

from __future__ import annotations

import pytest

from consumers.kafka.consumer.process import pause_before_replacing


@pytest.mark.parametrize(
    ("lasted_seconds", "pauses"),
    [
        ([0.1] * 5, [1.0, 2.0, 4.0, 5.0, 5.0]),
        ([0.1, 0.1, 59.9, 60.0, 0.1], [1.0, 2.0, 4.0, 1.0, 2.0]),
        ([3_600.0] * 3, [1.0, 1.0, 1.0]),
    ],
)
def test_pauses_double_while_clients_do_not_last(lasted_seconds: list[float], pauses: list[float]) -> None:
    pause: float | None = None
    found = [pause := pause_before_replacing(pause, seconds) for seconds in lasted_seconds]
    assert found == pauses
