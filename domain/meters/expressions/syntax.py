"""The parts of an expression."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal, TypeAlias

import msgspec

#: What a part of an expression is worth: a number or a text.
Value: TypeAlias = Decimal | str


class Constant(msgspec.Struct, frozen=True):
    """A number or a text that is written in the expression."""

    value: Value


class Property(msgspec.Struct, frozen=True):
    """`event.properties.<path>`: the member at a dotted path of the data of an event."""

    path: str


class Attribute(msgspec.Struct, frozen=True):
    """`event.timestamp`, in Unix seconds, or `event.code`, the type of the event."""

    name: Literal["timestamp", "code"]


class Negation(msgspec.Struct, frozen=True):
    """The negative of a number."""

    of: Node


class Chain(msgspec.Struct, frozen=True):
    """Numbers with operators of one rank between them, which are applied from left to right."""

    first: Node
    rest: tuple[tuple[str, Node], ...]


class Call(msgspec.Struct, frozen=True):
    """A function, in upper case, of its arguments."""

    function: str
    arguments: tuple[Node, ...]


Node: TypeAlias = Constant | Property | Attribute | Negation | Chain | Call

#: How many arguments each function takes at most, of at least one; None: any number.
FUNCTIONS: Final[dict[str, int | None]] = {
    "ROUND": 2,
    "CEIL": 2,
    "FLOOR": 2,
    "LEAST": None,
    "GREATEST": None,
    "CONCAT": None,
}


def paths_in(node: Node) -> tuple[str, ...]:
    """Return the paths of the properties that an expression reads, each once, in their order."""
    return tuple(dict.fromkeys(one.path for one in _parts(node) if isinstance(one, Property)))


def reads_time(node: Node) -> bool:
    """Whether an expression reads the time of an event."""
    return any(isinstance(one, Attribute) and one.name == "timestamp" for one in _parts(node))


def _parts(node: Node) -> list[Node]:
    """All parts of an expression, itself included."""
    match node:
        case Negation():
            inner: tuple[Node, ...] = (node.of,)
        case Chain():
            inner = (node.first, *(part for _, part in node.rest))
        case Call():
            inner = node.arguments
        case _:
            inner = ()
    return [node, *(part for one in inner for part in _parts(one))]
