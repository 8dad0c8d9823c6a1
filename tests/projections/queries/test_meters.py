"""Any read store aggregates by operations, and by the time that values stand, in the same way."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.corrections.commands import VoidUsage
from domain.scope import DEFAULT_SCOPE
from projections.queries.meters import Aggregation, MeterQuestion, MeterValue, Weighing
from projections.queries.usage import Segment
from tests.projections.folded_log import BY_TEST, START, usage
from tests.projections.queries.store_under_test import StoreUnderTest

HOUR = timedelta(hours=1)
DAY = Segment(START, START + 24 * HOUR)


def seat(event_id: str, hours: float, name: Any, operation: Any = None, **data: Any) -> dict[str, Any]:
    none: dict[str, Any] = {"provider": None, "model": None, "input_tokens": None, "output_tokens": None}
    at = START + hours * HOUR
    return usage(event_id, "acme", at, **none, seat=name, operation=operation, **data) | {"type": "seat"}


def asked(store: StoreUnderTest, question: MeterQuestion) -> list[MeterValue]:
    store.fold()
    with store.reads.snapshot() as snapshot:
        return snapshot.meter(DEFAULT_SCOPE, question)


def unique(*segments: Segment, **more: Any) -> MeterQuestion:
    return MeterQuestion(segments, "seat", "unique_count", "seat", operation_property="operation", **more)


def weighted(*segments: Segment, weighing: Weighing | None = None, **more: Any) -> MeterQuestion:
    return MeterQuestion(segments, "seat", "weighted_sum", "seat", weighing=weighing, **more)


def test_a_value_counts_if_its_last_operation_is_not_a_removal(store_under_test: StoreUnderTest) -> None:
    store_under_test.deliver(
        [
            seat("1", 1, "ada", "add"), seat("2", 3, "ada", "remove"), seat("3", 2, "ada", "add"),
            seat("4", 1, "bob", "remove"), seat("5", 2, "bob"),
            seat("6", 1, "cyd", "remove"),
            seat("7", 1, "dan", "Remove"), seat("8", 2, "dan", 7),
            seat("9", 1, 1, "add"), seat("10", 2, "1", "remove"),
            seat("11", 1, None, "add"),
        ]
    )  # fmt: skip

    assert asked(store_under_test, unique(DAY, with_events=True)) == [MeterValue(0, (), Decimal(3), 10)]


def test_of_operations_at_one_instant_the_removals_come_first(store_under_test: StoreUnderTest) -> None:
    both = ["add", "remove", "add"]
    store_under_test.deliver([seat(f"{name} {n}", 1, name, both[n]) for n in range(3) for name in ("ada", "bob")])
    store_under_test.deliver([seat("out", 1.001, "bob", "remove")])

    assert [one.value for one in asked(store_under_test, unique(DAY))] == [1]


def test_operations_are_read_in_each_segment_and_group_by_itself(store_under_test: StoreUnderTest) -> None:
    halves = (Segment(START, START + 12 * HOUR), Segment(START + 12 * HOUR, START + 24 * HOUR))
    store_under_test.deliver(
        [
            seat("1", 1, "ada", region="eu"), seat("2", 13, "ada", "remove", region="eu"),
            seat("3", 2, "ada", "remove", region="us"), seat("4", 14, "bob", region="us"),
            seat("5", 15, "bob", region="us"),
        ]
    )  # fmt: skip
    found = asked(store_under_test, unique(*halves, group_by=("customer", "property:region"), with_events=True))

    assert [[one.segment, one.group, one.value, one.events] for one in found] == [
        [0, ("acme", "eu"), 1, 1],
        [0, ("acme", "us"), 0, 1],
        [1, ("acme", "eu"), 0, 1],
        [1, ("acme", "us"), 1, 2],
    ]


def test_a_weighted_sum_is_the_average_of_the_running_sum_over_time(store_under_test: StoreUnderTest) -> None:
    store_under_test.deliver(
        [seat("1", 0, 10), seat("2", 6, "2.5"), seat("3", 12, -4), seat("4", 18, "no number"), seat("5", 24, 1000)]
    )

    (found,) = asked(store_under_test, weighted(DAY, with_events=True))

    by_hand = (10 * 24 + Decimal("2.5") * 18 - 4 * 12) / 24
    assert (found.value, found.events, found.total) == (by_hand, 3, Decimal("8.5"))


def test_a_weighted_sum_is_rounded_up_at_its_twentieth_decimal(store_under_test: StoreUnderTest) -> None:
    store_under_test.deliver([seat("1", 16, 1, region="eu"), seat("2", 16, -1, region="us")])

    found = asked(store_under_test, weighted(DAY, group_by=("property:region",)))

    assert [one.value for one in found] == [Decimal("0.33333333333333333334"), Decimal("-0.33333333333333333333")]


def test_values_from_before_what_is_weighed_count_from_its_beginning_on(store_under_test: StoreUnderTest) -> None:
    store_under_test.deliver([seat("1", 2, 6), seat("2", 18, 12)])
    weighing = Weighing(START + 12 * HOUR, 48 * HOUR)

    (found,) = asked(store_under_test, weighted(DAY, weighing=weighing))

    assert [found.value, found.total] == [(6 * 12 + 12 * 6) / Decimal(48), 18]


def test_each_segment_of_a_weighted_sum_is_weighed_by_itself(store_under_test: StoreUnderTest) -> None:
    hours = tuple(Segment(START + n * HOUR, START + (n + 1) * HOUR) for n in range(-12, 24))
    store_under_test.deliver([seat("1", 0.5, 8), seat("2", 22.75, 4)])

    found = asked(store_under_test, weighted(*hours))

    assert [[one.segment, one.value] for one in found] == [[12, 4], [34, 1]]


def test_the_largest_and_smallest_values_are_weighed_exactly(store_under_test: StoreUnderTest) -> None:
    years = Segment(datetime.fromisoformat("1980-01-01T00:00:00Z"), datetime.fromisoformat("2200-01-01T00:00:00Z"))
    sent = ["999999999999999.999999999999", "-999999999999999.999999999999", "0.000000000001"]
    store_under_test.deliver([seat(str(n), 0, value) for n, value in enumerate([sent[0]] * 3 + sent)])

    (found,) = asked(store_under_test, weighted(years))

    total = 3 * Decimal(sent[0]) + Decimal(sent[2])
    share = Decimal((years.end - START) // timedelta(microseconds=1)) / Decimal(
        (years.end - years.start) // timedelta(microseconds=1)
    )
    assert found.total == total
    assert found.value is not None
    assert abs(found.value - total * share) < Decimal("1e-9")


def test_a_void_changes_what_an_operation_and_a_value_meant(store_under_test: StoreUnderTest) -> None:
    store_under_test.deliver([seat("1", 0, 3), seat("2", 12, 3, "remove")])
    store_under_test.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "2"))

    assert [one.value for one in asked(store_under_test, unique(DAY))] == [1]
    assert [one.value for one in asked(store_under_test, weighted(DAY))] == [3]


@pytest.mark.parametrize("question", [unique(), weighted()])
def test_without_a_segment_there_is_no_value(store_under_test: StoreUnderTest, question: MeterQuestion) -> None:
    assert asked(store_under_test, question) == []


def test_values_are_split_by_the_filter_that_an_event_belongs_to(store_under_test: StoreUnderTest) -> None:
    filters = ({"region": ["eu", "us"]}, {"region": ["eu"], "size": []}, {"size": ["7"]})
    store_under_test.deliver(
        [
            seat("1", 1, "ada", region="eu"), seat("2", 2, "bob", region="us", size=1),
            seat("3", 3, "bob", "remove", region="eu", size="x"), seat("4", 4, "bob", region="eu"),
            seat("5", 5, "cyd", size=7.0), seat("6", 6, "dan", region='"'), seat("7", 7, "eve", region={"in": "eu"}),
        ]
    )  # fmt: skip
    plain = asked(store_under_test, unique(DAY, filters=filters, group_by=("customer",), with_events=True))
    counted = asked(
        store_under_test, MeterQuestion((DAY,), "seat", "count", None, "acme", filters=filters, with_events=True)
    )

    assert [[one.group, one.filter, one.value, one.events] for one in plain] == [
        [("acme",), 0, 2, 3],
        [("acme",), 1, 0, 1],
        [("acme",), 2, 1, 1],
        [("acme",), None, 2, 2],
    ]
    assert [[one.filter, one.value] for one in counted] == [[0, 3], [1, 1], [2, 1], [None, 2]]


def test_the_values_of_single_events_are_split_by_filters_too(store_under_test: StoreUnderTest) -> None:
    store_under_test.deliver([seat(str(n), 9 - n, n, region=region) for n, region in enumerate(("eu", "us", "eu"))])
    question = MeterQuestion(
        (DAY,), "seat", "sum", "seat", filters=({"region": ["eu"]},), with_events=True, with_values=True
    )

    assert [[one.filter, one.values] for one in asked(store_under_test, question)] == [[0, (2, 0)], [None, (1,)]]


def computed(expression: str, aggregation: Aggregation = "sum", **more: Any) -> MeterQuestion:
    return MeterQuestion((DAY,), "seat", aggregation, "seat", expression=expression, with_events=True, **more)


def test_an_expression_is_the_value_of_an_event_in_place_of_its_property(store_under_test: StoreUnderTest) -> None:
    store_under_test.deliver(
        [
            seat("1", 1, 99, cores=2, seconds="1800"), seat("2", 2, 99, cores=2, seconds=1800.0),
            seat("3", 3, 99, cores=1, seconds=0.0001), seat("4", 4, 99, cores=1),
            seat("5", 5, 99, cores=0, seconds="x"),
        ]
    )  # fmt: skip
    hours = "event.properties.cores * event.properties.seconds / 3600"

    found = {name: asked(store_under_test, computed(hours, name)) for name in ("sum", "max", "min", "latest")}

    assert {name: [[one.value, one.events] for one in values] for name, values in found.items()} == {
        "sum": [[Decimal("2.000000027778"), 3]],
        "max": [[1, 3]],
        "min": [[Decimal("0.000000027778"), 3]],
        "latest": [[Decimal("0.000000027778"), 3]],
    }
    values = asked(store_under_test, computed(hours, with_values=True))
    assert [list(one.values or ()) for one in values] == [[1, 1, Decimal("0.000000027778")]]


def test_an_expression_reads_the_time_and_the_type_of_an_event(store_under_test: StoreUnderTest) -> None:
    store_under_test.deliver([seat("1", 1.5, 1), seat("2", 3, 2)])
    start = int(START.timestamp())

    (sums,) = asked(store_under_test, computed(f"(event.timestamp - {start}) / 3600 * event.properties.seat"))
    (names,) = asked(store_under_test, computed("CONCAT(event.code, event.properties.seat)", "unique_count"))

    assert [sums.value, names.value] == [Decimal("7.5"), 2]


def test_values_that_expressions_make_are_told_apart_as_numbers_and_texts(store_under_test: StoreUnderTest) -> None:
    sent = [("1", 1), ("2", "1"), ("3", 2), ("4", 1.0), ("5", None), ("6", [1])]
    store_under_test.deliver([seat(event_id, 1, name) for event_id, name in sent])

    (as_they_are,) = asked(store_under_test, computed("event.properties.seat", "unique_count"))
    (numbers,) = asked(store_under_test, computed("event.properties.seat * 1.00", "unique_count"))

    assert [[one.value, one.events] for one in (as_they_are, numbers)] == [[3, 4], [2, 4]]


@pytest.mark.parametrize("made", ["'many'", "1 / 0", "1000000000000000", "999999999999999.9999999999999", "'1e400'"])
def test_what_an_expression_makes_has_to_fit_as_a_value(store_under_test: StoreUnderTest, made: str) -> None:
    store_under_test.deliver([seat("1", 1, 1)])

    assert asked(store_under_test, computed(made, "max")) == [MeterValue(0, (), None, 0)]


def test_expressions_filters_operations_and_groups_go_together(store_under_test: StoreUnderTest) -> None:
    store_under_test.deliver(
        [
            seat("1", 1, "ada", region="eu", team="a"), seat("2", 2, "ada", region="eu", team="b"),
            seat("3", 3, "ada", "remove", region="eu", team="a"), seat("4", 4, "ada", region="us", team="a"),
        ]
    )  # fmt: skip
    question = computed(
        "CONCAT(event.properties.team, event.properties.seat)",
        "unique_count",
        operation_property="operation",
        filters=({"region": ["eu"]},),
        group_by=("customer",),
    )

    found = asked(store_under_test, question)

    assert [[one.group, one.filter, one.value, one.events] for one in found] == [
        [("acme",), 0, 1, 3],
        [("acme",), None, 1, 1],
    ]
