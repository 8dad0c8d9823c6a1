"""Log messages of every level, whatever an earlier test has configured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog


@contextmanager
def captured_logs() -> Iterator[list[Any]]:
    """The messages that are logged inside, as dictionaries, with what the context adds to them."""
    configured = structlog.get_config()
    structlog.reset_defaults()
    try:
        with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
            yield lines
    finally:
        structlog.configure(**configured)
