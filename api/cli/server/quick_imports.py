"""The import of the engine, which a start waits for."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import many modules without a look for garbage between them.

    Modules make some hundred thousand objects that stay, and nearly no garbage: looking through them again and again
    takes a quarter of the time of the import.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
