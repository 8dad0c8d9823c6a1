"""The measurement of current usage asks in every way that its table tells of."""

from __future__ import annotations

from pathlib import Path

from bench.current_usage import AGGREGATIONS, ASKED_MIN, NO_EVENTS, WAYS, UsageRun, measure
from bench.tables import charges_table
from tests.bench.test_tables import rows_of

EVENTS = 300


def test_each_aggregation_is_asked_in_each_way(tmp_path: Path) -> None:
    found = measure(UsageRun(str(tmp_path / "data"), EVENTS, 3, 0.0))

    asked = {way: (0 if way == NO_EVENTS else EVENTS, 1 if way == "the first time" else ASKED_MIN) for way in WAYS}
    assert [(one.aggregation, one.way, one.events, one.asked) for one in found] == [
        (name, way, *asked[way]) for name in AGGREGATIONS for way in WAYS
    ]
    assert [row[:4] for row in rows_of(charges_table(found))] == [
        (one.aggregation, one.way, str(one.events), str(one.asked)) for one in found
    ]
