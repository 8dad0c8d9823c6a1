"""Charges of requests as the native charges of a plan."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from api.dialects.lago.definitions.charge_properties import (
    PRESENTATION,
    InvalidProperties,
    group_keys,
    presentation_keys,
    price_of,
)
from api.dialects.lago.definitions.metrics import Metric
from api.dialects.lago.error_shapes import ALREADY_EXISTS, INVALID, MANDATORY
from api.dialects.lago.formats import amount_of_cents
from api.dialects.lago.keys import DIALECT
from api.dialects.lago.models.plans import ChargeFilterInput, ChargeInput
from api.dialects.lago.models.rules import is_usable_property
from domain.values.money import money_text

#: In the place of the values of a key: all of them.
ALL_VALUES: Final = "__ALL_FILTER_VALUES__"
#: The members of a charge that only this dialect knows: they change how it is billed, and no amount of usage.
KEPT: Final = ("pay_in_advance", "invoiceable", "regroup_paid_fees", "accepts_target_wallet")

Details = dict[str, list[str]]


def native_charges(
    given: Sequence[ChargeInput], metrics: Mapping[str, Metric], currency: str, details: Details
) -> list[dict[str, Any]]:
    """Convert charges whose metrics are known, by `lago_id`; codes of what is wrong with them go to `details`."""
    taken: set[str] = set()
    return [_charge(f"charges.{number}", one, metrics, currency, taken, details) for number, one in enumerate(given)]


def _charge(
    at: str, given: ChargeInput, metrics: Mapping[str, Metric], currency: str, taken: set[str], details: Details
) -> dict[str, Any]:
    metric = metrics[given.billable_metric_id]
    properties = given.properties or {}
    price, keys = _read(at, given.charge_model, properties, details)
    kept = {name: value for name in KEPT if (value := getattr(given, name)) is not None}
    presented = _presented(at, properties, details)
    if presented:
        kept[PRESENTATION] = presented
    minimum = amount_of_cents(given.min_amount_cents or 0, currency)
    charge = {
        "code": _code(at, given.code, metric.code, taken, details),
        "meter": metric.code,
        "price": price,
        "name": given.invoice_display_name,
        "group_by": keys or None,
        "minimum_amount": money_text(minimum) if minimum else None,
        "filters": [
            _filter(f"{at}.filters.{number}", one, given.charge_model, metric, keys, details)
            for number, one in enumerate(given.filters or ())
        ]
        or None,
        "dialect_fields": {DIALECT: kept} if kept else None,
    }
    return {name: value for name, value in charge.items() if value is not None}


def _filter(
    at: str, given: ChargeFilterInput, model: str, metric: Metric, charge_keys: Sequence[str], details: Details
) -> dict[str, Any]:
    price, keys = _read(at, model, given.properties, details)
    if keys and keys != charge_keys:  # groups are those of the charge
        details.setdefault(f"{at}.properties", []).append("invalid_pricing_group_keys")
    for key, texts in given.values.items():
        code = _wrong_values(key, texts, metric)
        if code is not None:
            details.setdefault(f"{at}.values", []).append(code)
    values = {key: [] if ALL_VALUES in one else one for key, one in given.values.items()}
    made = {"values": values, "price": price, "name": given.invoice_display_name}
    return {name: value for name, value in made.items() if value is not None}


def _wrong_values(key: str, values: Collection[str], metric: Metric) -> str | None:
    """What is wrong with the values of a key: a metric offers some, a built-in one any."""
    if not values:
        return MANDATORY
    if metric.own is None or not is_usable_property(key):
        return None if is_usable_property(key) else INVALID
    offered = next((one.values for one in metric.own.filters if one.key == key), None)
    if offered is None or set(values) - {*offered, ALL_VALUES}:
        return INVALID
    return None


def _read(at: str, model: str, properties: Mapping[str, Any], details: Details) -> tuple[dict[str, Any], list[str]]:
    try:
        return price_of(model, properties), group_keys(properties)
    except InvalidProperties as error:
        details.setdefault(f"{at}.properties", []).append(error.code)
        return {}, []


def _presented(at: str, properties: Mapping[str, Any], details: Details) -> list[Any]:
    try:
        return presentation_keys(properties)
    except InvalidProperties as error:
        details.setdefault(f"{at}.properties", []).append(error.code)
        return []


def _code(at: str, given: str | None, of_metric: str, taken: set[str], details: Details) -> str:
    """The code of a charge: the one that was given, else that of the metric, with a number where it is taken."""
    code, number = given or of_metric, 1
    while code in taken:
        if given is not None:
            details.setdefault(f"{at}.code", []).append(ALREADY_EXISTS)
            break
        number += 1
        code = f"{of_metric}_{number}"
    taken.add(code)
    return code
