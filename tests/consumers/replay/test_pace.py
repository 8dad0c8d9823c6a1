"""Events pass at the rate that was asked for, and not faster to make up for a pause."""

from __future__ import annotations

import pytest

from consumers.replay.publishing import Pace


class Clock:
    """Seconds that pass only by sleeping, or when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@pytest.mark.parametrize("rate", [1, 50, 10_000, 1_000_000])
def test_so_many_events_pass_in_a_second(rate: int) -> None:
    clock = Clock()
    pace = Pace(rate, clock.monotonic, clock.sleep)
    for _ in range(2 * rate if rate <= 10_000 else 20_000):
        pace.wait()
    expected = 2.0 if rate <= 10_000 else 20_000 / rate
    assert clock.now - 100.0 == pytest.approx(expected, abs=1 / rate + 0.006)


def test_a_pause_is_not_made_up_for() -> None:
    clock = Clock()
    pace = Pace(10, clock.monotonic, clock.sleep)
    pace.wait()
    clock.now += 60
    for _ in range(10):
        pace.wait()
    assert clock.now - 160.0 == pytest.approx(1.0, abs=0.2)
