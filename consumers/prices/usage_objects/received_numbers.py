"""A bounded copy of a received object, in which every number is an exact `int` or `Decimal`.

Numbers are kept by decoders in several forms: `int`, `Decimal`, `msgspec.Raw` with the text as it was written, or
`WrittenDecimal`. A float can only come from a decoder that keeps none of these, and stands for its shortest text.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from msgspec import Raw

from domain.values.json_numbers import WrittenDecimal, written_decimal

#: Digits of a quantity before the point, and after it. A longer one is no quantity.
QUANTITY_DIGITS_MAX: Final = 38
#: Usage objects of providers have three levels; what is deeper is left out.
LEVELS_MAX: Final = 5
#: An object with more members, or a list with more items, is no usage object and is left out.
MEMBERS_MAX: Final = 256
TEXT_LENGTH_MAX: Final = 256
#: Members that name an item of a list.
ITEM_NAMES: Final = ("modality", "ttl")

#: A number that cannot be a quantity. It is kept, so that a member with it counts as wrong and not as absent.
NOT_A_QUANTITY: Final = Decimal("NaN")
_BOUND: Final = 10**QUANTITY_DIGITS_MAX

Number = int | Decimal
Path = tuple[str, ...]
Numbers = dict[Path, Number]


def exact_members(received: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy with exact numbers; empty if `received` has more members than a usage object can have."""
    copied = _copy(received, LEVELS_MAX)
    return copied if isinstance(copied, dict) else {}


def numbers_of(members: Mapping[str, Any]) -> Numbers:
    """Return every number of an exact copy by its path.

    An item of a list is named by its modality or lifetime: ("promptTokensDetails", "modality=text", "tokenCount"). The
    first item of a name counts, and of items only their own numbers.
    """
    numbers: Numbers = {}
    _gather(members, (), numbers)
    return numbers


def item_name(member: str, text: str) -> str:
    """Return the name of an item of a list that has `text`, in any case, as its `member`."""
    return f"{member}={text.lower()}"


def _gather(members: Mapping[str, Any], path: Path, numbers: Numbers) -> None:
    for name, value in members.items():
        kind = type(value)
        if kind is int or kind is Decimal:
            numbers[(*path, name)] = value
        elif kind is dict:
            _gather(value, (*path, name), numbers)
        elif kind is list:
            for item in value:
                _gather_item(item, (*path, name), numbers)


def _gather_item(item: object, path: Path, numbers: Numbers) -> None:
    if not isinstance(item, dict):
        return
    for member in ITEM_NAMES:
        text = item.get(member)
        if isinstance(text, str):
            for name, value in item.items():
                if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
                    numbers.setdefault((*path, item_name(member, text), name), value)


def is_quantity(number: Number) -> bool:
    """Whether a copied number can be a quantity, which is finite and not negative."""
    return number >= 0 if isinstance(number, int) else number.is_finite() and number >= 0


def whole_as_int(number: Number) -> Number:
    """Return the number as `int` where it is whole."""
    return int(number) if number == int(number) else number


def _copy(value: object, levels: int) -> Any:
    if type(value) is int:
        return _copied_int(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value if len(value) <= TEXT_LENGTH_MAX else None
    if isinstance(value, (dict, list, tuple, Mapping)):
        return _copied_members(value, levels - 1) if levels and len(value) <= MEMBERS_MAX else None
    return _exact(value)


def _copied_members(value: Mapping[str, Any] | list[Any] | tuple[Any, ...], levels: int) -> Any:
    if isinstance(value, Mapping):
        return {name: _copy(member, levels) for name, member in value.items() if isinstance(name, str)}
    return [_copy(item, levels) for item in value]


def _exact(value: object) -> Number | None:
    if isinstance(value, int):
        return _copied_int(int(value))
    if isinstance(value, WrittenDecimal):
        return _decimal(value)
    if isinstance(value, Raw):
        return _parsed(bytes(value).decode("ascii", "replace"))
    if isinstance(value, float):
        return _parsed(repr(value))
    if isinstance(value, Decimal):
        return _parsed(str(value))
    return None


def _copied_int(value: int) -> Number:
    return value if -_BOUND < value < _BOUND else NOT_A_QUANTITY


def _parsed(text: str) -> Number:
    number = written_decimal(text)
    return NOT_A_QUANTITY if number is None else _decimal(number)


def _decimal(number: WrittenDecimal) -> Number:
    if number.magnitude > QUANTITY_DIGITS_MAX or number.exponent < -QUANTITY_DIGITS_MAX:
        return NOT_A_QUANTITY
    text = number.plain()
    return Decimal(text) if "." in text else int(text)
