"""Shapes of events that producers repeat, learned as classes, so that a decoder fills slots instead of dictionaries.

A shape knows the attributes and members of data that have columns, and others that were seen in the same
run of events. An event that names nothing else fits the shape. An object of the shape is written as JSON with the
members that were sent, nulls included, in sorted order: the same text as a dictionary of them has in canonical form.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import UNSET

from domain.canonical_form import CORE_ATTRIBUTES
from domain.usage_rows import COMMON_MEMBERS, REQUEST_MEMBERS

#: So many extra names of attributes, and of members of data, a shape can know.
EXTRA_NAMES_MAX: Final = 64
#: So many shapes are remembered between runs.
SHAPES_MAX: Final = 32
#: In an event it is an error, unless it is null, which takes a closer look.
_NEVER_LEARNED: Final = "data_base64"
DATA_MEMBERS: Final = COMMON_MEMBERS + REQUEST_MEMBERS


class Shape:
    """Classes for events with these extra attributes and extra members of data, and the columns of their objects."""

    def __init__(self, attributes: tuple[str, ...], members: tuple[str, ...]) -> None:
        self.attributes = attributes
        self.members = members
        self.data_fields = _in_order(DATA_MEMBERS, members)
        self.data_class = _class_of(self.data_fields, {})
        self.event_fields = _in_order(CORE_ATTRIBUTES, attributes)
        self.event_class = _class_of(self.event_fields, {"data": self.data_class | None})
        self.extra_class = _class_of({name: f"extra_{place}" for place, name in enumerate(members)}, {})
        self.no_data: msgspec.Struct = self.data_class()


def widened(shape: Shape, attributes: Iterable[str], members: Iterable[str]) -> Shape:
    """A shape that knows these names too, as far as there is room for them."""
    wider = _with(shape.attributes, attributes, CORE_ATTRIBUTES), _with(shape.members, members, DATA_MEMBERS)
    return shape_of(*wider)


@lru_cache(SHAPES_MAX)
def shape_of(attributes: tuple[str, ...] = (), members: tuple[str, ...] = ()) -> Shape:
    """The shape that knows these extra names; they are distinct, `learnable`, and have no columns."""
    return Shape(attributes, members)


def learnable(name: str) -> bool:
    """Whether a shape can know this name: it must stand in JSON as it is."""
    return name != _NEVER_LEARNED and name.isprintable() and '"' not in name and "\\" not in name


def _with(known: tuple[str, ...], names: Iterable[str], fixed: tuple[str, ...]) -> tuple[str, ...]:
    new = [name for name in dict.fromkeys(names) if name not in known and name not in fixed and learnable(name)]
    return (known + tuple(new))[:EXTRA_NAMES_MAX]


def _in_order(fixed: tuple[str, ...], extra: tuple[str, ...]) -> dict[str, str]:
    """The field for each name, sorted by name, as canonical form sorts them."""
    fields = dict(zip(fixed, fixed, strict=True)) | {name: f"extra_{place}" for place, name in enumerate(extra)}
    return dict(sorted(fields.items()))


def _class_of(fields: dict[str, str], types: dict[str, Any]) -> type[msgspec.Struct]:
    return msgspec.defstruct(
        "Sent",
        [(field, types.get(name, Any), UNSET) for name, field in fields.items()],
        rename={field: name for name, field in fields.items()},
        forbid_unknown_fields=True,
        gc=False,  # what is read from JSON has no cycles
    )
