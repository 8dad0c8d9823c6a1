"""What is written ahead is folded early where nobody waits, within a bound where somebody does, not over and over."""

from __future__ import annotations

import pytest

from consumers.maintenance.checkpointing import AFTER_REFUSAL_SECONDS, Checkpointing
from tests.engine_fixtures import SettableClock

MIN, MAX = 10, 20


class Store:
    def __init__(self, written: int) -> None:
        self.written = written
        self.folded = 0
        self.error: Exception | None = None

    def write_ahead_bytes(self) -> int:
        return self.written

    def fold_write_ahead(self) -> None:
        self.folded += 1
        if self.error is not None:
            raise self.error
        self.written = 0


@pytest.mark.parametrize(
    ("written", "behind", "folded", "much"),
    [
        (MIN - 1, False, 0, False),
        (MIN, False, 1, False),
        (MIN, True, 0, False),
        (MAX - 1, True, 0, False),
        (MAX, True, 1, True),
        (MAX, False, 1, True),
    ],
)
def test_it_is_folded_when_nobody_waits_and_beyond_the_bound_whoever_waits(
    written: int, behind: bool, folded: int, much: bool
) -> None:
    store = Store(written)
    ahead = Checkpointing(store, lambda: behind, SettableClock(), MIN, MAX)
    assert (ahead.keep_small(), store.folded) == (much, folded)
    assert (ahead.keep_small(), store.folded) == (False, folded)


def test_after_the_storage_refused_it_waits_before_it_tries_again() -> None:
    store, clock = Store(MAX), SettableClock()
    ahead = Checkpointing(store, lambda: False, clock, MIN, MAX)
    store.error = OSError("No space left on device")
    tried = []
    for _ in range(2 * AFTER_REFUSAL_SECONDS):
        ahead.keep_small()
        tried.append(store.folded)
        clock.advance(seconds=1)
    assert tried == [1] * AFTER_REFUSAL_SECONDS + [2] * AFTER_REFUSAL_SECONDS
    store.error = None
    assert (ahead.keep_small(), store.folded, store.written) == (True, 3, 0)
    store.written = MAX
    assert (ahead.keep_small(), store.folded) == (True, 4)


def test_another_failure_is_the_callers() -> None:
    store = Store(MAX)
    store.error = ValueError("a fault of ours")
    with pytest.raises(ValueError, match="a fault of ours"):
        Checkpointing(store, lambda: False, SettableClock(), MIN, MAX).keep_small()
