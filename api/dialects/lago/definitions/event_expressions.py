"""Events whose metric computes its value by an expression: one that has no value is refused as it arrives."""

from __future__ import annotations

from collections.abc import Sequence

from api.dialects.lago.definitions.sent_events import SentEvent
from api.http.reading import Reading
from domain.meters.expressions.evaluation import NoValue, expression
from domain.scope import Scope
from projections.views.meters import MeterView, meter_view


def expression_failures(asked: Reading, scope: Scope, events: Sequence[SentEvent]) -> dict[int, str]:
    """Why events have no value by the expression of their metric, by their number."""
    metrics = {code: _metric(asked, scope, code) for code in {event.given.code for event in events}}
    failures = {number: _failure(metrics[event.given.code], event) for number, event in enumerate(events)}
    return {number: failure for number, failure in failures.items() if failure is not None}


def _metric(asked: Reading, scope: Scope, code: str) -> MeterView | None:
    return meter_view(code, asked.snapshot.facts(scope, "meter", code), asked.now)


def _failure(metric: MeterView | None, event: SentEvent) -> str | None:
    if metric is None or metric.expression is None:
        return None
    value = expression(metric.expression).value_in(event.given.properties or {}, event.time, event.given.code)
    return f"expression_evaluation_failed: {value.reason}" if isinstance(value, NoValue) else None
