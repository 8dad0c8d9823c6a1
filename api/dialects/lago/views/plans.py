"""A plan as Lago shows it, with its charges."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from api.dialects.lago.definitions.charge_properties import (
    GROUP_KEYS,
    PRESENTATION,
    InvalidProperties,
    presentation_keys,
    properties_of,
)
from api.dialects.lago.definitions.charges import ALL_VALUES
from api.dialects.lago.definitions.metrics import Metric
from api.dialects.lago.formats import cents, shown_instant
from api.dialects.lago.keys import DIALECT
from api.dialects.lago.lago_ids import lago_id
from domain.charges.models import model_name
from domain.scope import Scope
from projections.views.charging.plans import ChargeFilter, PlanCharge, PlanView

_NO_AMOUNT: Final = Decimal(0)
#: Members that are left out where there is none: their schemas allow no null.
_OPTIONAL: Final = ("invoice_display_name", "trial_period")


def plan_object(scope: Scope, plan: PlanView, metrics: Mapping[str, Metric]) -> dict[str, Any]:
    """Convert a plan to its JSON object. `metrics`: those that its charges name and that exist, by code.

    A charge whose metric does not exist, as where it is deleted, is left out.
    """
    kept = plan.dialect_fields.get(DIALECT, {})
    shown = {
        "lago_id": lago_id(scope, "plan", plan.code, plan.created_at),
        "name": plan.name or plan.code,
        "code": plan.code,
        "created_at": shown_instant(plan.created_at),
        "interval": plan.interval,
        "amount_cents": cents(plan.amount or _NO_AMOUNT, plan.currency),
        "amount_currency": plan.currency,
        "pay_in_advance": kept.get("pay_in_advance", False),
        "bill_charges_monthly": kept.get("bill_charges_monthly"),
        "bill_fixed_charges_monthly": kept.get("bill_fixed_charges_monthly"),
        "minimum_commitment": None,
        "charges": [
            charge_object(scope, plan, one, metrics[one.meter]) for one in plan.charges if one.meter in metrics
        ],
        "fixed_charges": [],
        "usage_thresholds": [],
        "taxes": [],
        "entitlements": [],
        "metadata": _metadata(kept.get("metadata")),
    }
    optional = {"description": plan.description} | {name: kept.get(name) for name in _OPTIONAL}
    return shown | {name: value for name, value in optional.items() if value is not None}


def charge_object(scope: Scope, plan: PlanView, charge: PlanCharge, metric: Metric) -> dict[str, Any]:
    """Convert a charge to its JSON object."""
    kept = charge.dialect_fields.get(DIALECT, {})
    groups = {GROUP_KEYS[0]: list(charge.group_by)} if charge.group_by else {}
    presented = _presented(kept)
    return {
        "lago_id": charge_lago_id(scope, plan, charge),
        "lago_billable_metric_id": metric.lago_id,
        "billable_metric_code": charge.meter,
        "code": charge.code,
        "invoice_display_name": charge.name,
        "created_at": shown_instant(plan.created_at),
        "charge_model": model_name(charge.price),
        "pay_in_advance": kept.get("pay_in_advance", False),
        "invoiceable": kept.get("invoiceable", True),
        "regroup_paid_fees": kept.get("regroup_paid_fees"),
        "prorated": False,
        "min_amount_cents": cents(charge.minimum_amount or _NO_AMOUNT, plan.currency),
        "properties": properties_of(charge.price) | groups | presented,
        "filters": _filter_objects(scope, plan, charge),
        "group_properties": [],
        "taxes": [],
        "applied_pricing_unit": None,
        "accepts_target_wallet": kept.get("accepts_target_wallet"),
        "lago_parent_id": None,
    }


def _metadata(kept: Any) -> dict[str, str | None] | None:
    """Metadata as text by key. Values that are none, which could be stored before, are shown as their JSON text."""
    if not isinstance(kept, Mapping):
        return None
    return {key: one if one is None or isinstance(one, str) else json.dumps(one) for key, one in kept.items()}


def _presented(kept: Mapping[str, Any]) -> dict[str, Any]:
    """The keys by which usage is shown apart; without those that could be stored before and are none."""
    try:
        keys = presentation_keys(kept)
    except InvalidProperties:
        return {}
    return {PRESENTATION: keys} if keys else {}


def charge_lago_id(scope: Scope, plan: PlanView, charge: PlanCharge) -> str:
    """The id of a charge, which it keeps as long as its plan has its code."""
    return lago_id(scope, "charge", plan.code, plan.created_at, part=charge.code)


def filter_values(one: ChargeFilter) -> dict[str, list[str]]:
    """The values of a filter, by key."""
    return {key: list(values) or [ALL_VALUES] for key, values in one.values.items()}


def _filter_objects(scope: Scope, plan: PlanView, charge: PlanCharge) -> list[dict[str, Any]]:
    """Filters, whose ids follow from their values: those of others stay when one is removed."""
    times: Counter[str] = Counter()
    shown = []
    for one in charge.filters:
        values = filter_values(one)
        words = json.dumps([charge.code, sorted(values.items())])
        times[words] += 1
        part = f"{words} {times[words]}"
        shown.append(
            {
                "lago_id": lago_id(scope, "charge_filter", plan.code, plan.created_at, part=part),
                "invoice_display_name": one.name,
                "properties": properties_of(one.price),
                "values": values,
            }
        )
    return shown
