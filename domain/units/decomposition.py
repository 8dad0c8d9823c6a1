"""Decomposition of usage into leaves: what is left of each quantity without the parts that are counted by themselves.

A leaf is a sum of quantities with whole factors, which depend on the units alone. Of input tokens, cached ones and
written ones the leaf of input tokens is `input_tokens - cached_input_tokens - cache_write_tokens`. So one matrix
decomposes all requests that report the same units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import msgspec

from domain.units.registry import Unit, unit_of

#: Sets of units whose factors are kept; another one costs some microseconds.
_KEPT_SETS: Final = 1_000

#: The factor of each quantity, by unit; a unit that is not named has the factor 0.
Factors = Mapping[str, int]


class Excess(msgspec.Struct, frozen=True):
    """Parts that are more than their whole: `parts` together exceed `whole`."""

    whole: str
    parts: tuple[str, ...]


@lru_cache(_KEPT_SETS)
def leaf_factors(keys: frozenset[str]) -> Mapping[str, Factors]:
    """Return for each unit of `keys` the factors with which quantities of `keys` add up to its leaf."""
    leaves: dict[str, dict[str, int]] = {}
    for unit in _parts_first(keys):
        leaf = {unit.key: 1}
        for part in keys - {unit.key}:
            if unit_of(part).is_part_of(unit):
                for key, factor in leaves[part].items():
                    leaf[key] = leaf.get(key, 0) - factor
        leaves[unit.key] = {key: factor for key, factor in leaf.items() if factor}
    return MappingProxyType(leaves)


def excess_of(quantities: Mapping[str, int]) -> Excess | None:
    """Return the first unit whose parts exceed it, parts before wholes; None if all quantities fit together.

    `quantities` by unit, all in one scale, such as picounits.
    """
    keys = frozenset(quantities)
    for key, factors in leaf_factors(keys).items():
        if sum(quantities[name] * factor for name, factor in factors.items()) < 0:
            return Excess(key, _reported_parts(key, quantities))
    return None


def _reported_parts(whole: str, quantities: Mapping[str, int]) -> tuple[str, ...]:
    """The part that exceeds `whole` by itself, or else all parts of it that were used."""
    parts = [
        key
        for key, quantity in quantities.items()
        if key != whole and quantity > 0 and unit_of(key).is_part_of(unit_of(whole))
    ]
    alone = [key for key in parts if quantities[key] > quantities[whole]]
    return tuple(alone[:1] or parts)


def _parts_first(keys: frozenset[str]) -> Sequence[Unit]:
    return sorted((unit_of(key) for key in keys), key=lambda unit: (-len(unit.dimensions), unit.key))
