"""Coverage of priced units: a part is priced beside its wholes, and what is in two priced units has a price too.

Without its whole the rest of it would have no price; without what they share, that would be charged twice. The price
library asks the same of its own prices.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from types import MappingProxyType
from typing import Final

import msgspec

from domain.units.registry import UNITS, Unit


class Uncovered(msgspec.Struct, frozen=True):
    """Units that need the prices of others: a part that of its wholes, two that overlap that of what they share."""

    units: tuple[str, ...]
    needed: tuple[str, ...]


def uncovered(priced: frozenset[str]) -> Uncovered | None:
    """Return the first units of `priced` that need another price; None if there are none.

    An operator's own unit is part of nothing and shares nothing.
    """
    for key in sorted(priced & _WHOLES.keys()):
        if missing := _WHOLES[key] - priced:
            return Uncovered((key,), tuple(sorted(missing)))
    for pair, shared in _SHARED.items():
        if shared not in priced and priced.issuperset(pair):
            return Uncovered(pair, (shared,))
    return None


def _overlap(one: Unit, other: Unit) -> bool:
    """Whether a quantity may be one of both units, neither of which is a part of the other."""
    of_one = dict(one.dimensions)
    return (
        all(of_one.get(name, value) == value for name, value in other.dimensions)
        and not one.is_part_of(other)
        and not other.is_part_of(one)
    )


_BY_DIMENSIONS: Final = {unit.dimensions: unit.key for unit in UNITS.values()}
#: The units that each unit is a part of.
_WHOLES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        unit.key: frozenset(whole.key for whole in UNITS.values() if unit.is_part_of(whole)) - {unit.key}
        for unit in UNITS.values()
    }
)
#: The unit of what two units share. The registry has one for every two that overlap.
_SHARED: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        (one.key, other.key): _BY_DIMENSIONS[one.dimensions | other.dimensions]
        for one, other in combinations(sorted(UNITS.values(), key=lambda unit: unit.key), 2)
        if _overlap(one, other)
    }
)
