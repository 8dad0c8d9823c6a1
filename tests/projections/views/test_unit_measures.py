"""Units in measures, reports and periods, and units as meters."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from domain.corrections.commands import VoidUsage
from domain.errors import NotFound
from domain.meters.commands import CreateMeter
from domain.scope import DEFAULT_SCOPE
from projections.views.current_usage import current_usage
from projections.views.measures import Measures
from projections.views.past_usage import past_usage
from projections.views.usage_report import UsageReportQuestion, usage_report
from tests.projections.folded_log import BY_TEST, START, usage
from tests.projections.queries.store_under_test import DuckDBUnderTest

FEBRUARY = START - timedelta(days=2)
Values = list[tuple[tuple[str | None, ...], Decimal | None]]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDBUnderTest]:
    store = DuckDBUnderTest(tmp_path / "store")
    yield store
    store.close()


def searches(number: int) -> dict[str, Decimal]:
    return {"web_searches": Decimal(number)}


def test_units_are_added_and_taken_away_exactly_and_none_is_left_at_0() -> None:
    least, most = Decimal("0.000000000001"), Decimal("99999999999999999999999999.999999999998")
    one, other = Measures(units={"a": most, "b": Decimal(1)}), Measures(units={"a": least, "c": Decimal(2)})
    both = Measures(units={"a": Decimal("99999999999999999999999999.999999999999"), "b": Decimal(1), "c": Decimal(2)})
    assert one.plus(other) == both
    assert both.minus(other) == one
    assert Measures().minus(other) == Measures(units={"a": -least, "c": Decimal(-2)})
    assert one.minus(one) == Measures()


def test_current_usage_has_the_units_of_each_model(store: DuckDBUnderTest) -> None:
    store.deliver([usage("1", web_searches=2), usage("2", model="m-2", web_searches=3), usage("3", model="m-3")])
    store.fold()
    with store.reads.snapshot() as snapshot:
        shown = current_usage(snapshot, DEFAULT_SCOPE, "acme", START + timedelta(hours=1))
    assert shown is not None
    assert shown.usage.units == searches(5)
    assert [(one.model, one.usage.units) for one in shown.by_model] == [
        ("m-1", searches(2)),
        ("m-2", searches(3)),
        ("m-3", {}),
    ]


def test_past_usage_tells_units_as_known_at_closing_and_the_difference(store: DuckDBUnderTest) -> None:
    store.now = FEBRUARY
    store.deliver([usage("1", at=FEBRUARY, web_searches=2), usage("2", at=FEBRUARY, input_document_pages=7)])
    store.now = datetime(2026, 3, 20, tzinfo=UTC)
    store.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "2"))
    store.deliver([usage("3", at=FEBRUARY, web_searches=40)])
    store.fold()
    with store.reads.snapshot() as snapshot:
        shown = past_usage(snapshot, DEFAULT_SCOPE, "acme", store.now, 1, 3600)
    assert shown is not None
    [period] = shown.periods
    assert period.at_closing is not None
    assert period.difference is not None
    assert period.now.units == searches(42)
    assert period.at_closing.units == searches(2) | {"input_document_pages": Decimal(7)}
    assert period.difference.units == searches(40) | {"input_document_pages": Decimal(-7)}
    assert period.restated


def values(store: DuckDBUnderTest, meter: str, *group_by: str) -> Values:
    question = UsageReportQuestion("acme", START, START + timedelta(days=1), group_by=group_by, meter=meter)
    with store.reads.snapshot() as snapshot:
        report = usage_report(snapshot, DEFAULT_SCOPE, question, START + timedelta(days=1))
    assert report is not None
    return [(row.group, row.value) for row in report.rows]


def test_every_unit_is_a_meter_and_one_that_was_not_used_is_0(store: DuckDBUnderTest) -> None:
    store.deliver([usage("1", web_searches=2, status="failed"), usage("2", web_searches=3)])
    store.fold()
    assert values(store, "web_searches") == [((), Decimal(5))]
    assert values(store, "web_searches", "status") == [(("failed",), Decimal(2)), (("succeeded",), Decimal(3))]
    assert values(store, "audio_seconds") == [((), Decimal(0))]
    with pytest.raises(NotFound):
        values(store, "web_serches")


def test_a_custom_meter_with_the_name_of_a_unit_stays_what_it_was(store: DuckDBUnderTest) -> None:
    fields = {"event_type": "llm.request", "aggregation": "max", "value_property": "web_searches"}
    store.commands.handle(CreateMeter(DEFAULT_SCOPE, BY_TEST, "web_searches", fields))
    store.deliver([usage("1", web_searches=2), usage("2", web_searches=3)])
    store.fold()
    assert values(store, "web_searches") == [((), Decimal(3))]


def test_a_unit_of_an_operator_is_summed_with_the_others_but_is_a_meter_only_if_one_was_made(
    store: DuckDBUnderTest,
) -> None:
    store.deliver([usage("1", units={"gpu_seconds": 0.5}), usage("2", units={"gpu_seconds": 2})])
    store.fold()
    with pytest.raises(NotFound):
        values(store, "gpu_seconds")
    fields = {"event_type": "llm.request", "aggregation": "sum", "value_property": "units.gpu_seconds"}
    store.commands.handle(CreateMeter(DEFAULT_SCOPE, BY_TEST, "gpu_seconds", fields))
    store.fold()
    assert values(store, "gpu_seconds") == [((), Decimal("2.5"))]
