"""The write-ahead log is checkpointed early while the fold is idle, at its bound in any case, and not over and over."""

from __future__ import annotations

import pytest

from consumers.maintenance.checkpointing import REFUSAL_PAUSE_SECONDS, Checkpointing
from tests.engine_fixtures import SettableClock

MIN, MAX = 10, 20


class Store:
    """A store with `written` bytes in its write-ahead log, which counts its checkpoints."""

    def __init__(self, written: int) -> None:
        self.written = written
        self.checkpoints = 0
        self.error: Exception | None = None

    def write_ahead_bytes(self) -> int:
        return self.written

    def checkpoint_read_store(self) -> None:
        self.checkpoints += 1
        if self.error is not None:
            raise self.error
        self.written = 0


@pytest.mark.parametrize(
    ("written", "behind", "checkpoints", "at_bound"),
    [
        (MIN - 1, False, 0, False),
        (MIN, False, 1, False),
        (MIN, True, 0, False),
        (MAX - 1, True, 0, False),
        (MAX, True, 1, True),
        (MAX, False, 1, True),
    ],
)
def test_a_checkpoint_is_early_while_the_fold_is_idle_and_certain_at_the_bound(
    written: int, behind: bool, checkpoints: int, at_bound: bool
) -> None:
    store = Store(written)
    policy = Checkpointing(store, lambda: behind, SettableClock(), MIN, MAX)
    assert (policy.checkpoint_if_large(), store.checkpoints) == (at_bound, checkpoints)
    assert (policy.checkpoint_if_large(), store.checkpoints) == (False, checkpoints)


def test_a_checkpoint_that_the_storage_refused_is_retried_after_a_pause() -> None:
    store, clock = Store(MAX), SettableClock()
    policy = Checkpointing(store, lambda: False, clock, MIN, MAX)
    store.error = OSError("No space left on device")
    tried = []
    for _ in range(2 * REFUSAL_PAUSE_SECONDS):
        policy.checkpoint_if_large()
        tried.append(store.checkpoints)
        clock.advance(seconds=1)
    assert tried == [1] * REFUSAL_PAUSE_SECONDS + [2] * REFUSAL_PAUSE_SECONDS
    store.error = None
    assert (policy.checkpoint_if_large(), store.checkpoints, store.written) == (True, 3, 0)
    store.written = MAX
    assert (policy.checkpoint_if_large(), store.checkpoints) == (True, 4)


def test_any_other_failure_is_raised() -> None:
    store = Store(MAX)
    store.error = ValueError("a fault of ours")
    with pytest.raises(ValueError, match="a fault of ours"):
        Checkpointing(store, lambda: False, SettableClock(), MIN, MAX).checkpoint_if_large()
