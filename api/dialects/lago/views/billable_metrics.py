"""A billable metric as Lago shows it."""

from __future__ import annotations

from typing import Any, Final

from api.dialects.lago.definitions.metrics import Metric
from api.dialects.lago.formats import shown_instant
from api.dialects.lago.models.billable_metrics import AGGREGATIONS, WEIGHTED_INTERVAL

#: Lago's names of native aggregations. It has none for the smallest value.
_AGGREGATION_TYPES: Final = {native: name for name, native in AGGREGATIONS.items()} | {"min": "custom_agg"}


def metric_object(metric: Metric) -> dict[str, Any]:
    """Convert a metric to its JSON object. An expression that there is not is left out: its schema allows no null."""
    own = metric.own
    rounding = None if own is None else own.rounding
    shown = {
        "lago_id": metric.lago_id,
        "name": metric.name,
        "code": metric.code,
        "description": None if own is None else own.description,
        "aggregation_type": aggregation_type(metric),
        "field_name": _field_name(metric),
        "weighted_interval": WEIGHTED_INTERVAL if own is not None and own.aggregation == "weighted_sum" else None,
        "recurring": own is not None and own.recurring,
        "rounding_function": None if rounding is None else rounding.function,
        "rounding_precision": None if rounding is None else rounding.precision,
        "created_at": shown_instant(metric.created_at),
        "filters": [] if own is None else [{"key": one.key, "values": list(one.values)} for one in own.filters],
    }
    return shown if own is None or own.expression is None else shown | {"expression": own.expression}


def aggregation_type(metric: Metric) -> str:
    """Lago's name of what a metric does: a built-in one counts or adds up."""
    if metric.own is None:
        return "count_agg" if metric.code == "requests" else "sum_agg"
    return _AGGREGATION_TYPES[metric.own.aggregation]


def metric_summary(metric: Metric) -> dict[str, Any]:
    """What usage tells of a metric."""
    return {
        "lago_id": metric.lago_id,
        "name": metric.name,
        "code": metric.code,
        "aggregation_type": aggregation_type(metric),
    }


def _field_name(metric: Metric) -> str | None:
    if metric.own is None:
        return None if metric.code == "requests" else metric.code
    return metric.own.value_property
