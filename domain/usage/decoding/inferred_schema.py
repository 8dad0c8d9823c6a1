"""Shapes of events that producers repeat, learned as classes, so that a decoder fills slots instead of dictionaries.

A shape knows names of attributes of events, and of members of their data. An event that names nothing else, and all
that is always there, fits it. An object of the shape is written as JSON with the members that were sent, nulls
included, in sorted order, as canonical form writes a dictionary of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET

from domain.usage.canonical_form import CORE_ATTRIBUTES
from domain.usage.decoding.single_event import COMMON_MEMBERS, REQUEST_MEMBERS
from domain.values.json_numbers import is_canonical

#: So many names of attributes, and of members of data, a shape can know.
NAMES_MAX: Final = 64
#: In an event it is an error, unless it is null, which takes a closer look.
_NEVER_LEARNED: Final = "data_base64"
DATA_MEMBERS: Final = COMMON_MEMBERS + REQUEST_MEMBERS
Names = frozenset[str]


class ObjectNames(msgspec.Struct, frozen=True):
    """Names in objects of one kind: those of all of them, and those that each of them has."""

    known: Names = frozenset()
    always: Names = frozenset()

    def fit(self, sent: Names) -> bool:
        """Whether an object with these names has nothing unknown, and all that is always there."""
        return self.always <= sent <= self.known


class SchemaNames(msgspec.Struct, frozen=True):
    """What a shape is made from; equal ones make equal shapes."""

    attributes: ObjectNames
    members: ObjectNames

    def fit(self, attributes: Names, members: Names | None) -> bool:
        """Whether an event with these attributes and members of data, None without data, fits the shape."""
        return self.attributes.fit(attributes) and (members is None or self.members.fit(members))


class InferredSchema:
    """Classes for events with these names, which are `learnable`, and the columns of their objects."""

    def __init__(self, names: SchemaNames) -> None:
        self.names = names
        self.event_names = sorted(names.attributes.known.union(CORE_ATTRIBUTES))
        self.data_names = sorted(names.members.known)
        self.extensions = [name for name in self.event_names if name not in CORE_ATTRIBUTES]
        self.properties = [name for name in self.data_names if name not in DATA_MEMBERS]
        self.properties_of_others = [name for name in self.data_names if name not in COMMON_MEMBERS]
        data_class = _class_of(self.data_names, names.members.always, {})
        event_class = _class_of(self.event_names, names.attributes.always, {"data": data_class | None})
        self.property_class = _class_of(self.properties, frozenset(), {}, kw_only=False)
        self.class_of_others = _class_of(self.properties_of_others, frozenset(), {}, kw_only=False)
        self.no_data: msgspec.Struct = data_class(**dict.fromkeys(data_class.__struct_fields__, UNSET))
        self.decode = msgspec.json.Decoder(event_class, float_hook=_canonical_number).decode


def learnable(name: str) -> bool:
    """Whether a shape can know this name: it must stand in JSON as it is."""
    return name != _NEVER_LEARNED and name.isprintable() and '"' not in name and "\\" not in name


def _canonical_number(text: str) -> msgspec.Raw:
    """Events that spell a number in another way do not fit: their canonical form takes a closer look."""
    if not is_canonical(text):
        raise ValueError("not the canonical spelling")
    return msgspec.Raw(text)


def _class_of(
    names: Iterable[str], always: Names, types: Mapping[str, Any], kw_only: bool = True
) -> type[msgspec.Struct]:
    fields = [(f"sent_{place}", name, types.get(name, Any)) for place, name in enumerate(names)]
    return msgspec.defstruct(
        "Sent",
        [(field, kind) if name in always else (field, kind, UNSET) for field, name, kind in fields],
        rename={field: name for field, name, _ in fields},
        forbid_unknown_fields=True,
        kw_only=kw_only,
        gc=False,  # what is read from JSON has no cycles
    )
