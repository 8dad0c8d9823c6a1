"""Waiting for what happens by itself, and soon."""

from __future__ import annotations

import time
from collections.abc import Callable

_LOOK_SECONDS = 0.05


def eventually(condition: Callable[[], bool], seconds_max: float) -> bool:
    """Whether the condition held at a look within the time; looked at once more at its end."""
    until = time.monotonic() + seconds_max
    while not condition() and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
    return condition()
