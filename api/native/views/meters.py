"""Built-in and custom meters as the native API shows them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from api.native.models.meters import MeterFilterView, MeterView, RoundingView
from domain.scope import Scope
from projections.queries.snapshot import Snapshot
from projections.views.meters import measured_by, meter_view


def meter_of(snapshot: Snapshot, scope: Scope, code: str, now: datetime) -> MeterView | None:
    """The built-in or custom meter as it is now; None when there is none with this code."""
    position = snapshot.point().position
    meter = meter_view(code, snapshot.facts(scope, "meter", code), now)
    if measured_by(code, meter) is not None:
        return built_in_meter(code, position, now)
    if meter is None:
        return None
    return MeterView(
        position=position,
        now=now,
        code=code,
        event_type=meter.event_type,
        aggregation=meter.aggregation,
        value_property=meter.value_property,
        operation_property=meter.operation_property,
        recurring=meter.recurring,
        rounding=None if meter.rounding is None else RoundingView(**msgspec.structs.asdict(meter.rounding)),
        expression=meter.expression,
        filters=[MeterFilterView(key=one.key, values=list(one.values)) for one in meter.filters],
        group_by=dict(meter.group_by),
        name=meter.name,
        description=meter.description,
        built_in=False,
        created_at=meter.created_at,
        updated_at=meter.updated_at,
    )


def built_in_meter(code: str, position: int, now: datetime) -> MeterView:
    """Describe a built-in meter: a sum over llm.request, or the count of requests (those without a parent)."""
    return MeterView(
        position=position,
        now=now,
        code=code,
        event_type="llm.request",
        aggregation="count" if code == "requests" else "sum",
        value_property=None if code == "requests" else code,
        operation_property=None,
        recurring=False,
        rounding=None,
        expression=None,
        filters=[],
        group_by={},
        name=None,
        description=None,
        built_in=True,
        created_at=None,
        updated_at=None,
    )
