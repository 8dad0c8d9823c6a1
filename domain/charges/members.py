"""Members of a JSON object, each read by a rule, with the path that an error names: `charges.0.ranges.1.to_value`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, TypeVar

from domain.errors import InvalidInput
from domain.values.money import decimals_of, unit_price

T = TypeVar("T")

#: The rule of a price, a rate or a size: not negative, below 10^15, with at most 18 decimals.
nonnegative: Final = unit_price


class Members:
    """The members of the JSON object that stands at `field`. A member that is null counts as not given."""

    def __init__(self, field: str, value: object) -> None:
        if not isinstance(value, Mapping):
            raise InvalidInput(field, "must be a JSON object")
        self.field = field
        self._given = value

    def path(self, name: str) -> str:
        """Return the path of a member."""
        return f"{self.field}.{name}"

    def check_names(self, known: Collection[str]) -> None:
        """Check that there are no members but `known` ones."""
        for name in self._given:
            if name not in known:
                raise InvalidInput(self.path(str(name)), "is not a member that can be set here", code="unknown_field")

    def required(self, name: str, rule: Callable[[Any, str], T]) -> T:
        """Read a member that must be given."""
        read = self.optional(name, rule)
        if read is None:
            raise InvalidInput(self.path(name), "is required")
        return read

    def optional(self, name: str, rule: Callable[[Any, str], T]) -> T | None:
        """Read a member that may be left out; None if it is."""
        given = self._given.get(name)
        return None if given is None else rule(given, self.path(name))


def whole_number(value: Any, field: str) -> int:
    """Read a whole number that is not negative, also one that is written as text or as 10.0."""
    number = nonnegative(value, field)
    if decimals_of(number):
        raise InvalidInput(field, "must be a whole number")
    return int(number)


def array_of(items_max: int) -> Callable[[Any, str], Sequence[Any]]:
    """Return the rule of a JSON array of 1 to `items_max` items."""

    def array(value: Any, field: str) -> Sequence[Any]:
        if not isinstance(value, list | tuple) or not 1 <= len(value) <= items_max:
            raise InvalidInput(field, f"must be an array of 1 to {items_max} items")
        return value

    return array
