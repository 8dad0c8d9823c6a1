"""Patches of usage events: members of data that are replaced or removed, a customer, and a time.

A quantity that a patch names is told by the patch alone. Other members that tell the same quantity are removed, and so
is a provider's usage object: what it told of other quantities is then told by members of their own. A patch that has
a usage object itself replaces all quantities.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from domain.units.registry import COMMON_UNITS, EXTRA_UNITS, UNIT_ALIASES
from domain.usage.amending.sent_form import Members, SentEvent, StoredRow
from domain.usage.block_schema import TOKEN_COLUMNS
from domain.usage.quantity_rules import NO_UNITS, UNITS_MEMBER, USAGE_MEMBER
from domain.values.json_numbers import canonical_raw, number_keeping_decoder

_decode: Final = number_keeping_decoder().decode
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode
_QUANTITY_NAMES: Final = frozenset({*COMMON_UNITS, *UNIT_ALIASES, *EXTRA_UNITS})


class EventPatch(msgspec.Struct, frozen=True):
    """What is to change. `data`: null removes a member, `units` merges by unit, any other value replaces.

    Numbers in `data` are as a number-keeping decoder reads them. `customer` and `time`: None leaves them as they are.
    """

    data: Members
    customer: str | None = None
    time: str | None = None


def exact_members(members: Mapping[str, Any]) -> Members:
    """Return members of data with numbers as a patch has them; each is an `int` or a `Decimal`, as it was written."""
    exact: Members = _decode(_encode(members))
    return exact


def patched(
    sent: SentEvent, patch: EventPatch, row: StoredRow, usage_was_read: bool, own_units: frozenset[str] = NO_UNITS
) -> SentEvent:
    """Return the event with the patch merged in. `usage_was_read`: its usage object told quantities of `row`."""
    attributes = dict(sent.attributes)
    header = sent.header
    if patch.customer is not None:
        attributes["subject"], header = patch.customer, None
    if patch.time is not None:
        attributes["time"] = patch.time
    data = sent.data
    if patch.data:
        data = dict(data or {})
        if sent.is_request:
            _remove_contradictions(data, patch.data, row, usage_was_read, own_units)
        _merge(data, patch.data)
    return msgspec.structs.replace(sent, attributes=attributes, data=data, header=header)


def _merge(data: Members, patch: Members) -> None:
    for name, value in patch.items():
        if name == UNITS_MEMBER and isinstance(value, dict) and isinstance(data.get(name), dict):
            merged = {unit: quantity for unit, quantity in (data[name] | value).items() if quantity is not None}
            value = merged or None
        elif name == UNITS_MEMBER and isinstance(value, dict):
            value = {unit: quantity for unit, quantity in value.items() if quantity is not None} or None
        if value is None:
            data.pop(name, None)
        else:
            data[name] = value


def quantities_named(patch: Members, own_units: frozenset[str] = NO_UNITS) -> frozenset[str]:
    """The units whose quantities a patch names."""
    units = patch.get(UNITS_MEMBER)
    names = [*((_QUANTITY_NAMES | own_units) & patch.keys()), *(units if isinstance(units, dict) else ())]
    return frozenset(UNIT_ALIASES.get(name, name) for name in names)


def _remove_contradictions(
    data: Members, patch: Members, row: StoredRow, usage_was_read: bool, own_units: frozenset[str]
) -> None:
    """Remove from `data` what else tells a quantity that the patch tells."""
    named = quantities_named(patch, own_units)
    has_usage = isinstance(patch.get(USAGE_MEMBER), dict)
    if has_usage:
        data.pop(UNITS_MEMBER, None)
    elif named and usage_was_read and isinstance(data.get(USAGE_MEMBER), dict):
        del data[USAGE_MEMBER]
        _tell_quantities(data, row, own_units)
    for name in (_QUANTITY_NAMES | own_units) & data.keys():
        if (has_usage or UNIT_ALIASES.get(name, name) in named) and name not in patch:
            del data[name]
    units = data.get(UNITS_MEMBER)
    if isinstance(units, dict) and named:
        kept = {unit: quantity for unit, quantity in units.items() if UNIT_ALIASES.get(unit, unit) not in named}
        data[UNITS_MEMBER] = kept
        if not kept:
            del data[UNITS_MEMBER]


def _tell_quantities(data: Members, row: StoredRow, own_units: frozenset[str]) -> None:
    """Add the quantities of the row that no member of data tells."""
    units = data.get(UNITS_MEMBER)
    told = quantities_named(data, own_units)
    data |= {name: row[name] for name in TOKEN_COLUMNS if row[name] and name not in told}
    missing = {unit: quantity for unit, quantity in stored_units(row) if unit not in told}
    if missing:
        written = {unit: canonical_raw(f"{quantity:f}") for unit, quantity in missing.items()}
        data[UNITS_MEMBER] = (units if isinstance(units, dict) else {}) | written


def stored_units(row: StoredRow) -> list[tuple[str, Any]]:
    """The units of a stored row without a column of their own, with their quantities."""
    return [(one["unit"], one["quantity"]) for one in row["units"] or ()]
