"""The fields of meters: what is stored, and what is refused, by the path of the member."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.aggregate import CommandContext
from domain.errors import InvalidInput
from domain.event import Provenance
from domain.meters.fields import AGGREGATIONS, METER_RULES, RECURRING_AGGREGATIONS
from domain.meters.filters import KEYS_MAX, VALUES_MAX
from domain.meters.meter import Meter
from domain.scope import DEFAULT_SCOPE
from domain.values.field_rules import checked

NO_FACTOR = "must have a number, a text, a function or something of an event"
NOW = CommandContext(datetime(2026, 11, 20, 12, tzinfo=UTC), Provenance("key_1", "native", "asked"))


def created(**fields: Any) -> Meter:
    meter = Meter(DEFAULT_SCOPE, "made")
    meter.create({"event_type": "disk", **fields}, NOW)
    meter.collect_events()
    return meter


def refused(**fields: Any) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as raised:
        created(**{"aggregation": "sum", "value_property": "gb", **fields})
    return raised.value.field, raised.value.rule


def test_fields_are_stored_with_what_was_left_out_of_them() -> None:
    given = {
        "rounding": {"function": "floor", "precision": None},
        "filters": [{"key": "region", "values": ["eu", "us", "eu"]}, {"key": "size.tier"}],
        "recurring": False,
        "dialect_fields": {"lago": {"lago_id": "1"}},
    }

    assert checked(METER_RULES, given) == {
        "rounding": {"function": "floor", "precision": 0},
        "filters": [{"key": "region", "values": ["eu", "us"]}, {"key": "size.tier", "values": []}],
        "recurring": False,
        "dialect_fields": {"lago": {"lago_id": "1"}},
    }


@pytest.mark.parametrize(
    ("given", "field", "rule"),
    [
        ({"rounding": "up"}, "rounding", "must be an object"),
        ({"rounding": {}}, "rounding.function", "must be 'round' or 'ceil' or 'floor'"),
        ({"rounding": {"function": "round", "digits": 2}}, "rounding.digits", "is not a member of a rounding"),
        (
            {"rounding": {"function": "round", "precision": 21}},
            "rounding.precision",
            "must be a whole number from -20 to 20",
        ),
        (
            {"rounding": {"function": "round", "precision": True}},
            "rounding.precision",
            "must be a whole number from -20 to 20",
        ),
        ({"filters": "region"}, "filters", "must be a list of filters"),
        ({"filters": ["region"]}, "filters.0", "must be an object"),
        ({"filters": [{"values": []}]}, "filters.0.key", "is required"),
        ({"filters": [{"key": "a", "name": "A"}]}, "filters.0.name", "is not a member of a filter"),
        ({"filters": [{"key": "a", "values": "eu"}]}, "filters.0.values", "must be a list of texts"),
        ({"filters": [{"key": "a", "values": ["eu", 1]}]}, "filters.0.values.1", "must be text of 1 to 255 characters"),
        ({"filters": [{"key": "a"}, {"key": "a"}]}, "filters.1.key", "must not be that of another filter ('a')"),
        (
            {"filters": [{"key": str(key)} for key in range(KEYS_MAX + 1)]},
            "filters",
            f"must have at most {KEYS_MAX} filters",
        ),
        (
            {"filters": [{"key": "a", "values": [*map(str, range(VALUES_MAX + 1))]}]},
            "filters.0.values",
            f"must have at most {VALUES_MAX} values",
        ),
        ({"recurring": "yes"}, "recurring", "must be true or false"),
        ({"expression": 1}, "expression", "must be text"),
        ({"expression": "1 +"}, "expression", f"{NO_FACTOR} where the end stands, near character 3"),
        ({"expression": ""}, "expression", "must be text of 1 to 1000 characters"),
        ({"expression": "1" * 1_001}, "expression", "must be text of 1 to 1000 characters"),
        ({"dialect_fields": []}, "dialect_fields", "must be a JSON object"),
        (
            {"operation_property": "operation"},
            "operation_property",
            "must only be given for the aggregation 'unique_count'",
        ),
    ],
)
def test_a_field_that_breaks_a_rule_is_named_by_its_path(given: dict[str, Any], field: str, rule: str) -> None:
    assert refused(**given) == (field, rule)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_only_what_can_be_carried_over_recurs(aggregation: str) -> None:
    value = {} if aggregation == "count" else {"value_property": "gb"}
    meter = {"event_type": "disk", "aggregation": aggregation, **value}
    if aggregation in RECURRING_AGGREGATIONS:
        assert created(**meter, recurring=True).timeline.latest() == {**meter, "recurring": True}
    else:
        assert refused(**{"value_property": None, **meter}, recurring=True)[0] == "recurring"
    assert created(**meter, recurring=False).timeline.latest() == {**meter, "recurring": False}


def test_a_meter_has_a_value_or_an_expression_of_it_or_both_and_one_of_events_has_neither() -> None:
    needed = "is required for the aggregation 'sum', or an expression"
    assert refused(value_property=None) == ("value_property", needed)
    assert created(aggregation="sum", expression="1").timeline.latest()["expression"] == "1"
    assert created(aggregation="max", expression="1", value_property="gb").alive
    for name in ("value_property", "expression"):
        assert refused(aggregation="count", **{"value_property": None, name: "1"}) == (
            name,
            "must not be given for the aggregation 'count'",
        )


def test_a_meter_keeps_the_value_that_it_needs_when_its_expression_changes() -> None:
    computed, counted = created(aggregation="sum", expression="1"), created(aggregation="count")
    computed.update({"expression": "2"}, NOW)
    with pytest.raises(InvalidInput, match="is required for the aggregation 'sum'"):
        computed.update({"expression": None}, NOW)
    with pytest.raises(InvalidInput, match="must not be given for the aggregation 'count'"):
        counted.update({"expression": "2"}, NOW)

    both = created(aggregation="sum", expression="1", value_property="gb")
    both.update({"expression": None, "rounding": {"function": "ceil"}}, NOW)
    assert both.timeline.latest() == {
        "event_type": "disk",
        "aggregation": "sum",
        "value_property": "gb",
        "rounding": {"function": "ceil", "precision": 0},
    }


@pytest.mark.parametrize("change", [{"recurring": True}, {"operation_property": "operation"}])
def test_what_decides_on_the_value_of_a_meter_is_never_changed(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="must not be changed; create another meter"):
        created(aggregation="unique_count", value_property="seat").update(change, NOW)
