"""The fields of plans and the validation rule of each: how often a plan bills, in what currency, and its charges.

`amount` is the fee of a whole interval, in major units of the currency. It is not usage, so no charge has it.

A charge prices what one meter measures. It is stored as a JSON object:

    {"code": "tokens", "meter": "total_tokens", "price": {"model": "standard", "amount": "0.00002"},
     "name": "Tokens", "group_by": ["region"], "minimum_amount": "5"}

`price` is a charge model. With `group_by`, paths into the data of events, each combination of their values is priced
by itself. `minimum_amount` is the least that the charge costs in a whole period. `filters` give other prices to some of
the events; see `domain.plans.charge_filters`. `dialect_fields` are kept and not interpreted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from domain.charges.currencies import minor_digits
from domain.charges.models import charge_model, stored_charge_model
from domain.customers.fields import dialect_fields
from domain.errors import InvalidInput
from domain.meters.property_paths import property_path
from domain.plans.charge_filters import FILTERS_MAX, VALUES_OF_PLAN_MAX, charge_filters, values_in
from domain.values import field_rules
from domain.values.field_rules import Rule

#: How often a plan bills, with the duration of a period.
INTERVALS: Final = {"weekly": "1w", "monthly": "1mo", "quarterly": "3mo", "semiannual": "6mo", "yearly": "1y"}
CODE_LENGTH_MAX: Final = 255
CHARGES_MAX: Final = 100
GROUP_KEYS_MAX: Final = 5
_REQUIRED: Final = ("code", "meter", "price")


def plan_code(code: object) -> str:
    """Return `code` if it is allowed: text of 1 to 255 characters, and not '.' or '..'."""
    checked = field_rules.identifier("code", code)
    if len(checked) > CODE_LENGTH_MAX:
        raise InvalidInput("code", f"must have at most {CODE_LENGTH_MAX} characters")
    return checked


def charges(field: str, value: object) -> list[dict[str, Any]]:
    """The charges of a plan, at most 100, each with a code of its own."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise InvalidInput(field, "must be a list of charges")
    if len(value) > CHARGES_MAX:
        raise InvalidInput(field, f"must have at most {CHARGES_MAX} charges")
    checked = [_charge(f"{field}.{number}", one) for number, one in enumerate(value)]
    codes = [one["code"] for one in checked]
    for number, code in enumerate(codes):
        if code in codes[:number]:
            raise InvalidInput(f"{field}.{number}.code", f"must not be that of another charge ({code!r})")
    _check_filters_in_all(field, checked)
    return checked


def currency(field: str, value: object) -> str:
    """The code of a currency in use (ISO 4217), in upper case."""
    code = field_rules.currency(field, value)
    minor_digits(code)
    return code


def _check_filters_in_all(field: str, checked: Sequence[Mapping[str, Any]]) -> None:
    filters = [one for charge in checked for one in charge.get("filters", ())]
    if len(filters) > FILTERS_MAX:
        raise InvalidInput(field, f"must have at most {FILTERS_MAX} filters in all")
    if values_in(filters) > VALUES_OF_PLAN_MAX:
        raise InvalidInput(field, f"must have at most {VALUES_OF_PLAN_MAX} values of filters in all")


def _charge(field: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(field, "must be an object")
    given = {name: member for name, member in value.items() if member is not None}
    for name in given.keys() - _RULES_OF_CHARGE.keys():
        raise InvalidInput(f"{field}.{name}", "is not a member of a charge", code="unknown_field")
    for name in _REQUIRED:
        if name not in given:
            raise InvalidInput(f"{field}.{name}", "is required")
    return {name: _RULES_OF_CHARGE[name](f"{field}.{name}", member) for name, member in sorted(given.items())}


def _price(field: str, value: object) -> dict[str, Any]:
    return stored_charge_model(charge_model(field, value))


def group_paths(field: str, value: object) -> list[str]:
    """Paths into the data of events, at most 5 and none twice."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise InvalidInput(field, "must be a list of paths into the data of events")
    if len(value) > GROUP_KEYS_MAX:
        raise InvalidInput(field, f"must have at most {GROUP_KEYS_MAX} paths")
    paths = [property_path(f"{field}.{number}", one) for number, one in enumerate(value)]
    if len(set(paths)) < len(paths):
        raise InvalidInput(field, "must not name a path twice")
    return paths


def _charge_code(field: str, value: object) -> str:
    return field_rules.text(field, value)


_RULES_OF_CHARGE: Final[dict[str, Rule]] = {
    "code": _charge_code,
    "meter": field_rules.text,
    "price": _price,
    "name": field_rules.text,
    "group_by": group_paths,
    "minimum_amount": field_rules.amount_usd,
    "filters": charge_filters,
    "dialect_fields": dialect_fields,
}

#: The fields that can be changed after creation. The others make the periods and the money of all its subscriptions.
CHANGEABLE_RULES: Final[dict[str, Rule]] = {
    "name": field_rules.text,
    "description": field_rules.text,
    "charges": charges,
    "amount": field_rules.amount_usd,
    "dialect_fields": dialect_fields,
}
PLAN_RULES: Final[dict[str, Rule]] = {
    **CHANGEABLE_RULES,
    "interval": field_rules.one_of(*INTERVALS),
    "currency": currency,
}
