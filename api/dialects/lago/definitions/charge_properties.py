"""Charge models as Lago writes them, in the `properties` of a charge, and as the engine reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from api.dialects.lago.formats import decimal_text
from api.dialects.lago.models.rules import is_usable_property
from domain.charges.models import ChargeModel, charge_model, stored_charge_model
from domain.errors import InvalidInput
from domain.plans.fields import group_paths
from domain.values.money import MONEY

#: Lago's names of the member `ranges`, by model.
RANGES: Final = {
    "graduated": "graduated_ranges",
    "volume": "volume_ranges",
    "graduated_percentage": "graduated_percentage_ranges",
}
#: The members of each other model.
_MEMBERS: Final[Mapping[str, Sequence[str]]] = {
    "standard": ("amount",),
    "package": ("amount", "package_size", "free_units"),
    "percentage": (
        "rate",
        "fixed_amount",
        "free_units_per_events",
        "free_units_per_total_aggregation",
        "per_transaction_min_amount",
        "per_transaction_max_amount",
    ),
}
#: Paths into the properties of events by which usage is priced apart: the name now, and the one before.
GROUP_KEYS: Final = ("pricing_group_keys", "grouped_by")
#: A member of properties that only changes what is shown on an invoice.
PRESENTATION: Final = "presentation_group_keys"
_WHOLE: Final = frozenset({"package_size", "free_units", "free_units_per_events"})
_BOUNDS: Final = frozenset({"from_value", "to_value"})


class InvalidProperties(Exception):
    """Properties that make no charge model. `code`: what Lago says of them."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def price_of(model: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Read the properties of a charge as a native charge model; `InvalidProperties` when they are none."""
    price: dict[str, Any] = {"model": model}
    if model in RANGES:
        ranges = properties.get(RANGES[model])
        if not ranges:
            raise InvalidProperties(f"missing_{RANGES[model]}")
        price["ranges"] = ranges
    else:
        price |= {name: properties.get(name) for name in _MEMBERS[model]}
    try:
        return stored_charge_model(charge_model("price", price))
    except InvalidInput as error:
        member = RANGES[model] if model in RANGES else error.field.rpartition(".")[2]
        raise InvalidProperties(f"invalid_{member}") from None


def properties_of(price: ChargeModel) -> dict[str, Any]:
    """Write a native charge model as properties: prices and rates as text, bounds and counts as whole numbers."""
    stored = stored_charge_model(price)
    model = stored.pop("model")
    if model in RANGES:
        return {RANGES[model]: [_members(one) for one in stored["ranges"]]}
    return _members({name: value for name, value in stored.items() if value is not None})


def group_keys(properties: Mapping[str, Any]) -> list[str]:
    """The paths by which usage is priced apart; `InvalidProperties` when they are no list of names."""
    for name in GROUP_KEYS:
        keys = properties.get(name)
        if keys is None or keys == []:
            continue
        if not isinstance(keys, list) or not all(isinstance(key, str) and is_usable_property(key) for key in keys):
            raise InvalidProperties(f"invalid_{name}")
        try:
            return group_paths(name, keys)
        except InvalidInput:
            raise InvalidProperties(f"invalid_{name}") from None
    return []


def presentation_keys(properties: Mapping[str, Any]) -> list[Any]:
    """The properties by which usage is only shown apart; `InvalidProperties` when they are no list of such."""
    keys = properties.get(PRESENTATION)
    if keys is None:
        return []
    if not isinstance(keys, list) or not all(map(_is_presentation, keys)):
        raise InvalidProperties(f"invalid_{PRESENTATION}")
    return keys


def _is_presentation(key: object) -> bool:
    """Whether it is the name of a property, or an object of it as `value` and of `options`."""
    if not isinstance(key, dict):
        return isinstance(key, str) and bool(key)
    value, options = key.get("value"), key.get("options")
    if key.keys() - {"value", "options"} or not isinstance(value, str) or not value:
        return False
    return options is None or (
        isinstance(options, dict) and all(isinstance(one, bool | str | None) for one in options.values())
    )


def _members(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _shown(name, value) for name, value in stored.items()}


def _shown(name: str, value: Any) -> Any:
    """A number that may have a fraction is shown as one where it has none, as schemas want bounds to be whole."""
    if value is None or name not in _WHOLE | _BOUNDS:
        return value
    number = MONEY.create_decimal(value)
    return int(number) if number == number.to_integral_value() else decimal_text(number)
