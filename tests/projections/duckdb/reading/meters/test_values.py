"""Meter values keep every digit that was sent, and ignore what is not a number."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.scope import Scope
from projections.queries.meters import Aggregation, MeterQuestion
from projections.queries.usage import Segment
from tests.projections.store_builder import START, PlainEvent, StoreBuilder

STORE = StoreBuilder()
STORE.at(1)
SCOPES = (Scope(f"t{number}", "prod") for number in count())
DAY = Segment(START, START + timedelta(days=1))
EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN)

plain_numbers = st.decimals(Decimal(-(10**14)), Decimal(10**14), places=12).map(lambda number: format(number, "f"))
long_fractions = st.from_regex(r"\A-?(0|[1-9][0-9]{0,13})\.[0-9]{10,14}50{0,6}\Z")
with_exponent = st.tuples(st.integers(-(10**12), 10**12), st.integers(-14, 2)).map(
    lambda parts: f"{parts[0]}e{parts[1]}"
)


def value_of(text: str, aggregation: Aggregation = "sum", path: str = "v") -> Decimal | None:
    scope = next(SCOPES)
    STORE.add_events(scope, [PlainEvent(type="t", properties=text)])
    with STORE.reads.snapshot() as snapshot:
        (found,) = snapshot.meter(scope, MeterQuestion((DAY,), "t", aggregation, path))
    return found.value


@given(st.lists(st.one_of(plain_numbers, long_fractions, with_exponent), min_size=1, max_size=8), st.booleans())
@settings(max_examples=80, deadline=None)
def test_sums_have_every_digit_that_was_sent(texts: list[str], quoted: bool) -> None:
    scope = next(SCOPES)
    documents = [
        f'{{"note": "a 1: 2, \\" {n}", "v": {json.dumps(text) if quoted else text}}}' for n, text in enumerate(texts)
    ]
    STORE.add_events(scope, [PlainEvent(type="t", properties=text, row=row) for row, text in enumerate(documents)])
    with STORE.reads.snapshot() as snapshot:
        (found,) = snapshot.meter(scope, MeterQuestion((DAY,), "t", "sum", "v"))
    expected = Decimal(0)
    for text in texts:
        value = EXACT.create_decimal(text).quantize(Decimal("1e-12"), ROUND_HALF_EVEN, EXACT)
        expected = EXACT.add(expected, value if abs(value) < 10**15 else Decimal(0))
    assert found.value == expected


@pytest.mark.parametrize(
    "value",
    [
        '"NaN"', '"Infinity"', '"1_000"', '"0x10"', '"٣"', '" 1"', '""', "true", "null", "[1]", '{"a": 1}', "1e400",
        '"1e999999999999"', "1000000000000000", '"' + "1" * 39 + '"', "0." + "1" * 38,
    ],
)  # fmt: skip
def test_what_is_no_number_or_does_not_fit_is_no_value(value: str) -> None:
    assert value_of(f'{{"v": {value}}}', "max") is None


@pytest.mark.parametrize("name", ["a/b", "a~b", "$", "*", "[0]", "'; DROP TABLE kinds; --", '"', "", "#", "é", "/"])
def test_any_name_of_a_member_can_be_read(name: str) -> None:
    assert value_of(json.dumps({name: 1, "other": 2}), path=name) == 1


def test_a_path_goes_into_objects() -> None:
    assert value_of('{"a": {"b": {"c": 3}}}', path="a.b.c") == 3
    assert value_of('{"a": 1}', path="a.b.c") == 0


def test_a_document_that_is_not_json_has_no_values_and_breaks_nothing() -> None:
    assert value_of('{"v": "\\ud800"}', "max") is None


def test_unique_values_differ_by_their_json_text() -> None:
    scope = next(SCOPES)
    texts = ['{"v": 1}', '{"v": "1"}', '{"v": 1}', '{"v": null}', "{}", '{"v": [1]}']
    STORE.add_events(scope, [PlainEvent(type="t", properties=text, row=row) for row, text in enumerate(texts)])
    with STORE.reads.snapshot() as snapshot:
        (found,) = snapshot.meter(scope, MeterQuestion((DAY,), "t", "unique_count", "v"))
    assert found.value == 3


def test_the_latest_of_equal_times_has_the_greatest_content_digest() -> None:
    scope = next(SCOPES)
    events = [
        PlainEvent(type="t", properties='{"v": 1}', content=2**64 - 1, row=1),
        PlainEvent(type="t", properties='{"v": 2}', content=5, row=2),
        PlainEvent(type="t", properties='{"v": "x"}', time=START + timedelta(hours=1), row=3),
    ]
    STORE.add_events(scope, events)
    with STORE.reads.snapshot() as snapshot:
        (found,) = snapshot.meter(scope, MeterQuestion((DAY,), "t", "latest", "v"))
    assert found.value == 1
