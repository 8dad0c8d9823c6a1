"""An object whose calls fail now and then."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar, cast

T = TypeVar("T")


class FailingCalls:
    """Passes every call on to `wrapped`, except the calls with these numbers, which raise `OSError` instead.

    Calls count from 0.
    """

    def __init__(self, wrapped: Any, failing: Collection[int]) -> None:
        self._wrapped = wrapped
        self._failing = failing
        self._calls = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            number = self._calls
            self._calls += 1
            if number in self._failing:
                raise OSError(f"call {number}, of {name}, fails")
            return getattr(self._wrapped, name)(*arguments)

        return call


def with_failing_calls(wrapped: T, failing: Collection[int]) -> T:
    """The same object, with `FailingCalls` around it."""
    return cast(T, FailingCalls(wrapped, failing))
