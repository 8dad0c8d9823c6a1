"""Billable metrics of requests as fields of meters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from api.dialects.lago.models.billable_metrics import AGGREGATIONS, BillableMetricInput, BillableMetricPatch
from api.http.bodies import validated
from domain.meters.fields import CHANGEABLE_RULES

#: The property that takes values out of a unique count where it says "remove".
OPERATION_PROPERTY: Final = "operation_type"
#: Lago's names of the fields of meters.
SHOWN_FIELDS: Final = {
    "event_type": "code",
    "aggregation": "aggregation_type",
    "value_property": "field_name",
    "operation_property": "aggregation_type",
    "rounding": "rounding_precision",
}


def meter_fields(given: BillableMetricInput) -> dict[str, Any]:
    """The fields of the meter that a metric is. It counts the events whose type is its code."""
    aggregation = AGGREGATIONS[given.aggregation_type]
    rounding = None
    if given.rounding_function is not None:
        rounding = {"function": given.rounding_function, "precision": given.rounding_precision or 0}
    fields = {
        "name": given.name,
        "description": given.description,
        "event_type": given.code,
        "aggregation": aggregation,
        "value_property": given.field_name,
        "operation_property": OPERATION_PROPERTY if aggregation == "unique_count" else None,
        "recurring": given.recurring or None,
        "rounding": rounding,
        "expression": None if aggregation == "count" else given.expression,
        "filters": [one.model_dump() for one in given.filters or ()] or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def with_changes(shown: Mapping[str, Any], given: BillableMetricPatch) -> BillableMetricInput:
    """A metric as it is shown, with the members that a request has; null stands for no change of what cannot change."""
    changes = {name: value for name, value in given.sent.items() if value is not None or name not in _FIXED}
    return validated(BillableMetricInput, {**shown, **changes})


def meter_changes(before: BillableMetricInput, after: BillableMetricInput) -> tuple[dict[str, Any], list[str]]:
    """What changes a meter from one metric to another, and the members that cannot be changed but are."""
    old, new = meter_fields(before), meter_fields(after)
    differing = {name: new.get(name) for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    fixed = sorted({SHOWN_FIELDS.get(name, name) for name in differing.keys() - CHANGEABLE_RULES.keys()})
    return {name: value for name, value in differing.items() if name in CHANGEABLE_RULES}, fixed


_FIXED: Final = frozenset({"name", "code", "aggregation_type", "field_name", "recurring", "weighted_interval"})
