"""Expressions of meters are evaluated once for equal inputs, and for so many different ones at most."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.errors import InvalidInput
from domain.scope import Scope
from projections.duckdb.reading.meters import computed_values
from projections.queries.meters import MeterQuestion
from projections.queries.usage import Segment
from tests.projections.store_builder import START, PlainEvent, StoreBuilder

DAY = Segment(START, START + timedelta(days=1))


def test_too_many_different_inputs_are_refused_and_equal_ones_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computed_values, "INPUTS_MAX", 2)
    store, scope = StoreBuilder(), Scope("t", "prod")
    store.at(1)
    sent = ['{"v": 1}', '{"v": 2}', '{"v": 1.0, "w": 3}']
    store.add_events(scope, [PlainEvent(type="t", properties=text, row=row) for row, text in enumerate(sent)])

    def summed(expression: str) -> list[object]:
        question = MeterQuestion((DAY,), "t", "sum", None, expression=expression)
        with store.reads.snapshot() as snapshot:
            return [one.value for one in snapshot.meter(scope, question)]

    assert summed("event.properties.v * 10") == [40]
    with pytest.raises(InvalidInput) as refused:
        summed("CONCAT(event.properties.v, event.properties.w)")
    assert (refused.value.field, refused.value.rule) == (
        "expression",
        "must not be computed of more than 2 different inputs",
    )
