"""The value of an expression for an event: an exact decimal or a text, or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, DecimalException
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import Raw

from domain.meters.expressions.parser import parsed
from domain.meters.expressions.syntax import (
    Attribute,
    Call,
    Chain,
    Constant,
    Negation,
    Node,
    Property,
    Value,
    paths_in,
    reads_time,
)
from domain.values.instants import epoch_microseconds
from domain.values.json_numbers import written_decimal
from domain.values.money import DIGITS_MAX, MONEY, money_text

#: Characters of a text that an expression makes.
TEXT_LENGTH_MAX: Final = 10_000
_PRECISION_MAX: Final = DIGITS_MAX
_INTEGER_LIMIT: Final = 10**DIGITS_MAX
_EXPRESSIONS_KEPT_MAX: Final = 1_000
_ROUNDINGS: Final = {"ROUND": ROUND_HALF_UP, "CEIL": ROUND_CEILING, "FLOOR": ROUND_FLOOR}
_OPERATIONS: Final[dict[str, Callable[[Decimal, Decimal], Decimal]]] = {
    "+": MONEY.add,
    "-": MONEY.subtract,
    "*": MONEY.multiply,
    "/": MONEY.divide,
}


class EventRead(msgspec.Struct, frozen=True):
    """What an expression reads of an event: decoded JSON values by path (None: not there), its instant and its type."""

    properties: Mapping[str, Any]
    at: datetime
    code: str


class NoValue(msgspec.Struct, frozen=True):
    """An expression has no value for an event, for a reason: `event.properties.seconds is not there`."""

    reason: str


class Expression(msgspec.Struct, frozen=True):
    """A parsed expression. `paths`: of the properties that it reads. `reads_time`: whether it reads the time."""

    node: Node
    paths: tuple[str, ...]
    reads_time: bool

    def value_of(self, event: EventRead) -> Value | NoValue:
        """Evaluate it for an event. Numbers in texts count as numbers where one is needed."""
        try:
            return _value(self.node, event)
        except _Failed as failed:
            return NoValue(failed.reason)
        except DecimalException:
            return NoValue("a result is too large, or divided by zero")

    def value_in(self, data: Mapping[str, Any], at: datetime, code: str) -> Value | NoValue:
        """Evaluate it for an event with these data, time and type, as it arrives."""
        return self.value_of(EventRead({path: _member(data, path) for path in self.paths}, at, code))


@lru_cache(_EXPRESSIONS_KEPT_MAX)
def expression(text: str, field: str = "expression") -> Expression:
    """Parse an expression; `InvalidInput` names `field` and says what is wrong with it."""
    node = parsed(field, text)
    return Expression(node, paths_in(node), reads_time(node))


class _Failed(Exception):
    """An evaluation that ends without a value; it never leaves this module."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def _value(node: Node, event: EventRead) -> Value:
    match node:
        case Constant():
            return node.value
        case Property():
            return _property(node.path, event.properties.get(node.path))
        case Attribute():
            return event.code if node.name == "code" else _seconds(event.at)
        case Negation():
            return MONEY.minus(_number(node.of, event))
        case Chain():
            value = _number(node.first, event)
            for operator, part in node.rest:
                value = _OPERATIONS[operator](value, _number(part, event))
            return value
        case Call():
            return _called(node.function, node.arguments, event)


def _called(function: str, arguments: Sequence[Node], event: EventRead) -> Value:
    if function == "CONCAT":
        text = "".join(_text(_value(one, event)) for one in arguments)
        if len(text) > TEXT_LENGTH_MAX:
            raise _Failed(f"CONCAT makes more than {TEXT_LENGTH_MAX} characters")
        return text
    numbers = [_number(one, event) for one in arguments]
    if function in _ROUNDINGS:
        return _rounded(function, *numbers)
    return min(numbers) if function == "LEAST" else max(numbers)


def _rounded(function: str, number: Decimal, precision: Decimal = Decimal(0)) -> Decimal:
    if precision != precision.to_integral_value() or abs(precision) > _PRECISION_MAX:
        raise _Failed(f"{function} rounds to -{_PRECISION_MAX} to {_PRECISION_MAX} decimals")
    return number.quantize(Decimal(1).scaleb(-int(precision)), _ROUNDINGS[function], MONEY)


def _number(node: Node, event: EventRead) -> Decimal:
    value = _value(node, event)
    return value if isinstance(value, Decimal) else _number_in(value)


def _number_in(text: str) -> Decimal:
    """The number that a text is, by the grammar of JSON."""
    number = written_decimal(text)
    if number is None:
        raise _Failed("a text is not a number")
    if number.digits_written > DIGITS_MAX or abs(number.exponent) > DIGITS_MAX:
        raise _Failed(f"a number has more than {DIGITS_MAX} digits")
    return Decimal(text)


def _property(path: str, value: Any) -> Value:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int() if abs(value) < _INTEGER_LIMIT:
            return Decimal(value)
        case int() | float() | Decimal():
            return _number_in(str(value))
        case Raw():
            return _number_in(bytes(value).decode())
        case None:
            raise _Failed(f"event.properties.{path} is not there")
        case _:
            raise _Failed(f"event.properties.{path} is an object or an array")


def _text(value: Value) -> str:
    return value if isinstance(value, str) else money_text(value)


def _seconds(at: datetime) -> Decimal:
    return Decimal(epoch_microseconds(at)).scaleb(-6)


def _member(data: Mapping[str, Any], path: str) -> Any:
    value: Any = data
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
