"""Charge models: how a total of usage is priced. Read from JSON, checked, and stored as JSON again.

Prices, rates and sizes are exact decimals, in JSON text or numbers. A price is in major units of the currency (dollars,
not cents), a rate in percent.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, TypeAlias

import msgspec

from domain.charges.members import Members, nonnegative, whole_number
from domain.charges.ranges import PriceRange, RateRange, price_ranges, rate_ranges
from domain.errors import InvalidInput
from domain.values.field_rules import one_of
from domain.values.money import money_text

_MODEL: Final = "model"


class Standard(msgspec.Struct, frozen=True, tag_field=_MODEL, tag="standard"):
    """One price for each unit."""

    amount: Decimal


class Graduated(msgspec.Struct, frozen=True, tag_field=_MODEL, tag="graduated"):
    """The units in each range at the price of this range."""

    ranges: tuple[PriceRange, ...]


class Package(msgspec.Struct, frozen=True, tag_field=_MODEL, tag="package"):
    """A price for each package of `package_size` units that is begun, after `free_units`."""

    amount: Decimal
    package_size: int
    free_units: Decimal = Decimal(0)


class Percentage(msgspec.Struct, frozen=True, tag_field=_MODEL, tag="percentage"):
    """A percentage of the units and a fixed amount for each event, after free events or units, whichever end first.

    What one event costs may be bounded. None, and 0 free events or units: not so.
    """

    rate: Decimal
    fixed_amount: Decimal | None = None
    free_units_per_events: int | None = None
    free_units_per_total_aggregation: Decimal | None = None
    per_transaction_min_amount: Decimal | None = None
    per_transaction_max_amount: Decimal | None = None


class Volume(msgspec.Struct, frozen=True, tag_field=_MODEL, tag="volume"):
    """All units at the price of the range that their total is in."""

    ranges: tuple[PriceRange, ...]


class GraduatedPercentage(msgspec.Struct, frozen=True, tag_field=_MODEL, tag="graduated_percentage"):
    """The percentage of each range of the units in it."""

    ranges: tuple[RateRange, ...]


ChargeModel: TypeAlias = Standard | Graduated | Package | Percentage | Volume | GraduatedPercentage


def charge_model(field: str, value: object) -> ChargeModel:
    """Read a charge model from a JSON object; `InvalidInput` names the member that breaks a rule, below `field`."""
    members = Members(field, value)
    name = members.required(_MODEL, _model_name)
    struct, read = _READERS[name]
    members.check_names((_MODEL, *struct.__struct_fields__))
    return read(members)


def stored_charge_model(model: ChargeModel) -> dict[str, Any]:
    """Return the JSON object that `charge_model` reads as an equal model; decimals are plain text."""
    return {_MODEL: model_name(model), **_stored_members(model)}


def model_name(model: ChargeModel) -> str:
    """Return the name of a model: `standard`, `graduated` and so on."""
    return str(model.__struct_config__.tag)


def _standard(members: Members) -> Standard:
    return Standard(amount=members.required("amount", nonnegative))


def _graduated(members: Members) -> Graduated:
    return Graduated(ranges=price_ranges(members))


def _package(members: Members) -> Package:
    return Package(
        amount=members.required("amount", nonnegative),
        package_size=members.required("package_size", _package_size),
        free_units=members.optional("free_units", nonnegative) or Decimal(0),
    )


def _percentage(members: Members) -> Percentage:
    model = Percentage(
        rate=members.required("rate", nonnegative),
        fixed_amount=members.optional("fixed_amount", nonnegative),
        free_units_per_events=members.optional("free_units_per_events", whole_number),
        free_units_per_total_aggregation=members.optional("free_units_per_total_aggregation", nonnegative),
        per_transaction_min_amount=members.optional("per_transaction_min_amount", nonnegative),
        per_transaction_max_amount=members.optional("per_transaction_max_amount", nonnegative),
    )
    least, most = model.per_transaction_min_amount, model.per_transaction_max_amount
    if least is not None and most is not None and least > most:
        rule = "must not be less than per_transaction_min_amount"
        raise InvalidInput(members.path("per_transaction_max_amount"), rule)
    return model


def _volume(members: Members) -> Volume:
    return Volume(ranges=price_ranges(members))


def _graduated_percentage(members: Members) -> GraduatedPercentage:
    return GraduatedPercentage(ranges=rate_ranges(members))


_READERS: Final[dict[str, tuple[type[ChargeModel], Callable[[Members], ChargeModel]]]] = {
    "standard": (Standard, _standard),
    "graduated": (Graduated, _graduated),
    "package": (Package, _package),
    "percentage": (Percentage, _percentage),
    "volume": (Volume, _volume),
    "graduated_percentage": (GraduatedPercentage, _graduated_percentage),
}
#: The names of the charge models.
MODEL_NAMES: Final = tuple(_READERS)
_named: Final = one_of(*MODEL_NAMES)


def _model_name(value: Any, field: str) -> str:
    return str(_named(field, value))


def _package_size(value: Any, field: str) -> int:
    size = whole_number(value, field)
    if size < 1:
        raise InvalidInput(field, "must be at least 1")
    return size


def _stored_members(struct: ChargeModel | PriceRange | RateRange) -> dict[str, Any]:
    return {name: _stored(member) for name, member in msgspec.structs.asdict(struct).items()}


def _stored(member: Any) -> Any:
    match member:
        case Decimal():
            return money_text(member)
        case tuple():
            return [_stored_members(one) for one in member]
        case _:
            return member
