"""Inferred schemas: classes made for the names that a producer repeats, so that events decode into structs.

A schema has known and required names, both of the attributes of an event and of the members of its data. An event
matches it if it has every required name and no unknown one. An object of the schema is encoded as JSON with the
members that were sent, nulls included, in sorted order: the same text as the canonical form of a dictionary of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET

from domain.usage.canonical_form import CORE_ATTRIBUTES
from domain.usage.decoding.member_warnings import suspicious_names
from domain.usage.decoding.single_event import COMMON_MEMBERS, REQUEST_MEMBERS
from domain.usage.quantity_rules import QUANTITY_MEMBERS
from domain.values.json_numbers import is_canonical

#: The most names that a schema knows, of attributes and of members of data alike.
NAMES_MAX: Final = 64
#: An error in an event unless it is null; such events are decoded one by one.
_NEVER_LEARNED: Final = "data_base64"
DATA_MEMBERS: Final = COMMON_MEMBERS + REQUEST_MEMBERS
Names = frozenset[str]


class ObjectNames(msgspec.Struct, frozen=True):
    """The names that objects of one kind may have, and those that all of them have."""

    known: Names = frozenset()
    required: Names = frozenset()

    def matches(self, names: Names) -> bool:
        """Whether these are only known names, and all required ones."""
        return self.required <= names <= self.known


class SchemaNames(msgspec.Struct, frozen=True):
    """The names of a schema: equal names make equal schemas."""

    attributes: ObjectNames
    members: ObjectNames

    def matches(self, attributes: Names, members: Names | None) -> bool:
        """Whether an event with these attributes and members of data (None: it has no data) matches the schema."""
        return self.attributes.matches(attributes) and (members is None or self.members.matches(members))


class InferredSchema:
    """The classes for events with these names, and the names of the columns of their objects.

    Every name must be `is_learnable`.
    """

    def __init__(self, names: SchemaNames) -> None:
        self.names = names
        self.event_names = sorted(names.attributes.known.union(CORE_ATTRIBUTES))
        self.data_names = sorted(names.members.known)
        self.extensions = [name for name in self.event_names if name not in CORE_ATTRIBUTES]
        self.properties = [name for name in self.data_names if name not in DATA_MEMBERS]
        telling = QUANTITY_MEMBERS | suspicious_names(self.properties)
        self.quantity_members = [name for name in self.properties if name in telling]
        self.other_properties = [name for name in self.data_names if name not in COMMON_MEMBERS]
        data_class = _class_of(self.data_names, names.members.required, {})
        event_class = _class_of(self.event_names, names.attributes.required, {"data": data_class | None})
        self.property_class = _class_of(self.properties, frozenset(), {}, kw_only=False)
        self.other_property_class = _class_of(self.other_properties, frozenset(), {}, kw_only=False)
        self.no_data: msgspec.Struct = data_class(**dict.fromkeys(data_class.__struct_fields__, UNSET))
        self.decode = msgspec.json.Decoder(event_class, float_hook=_canonical_number).decode


def is_learnable(name: str) -> bool:
    """Whether a schema can have this name: JSON must write it without an escape."""
    return name != _NEVER_LEARNED and name.isprintable() and '"' not in name and "\\" not in name


def _canonical_number(text: str) -> msgspec.Raw:
    """Events with a number in any other spelling do not match; their canonical form needs decoding one by one."""
    if not is_canonical(text):
        raise ValueError("not the canonical spelling")
    return msgspec.Raw(text)


def _class_of(
    names: Iterable[str], required: Names, types: Mapping[str, Any], kw_only: bool = True
) -> type[msgspec.Struct]:
    fields = [(f"field_{index}", name, types.get(name, Any)) for index, name in enumerate(names)]
    return msgspec.defstruct(
        "InferredStruct",
        [(field, kind) if name in required else (field, kind, UNSET) for field, name, kind in fields],
        rename={field: name for field, name, _ in fields},
        forbid_unknown_fields=True,
        kw_only=kw_only,
        gc=False,  # values read from JSON have no cycles
    )
