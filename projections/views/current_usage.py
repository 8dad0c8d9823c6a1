"""Usage of a customer in its current usage period and its current life."""

from __future__ import annotations

from datetime import datetime

import msgspec

from domain.scope import Scope
from domain.values.periods import Interval
from projections.queries.snapshot import Snapshot
from projections.queries.usage import Segment, UsageQuestion
from projections.views.customers import customer_history
from projections.views.measures import Measures, measures_of
from projections.views.periods import usage_timeline


class ModelUsage(msgspec.Struct, frozen=True):
    """The usage of one model; `provider` or `model` None: the events name none."""

    provider: str | None
    model: str | None
    usage: Measures


class CurrentUsage(msgspec.Struct, frozen=True):
    """Usage as of log position `position`. `period` is the whole period; only usage of the current life counts."""

    position: int
    customer_id: str
    period: Interval
    usage: Measures
    by_model: tuple[ModelUsage, ...]


def current_usage(snapshot: Snapshot, scope: Scope, customer_id: str, now: datetime) -> CurrentUsage | None:
    """Usage in the period that contains `now`, by (provider, model) in order; None: no such customer now."""
    record = snapshot.customer(scope, customer_id)
    history = None if record is None else customer_history(record, now)
    if history is None or not history.exists:
        return None
    period = usage_timeline(history).containing(now)
    span = period.intersect(history.span)
    segments = () if span is None else (Segment(span.start, span.end),)
    question = UsageQuestion(segments, customer_id, ("provider", "model"), split_markup=True, with_units=True)
    by_model: dict[tuple[str | None, ...], Measures] = {}
    for one in snapshot.usage(scope, question):
        by_model[one.group] = by_model.get(one.group, Measures()).plus(measures_of(one))
    usage = Measures()
    for of_model in by_model.values():
        usage = usage.plus(of_model)
    return CurrentUsage(
        position=snapshot.point().position,
        customer_id=customer_id,
        period=period,
        usage=usage,
        by_model=tuple(ModelUsage(provider, model, of_model) for (provider, model), of_model in by_model.items()),
    )
