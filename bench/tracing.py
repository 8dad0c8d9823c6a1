"""Timing of the engine's functions by wrappers that are put around them here, so that the engine has none itself.

A target is named `module:function` or `module:Class.method`. A function is replaced in every module that imported it.
Time is counted once: the time that a hooked function spends in another hooked one counts only for the other.
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

_ROOMS: Final = ("domain", "projections", "consumers", "api")


class StageTime(msgspec.Struct):
    """The seconds in one stage without stages inside it; `longest` is one call with them."""

    seconds: float = 0.0
    calls: int = 0
    longest: float = 0.0


class Stopwatch:
    """The times of stages by name. Several threads may be measured at the same time."""

    def __init__(self) -> None:
        self.stages: dict[str, StageTime] = {}
        self.not_found: list[str] = []
        self._local = threading.local()

    @contextmanager
    def measuring(self, stage: str) -> Iterator[None]:
        """Add the time within the context to a stage."""
        inner: list[float] = self._local.__dict__.setdefault("inner", [])
        inner.append(0.0)
        started = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - started
            spent = self.stages.setdefault(stage, StageTime())
            spent.seconds += seconds - inner.pop()
            spent.calls += 1
            spent.longest = max(spent.longest, seconds)
            if inner:
                inner[-1] += seconds

    def hook(self, stage: str, *targets: str) -> None:
        """Measure these functions as `stage`; one that does not exist is added to `not_found`."""
        for target in targets:
            found = _found(target)
            if found is None:
                self.not_found.append(target)
            else:
                owner, name, original = found
                _replace(owner, name, original, self._measured(stage, original))

    def _measured(self, stage: str, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def measured(*arguments: Any, **named: Any) -> Any:
            with self.measuring(stage):
                return original(*arguments, **named)

        return measured


class LongestCall:
    """Writes the duration of the longest call of a method to a file, for another process to read."""

    def __init__(self, target: str, path: Path) -> None:
        self._path = path
        self._longest = 0.0
        found = _found(target)
        if found is None:
            raise LookupError(f"{target} does not exist and cannot be measured")
        owner, name, original = found
        _replace(owner, name, original, self._watched(original))

    def _watched(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def watched(*arguments: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return original(*arguments, **named)
            finally:
                seconds = time.perf_counter() - started
                if seconds > self._longest:
                    self._longest = seconds
                    self._path.write_text(repr(seconds))

        return watched


def exists(target: str) -> bool:
    """Whether the engine has this function."""
    return _found(target) is not None


def _found(target: str) -> tuple[Any, str, Callable[..., Any]] | None:
    module_name, _, path = target.partition(":")
    *parents, name = path.split(".")
    try:
        owner = importlib.import_module(module_name)
        for parent in parents:
            owner = getattr(owner, parent)
        return owner, name, getattr(owner, name)
    except (ImportError, AttributeError):
        return None


def _replace(owner: Any, name: str, original: object, replacement: object) -> None:
    setattr(owner, name, replacement)
    for module in list(sys.modules.values()):
        if module.__name__.partition(".")[0] in _ROOMS:
            for imported, value in list(vars(module).items()):
                if value is original:
                    setattr(module, imported, replacement)
