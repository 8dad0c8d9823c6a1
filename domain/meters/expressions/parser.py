"""Parsing of expressions: arithmetic, functions, numbers, texts and what an event has.

    sum     = product { ("+" | "-") product }
    product = factor { ("*" | "/") factor }
    factor  = "-" factor | number | text | event | function "(" sum { "," sum } ")" | "(" sum ")"
    event   = "event.properties." path | "event.timestamp" | "event.code"

Texts stand in single or double quotes. Names of functions may be written in any case.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from domain.errors import InvalidInput
from domain.meters.expressions.syntax import FUNCTIONS, Attribute, Call, Chain, Constant, Negation, Node, Property
from domain.meters.property_paths import property_path

LENGTH_MAX: Final = 1_000
#: Parentheses, functions and signs inside one another.
DEPTH_MAX: Final = 32

_TOKEN: Final = re.compile(
    r"(?P<number>[0-9]+(?:\.[0-9]+)?)|(?P<text>'[^']*'|\"[^\"]*\")|(?P<name>[^\W\d]\w*(?:\.\w+)*)|(?P<sign>[-+*/(),])"
)
_PROPERTIES: Final = "event.properties."
_END: Final = ""


def parsed(field: str, text: str) -> Node:
    """Parse an expression; `InvalidInput` names `field` and says what is wrong with the text."""
    if not 1 <= len(text) <= LENGTH_MAX:
        raise InvalidInput(field, f"must be text of 1 to {LENGTH_MAX} characters")
    return _Parser(field, text).whole()


class _Parser:
    """Reads one token after the other; `self._lexeme` is the one that comes next, of the kind `self._kind`."""

    def __init__(self, field: str, text: str) -> None:
        self._field = field
        self._text = text
        self._position = 0
        self._depth = 0
        self._kind: str | None = None
        self._lexeme = _END
        self._advance()

    def whole(self) -> Node:
        """Parse all of the text."""
        node = self._sum()
        if self._lexeme != _END:
            raise self._refused(f"must have an operator where {self._lexeme!r} stands")
        return node

    def _sum(self) -> Node:
        return self._chain(("+", "-"), self._product)

    def _product(self) -> Node:
        return self._chain(("*", "/"), self._factor)

    def _chain(self, operators: tuple[str, str], part: Callable[[], Node]) -> Node:
        first, rest = part(), []
        while self._kind == "sign" and self._lexeme in operators:
            operator = self._taken()
            rest.append((operator, part()))
        return Chain(first, tuple(rest)) if rest else first

    def _factor(self) -> Node:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self._refused(f"must not be nested more than {DEPTH_MAX} levels deep")
        node = self._unnested()
        self._depth -= 1
        return node

    def _unnested(self) -> Node:
        match self._kind:
            case "number":
                return Constant(Decimal(self._taken()))
            case "text":
                return Constant(self._taken()[1:-1])
            case "name":
                return self._named(self._taken())
        if self._lexeme == "-":
            self._advance()
            return Negation(self._factor())
        if self._lexeme == "(":
            self._advance()
            node = self._sum()
            self._expect(")")
            return node
        what = repr(self._lexeme) if self._lexeme else "the end"
        raise self._refused(f"must have a number, a text, a function or something of an event where {what} stands")

    def _named(self, name: str) -> Node:
        if name in ("event.timestamp", "event.code"):
            return Attribute("timestamp" if name == "event.timestamp" else "code")
        if name.startswith(_PROPERTIES):
            return Property(property_path(self._field, name.removeprefix(_PROPERTIES)))
        function = name.upper()
        if function not in FUNCTIONS:
            known = f"{', '.join(FUNCTIONS)}, event.properties.<path>, event.timestamp and event.code"
            raise self._refused(f"must not name {name!r}; there are {known}")
        self._expect("(")
        arguments = [self._sum()]
        while self._lexeme == "," and self._kind == "sign":
            self._advance()
            arguments.append(self._sum())
        self._expect(")")
        most = FUNCTIONS[function]
        if most is not None and len(arguments) > most:
            raise self._refused(f"must give {function} at most {most} arguments")
        return Call(function, tuple(arguments))

    def _expect(self, sign: str) -> None:
        if (self._kind, self._lexeme) != ("sign", sign):
            raise self._refused(f"must have {sign!r} where {repr(self._lexeme) if self._lexeme else 'the end'} stands")
        self._advance()

    def _taken(self) -> str:
        token = self._lexeme
        self._advance()
        return token

    def _advance(self) -> None:
        while self._position < len(self._text) and self._text[self._position].isspace():
            self._position += 1
        if self._position == len(self._text):
            self._kind, self._lexeme = None, _END
            return
        found = _TOKEN.match(self._text, self._position)
        if found is None:
            raise self._refused(f"must not have {self._text[self._position]!r} here")
        self._kind, self._lexeme, self._position = found.lastgroup, found.group(), found.end()

    def _refused(self, rule: str) -> InvalidInput:
        return InvalidInput(self._field, f"{rule}, near character {self._position}")
