"""Plans of requests as native fields of plans."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from api.dialects.lago.definitions.charge_properties import PRESENTATION
from api.dialects.lago.definitions.charges import Details, native_charges
from api.dialects.lago.definitions.metrics import Metric
from api.dialects.lago.error_shapes import INVALID, KEPT_BEFORE
from api.dialects.lago.formats import amount_of_cents
from api.dialects.lago.keys import DIALECT
from api.dialects.lago.models.plans import PlanInput, PlanPatch
from api.http.bodies import validated
from domain.plans.fields import CHANGEABLE_RULES
from domain.values.money import money_text

#: The members of a plan that only this dialect knows. None changes an amount of usage.
KEPT: Final = (
    "invoice_display_name",
    "trial_period",
    "pay_in_advance",
    "bill_charges_monthly",
    "bill_fixed_charges_monthly",
    "metadata",
)
#: Lago's names of the fields of plans. Of what is kept, only metadata can be too large.
SHOWN_FIELDS: Final = {"currency": "amount_currency", "amount": "amount_cents", "dialect_fields": "metadata"}
#: Lago's names of the fields of charges and filters. Lago tells of properties as a whole what is wrong in them.
_OF_CHARGES: Final = {
    "name": "invoice_display_name",
    "meter": "billable_metric_id",
    "minimum_amount": "min_amount_cents",
    "price": "properties",
    "group_by": "properties",
    "dialect_fields": "properties",
    PRESENTATION: "properties",
}
_CHARGE: Final = re.compile(r"(charges\.[0-9]+\.(?:filters\.[0-9]+\.)?)(.+)")
_WHOLE: Final = frozenset({"properties", "metadata"})
_MANDATORY: Final = frozenset({"name", "code", "interval", "amount_cents", "amount_currency"})


def plan_fields(given: PlanInput, metrics: Mapping[str, Metric], details: Details) -> dict[str, Any]:
    """The fields of the plan, whose metrics are known by `lago_id`; codes of what is wrong go to `details`."""
    kept = {name: value for name in KEPT if (value := getattr(given, name)) is not None}
    fields = {
        "name": given.name,
        "description": given.description,
        "interval": given.interval,
        "currency": given.amount_currency,
        "amount": money_text(amount_of_cents(given.amount_cents, given.amount_currency)),
        "charges": native_charges(given.charges or (), metrics, given.amount_currency, details),
        "dialect_fields": {DIALECT: kept} if kept else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def shown_field(field: str) -> str:
    """Name a native field of a plan as the request names it: `charges.0.group_by.1` is in `charges.0.properties`."""
    charge = _CHARGE.fullmatch(field)
    before, within = charge.groups() if charge else ("", field)
    names = _OF_CHARGES if charge else SHOWN_FIELDS
    first, dot, rest = within.removeprefix(KEPT_BEFORE).partition(".")
    name = names.get(first, first)
    return before + (name if name in _WHOLE else name + dot + rest)


def metric_ids(given: PlanInput) -> set[str]:
    """The `lago_id`s of the metrics that charges name."""
    return {one.billable_metric_id for one in given.charges or ()}


def with_changes(shown: Mapping[str, Any], given: PlanPatch) -> PlanInput:
    """A plan as it is shown, with the members that a request has. A charge that has an id changes that one.

    It has no charges where the request does not name them: they stay.
    """
    existing = {
        one["lago_id"]: {**one, "billable_metric_id": one["lago_billable_metric_id"]} for one in shown["charges"]
    }
    changes = {name: value for name, value in given.sent.items() if value is not None or name not in _MANDATORY}
    changes["charges"] = [{**existing.get(str(one.get("id")), {}), **one} for one in given.charges or ()]
    return validated(PlanInput, {**shown, **changes})


def plan_changes(
    code: str, stored: Mapping[str, Any], after: PlanInput, fields: Mapping[str, Any], details: Details
) -> dict[str, Any]:
    """What changes a plan from its stored fields to `fields`; what cannot be changed goes to `details`."""
    differing = {name for name in stored.keys() | fields.keys() if stored.get(name) != fields.get(name)}
    fixed = {SHOWN_FIELDS.get(name, name) for name in differing - CHANGEABLE_RULES.keys()}
    if after.code != code:
        fixed.add("code")
    for name in sorted(fixed):
        details.setdefault(name, []).append(INVALID)
    return {name: fields.get(name) for name in differing & CHANGEABLE_RULES.keys()}
