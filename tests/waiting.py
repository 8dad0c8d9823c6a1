"""Waiting for a condition that background work brings about."""

from __future__ import annotations

import time
from collections.abc import Callable

_LOOK_SECONDS = 0.05


def eventually(condition: Callable[[], bool], seconds_max: float) -> bool:
    """Poll a condition; return whether it became true in time. It is checked once more at the end."""
    until = time.monotonic() + seconds_max
    while not condition() and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
    return condition()
