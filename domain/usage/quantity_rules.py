"""The rules for the quantities of a request: which members of its data are units, and what they add up to.

Read in this order, and never read again once it was told:

1. the common units, under their own names
2. the names that other systems give to them, such as `prompt_tokens`
3. other units, under their own names: those of the registry, and those that an operator has priced
4. every unit in the object `units`
5. the provider's own usage object, `usage`, if it can be read

All of these members are kept as properties too, the common units apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final

import msgspec

from domain.errors import InvalidInput
from domain.units.decomposition import excess_of
from domain.units.registry import COMMON_UNITS, EXTRA_UNITS, UNIT_ALIASES, UNITS
from domain.usage.quantities import QUANTITY_DECIMALS
from domain.usage.rules import token_count
from domain.values.json_numbers import number_text, written_decimal

UNITS_MEMBER: Final = "units"
USAGE_MEMBER: Final = "usage"
REQUESTS_MEMBER: Final = "requests"
#: Members that choose a price, as the price library names them.
CONTEXT_MEMBERS: Final = ("processing", "route", "search_type", "service_tier", "speed")
#: Members of the data of a request that say something about its quantities, the common units apart.
QUANTITY_MEMBERS: Final = frozenset(
    {*EXTRA_UNITS, *UNIT_ALIASES, UNITS_MEMBER, USAGE_MEMBER, REQUESTS_MEMBER, *CONTEXT_MEMBERS}
)
NO_UNITS: Final[frozenset[str]] = frozenset()
EXTRA_UNITS_MAX: Final = 64
UNIT_LENGTH_MAX: Final = 64
CONTEXT_LENGTH_MAX: Final = 64
REQUESTS_MAX: Final = 10**9
#: A quantity is below ten to this power.
QUANTITY_MAGNITUDE_MAX: Final = 15
QUANTITY_DIGITS_MAX: Final = 60

_PICOUNIT: Final = Decimal(1).scaleb(-QUANTITY_DECIMALS)
_PICOUNITS: Final = 10**QUANTITY_DECIMALS
_EXACT: Final = Context(prec=76)

#: Quantities by unit, read from the usage object of a provider; None if it cannot be read. It never raises.
UsageReader = Callable[[str | None, str | None, Mapping[str, Any]], Mapping[str, int | Decimal] | None]


class RequestQuantities(msgspec.Struct, frozen=True):
    """What a request used. `tokens` are the common units, in their order; 0 if they were not told.

    `units` are the others, in order of name. `unknown`: nothing was told. `context`: the members that choose a price.
    `unread`: members that should tell quantities and could not be read, in order of name.
    """

    tokens: tuple[int, ...]
    units: tuple[tuple[str, Decimal], ...]
    requests: int
    unknown: bool
    context: tuple[tuple[str, str], ...]
    unread: tuple[str, ...] = ()


def request_quantities(
    data: Mapping[str, Any], read_usage: UsageReader | None = None, own_units: frozenset[str] = NO_UNITS
) -> RequestQuantities:
    """Return the quantities told in the data of a request; `InvalidInput` for a number or a sum that cannot be.

    `own_units`: the names of units of the tenant's own, as `domain.usage.decoding.own_units` finds them.
    """
    told: dict[str, int | Decimal] = {}
    unread: list[str] = []
    for key, quantity in _told(data, read_usage, own_units, unread):
        told.setdefault(key, quantity)
    extras = tuple(sorted((key, Decimal(told[key])) for key in told.keys() - set(COMMON_UNITS)))
    if len(extras) > EXTRA_UNITS_MAX:
        raise InvalidInput("data.units", f"must be at most {EXTRA_UNITS_MAX}", "units_invalid")
    tokens = tuple(int(told.get(key, 0)) for key in COMMON_UNITS)
    requests = requests_of(data.get(REQUESTS_MEMBER))
    check_parts(tokens, extras)  # last: what a member must be by itself is told first
    return RequestQuantities(tokens, extras, requests, not told, context_of(data), tuple(sorted(unread)))


def _told(
    data: Mapping[str, Any], read_usage: UsageReader | None, own_units: frozenset[str], unread: list[str]
) -> Iterator[tuple[str, int | Decimal]]:
    """Yield every quantity that is told, the ones that count first; add members that cannot be read to `unread`."""
    for key in COMMON_UNITS:
        if data.get(key) is not None:
            yield key, token_count(key, data[key])
    for alias, key in UNIT_ALIASES.items():
        if data.get(alias) is not None:
            yield key, token_count(alias, data[alias])
    for key in (EXTRA_UNITS | own_units if own_units else EXTRA_UNITS) & data.keys():
        quantity = quantity_of(data[key])
        if quantity is not None:
            yield key, quantity
        elif data[key] is not None:
            unread.append(key)
    units = data.get(UNITS_MEMBER)
    yield from _units_of(units)
    if units is not None and not isinstance(units, dict):
        unread.append(UNITS_MEMBER)
    usage = data.get(USAGE_MEMBER)
    if read_usage is not None and isinstance(usage, dict):
        found = read_usage(_text(data.get("provider")), _text(data.get("model")), usage)
        if found is None:
            unread.append(USAGE_MEMBER)
            return
        # Answers name many units that were not used; an extra unit of 0 would say nothing more.
        yield from ((key, quantity) for key, quantity in found.items() if quantity or key in COMMON_UNITS)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _units_of(units: object) -> Iterator[tuple[str, int | Decimal]]:
    if not isinstance(units, dict):
        return
    for name, value in units.items():
        if not 1 <= len(name) <= UNIT_LENGTH_MAX or "\x00" in name:
            rule = f"must have names of 1 to {UNIT_LENGTH_MAX} characters without NUL"
            raise InvalidInput("data.units", rule, "units_invalid")
        key = UNIT_ALIASES.get(name, name)
        if key in COMMON_UNITS:
            if value is not None:
                yield key, token_count(f"units.{name}", value)
            continue
        quantity = quantity_of(value)
        if quantity is not None and key != REQUESTS_MEMBER:
            yield key, quantity


def quantity_of(value: object) -> Decimal | None:
    """A quantity of a unit without a column, rounded half-even to twelve decimals.

    None for what is no number from 0 to below 10^15, which stays a property.
    """
    text = number_text(value)
    number = None if text is None else written_decimal(text)
    if number is None or number.negative or number.digits_written > QUANTITY_DIGITS_MAX:
        return None
    if not number.digits or number.magnitude < -QUANTITY_DECIMALS:
        return Decimal(0)
    if number.magnitude > QUANTITY_MAGNITUDE_MAX:
        return None
    return Decimal(number.plain()).quantize(_PICOUNIT, ROUND_HALF_EVEN, _EXACT)


def requests_of(value: object) -> int:
    """How many requests an event stands for; 1 if absent."""
    if value is None:
        return 1
    rule = f"must be a whole number from 1 to {REQUESTS_MAX}"
    try:
        count = token_count(REQUESTS_MEMBER, value)
    except InvalidInput:
        count = 0
    if not 1 <= count <= REQUESTS_MAX:
        raise InvalidInput(f"data.{REQUESTS_MEMBER}", rule, "requests_invalid")
    return count


def context_of(data: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The members that choose a price, with texts as values; anything else is a property and chooses none."""
    given = ((member, data.get(member)) for member in CONTEXT_MEMBERS)
    return tuple(
        (member, value) for member, value in given if isinstance(value, str) and 1 <= len(value) <= CONTEXT_LENGTH_MAX
    )


def check_parts(tokens: tuple[int, ...], extras: tuple[tuple[str, Decimal], ...] = ()) -> None:
    """Refuse parts that are more than their whole, such as more cached tokens than input tokens."""
    given, cached, written, answered, reasoning = tokens
    if not extras and cached + written <= given and reasoning <= answered:
        return
    quantities = {key: count * _PICOUNITS for key, count in zip(COMMON_UNITS, tokens, strict=True)}
    quantities |= {key: int(quantity.scaleb(QUANTITY_DECIMALS, _EXACT)) for key, quantity in extras}
    excess = excess_of(quantities)
    if excess is None:
        return
    first, *others = (f"data.{part}" for part in excess.parts)
    together = f"together with {', '.join(others)} " if others else ""
    rule = f"{together}must not exceed data.{excess.whole}, which includes {'them' if others else 'it'}"
    advice = f"send data.{excess.whole} with all its parts"
    joint = _joint_units(excess.parts, quantities)
    if joint:
        advice += f", and what is several of them at once as {', '.join(joint)}"
    raise InvalidInput(first, f"{rule}: {advice}", "parts_exceed_whole")


def _joint_units(parts: tuple[str, ...], reported: Mapping[str, int]) -> list[str]:
    """The units that are a part of two of `parts` and were not reported."""
    pairs = ((one, other) for one in parts for other in parts if one < other and {one, other} <= UNITS.keys())
    dimensions = {UNITS[one].dimensions | UNITS[other].dimensions for one, other in pairs}
    return sorted(key for key, unit in UNITS.items() if unit.dimensions in dimensions and key not in reported)
