"""Expressions are exact, and tell why they have no value for an event."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from domain.meters.expressions.evaluation import TEXT_LENGTH_MAX, NoValue, expression
from domain.values.json_numbers import number_keeping_decoder

AT = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
DATA = {
    "a": 7, "b": "2.5", "c": Decimal("0.1"), "d": 1e-7, "raw": Raw(b"1.50e1"), "zero": 0, "yes": True, "text": "x y",
    "in": {"side": 3, "list": [1]}, "none": None, "ä_1": 4,
    "huge": "1e30", "too_long": "1" * 39, "too_far": "1e39",
}  # fmt: skip


def value(text: str) -> Any:
    return expression(text).value_in(DATA, AT, "disk")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1),
        ("007.50", Decimal("7.5")),
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("10 - 4 - 3", 3),
        ("12 / 3 / 2", 2),
        ("2-1", 1),
        ("-2 * -3", 6),
        ("--2", 2),
        ("1 - -1", 2),
        ("\n event.properties.a\t*event.properties.b ", Decimal("17.5")),
        ("event.properties.c + 0.2", Decimal("0.3")),
        ("event.properties.d", Decimal("1e-7")),
        ("event.properties.raw", 15),
        ("event.properties.in.side", 3),
        ("event.properties.ä_1", 4),
        ("event.timestamp", Decimal("1772368215.25")),
        ("event.code", "disk"),
        ("'a b'", "a b"),
        ('"it\'s"', "it's"),
        ("ROUND(2.5)", 3),
        ("round(-2.5)", -3),
        ("Round(2.345, 2)", Decimal("2.35")),
        ("ROUND(149, -1 - 1)", 100),
        ("CEIL(event.properties.b)", 3),
        ("CEIL(2.01, 1)", Decimal("2.1")),
        ("FLOOR(event.properties.b)", 2),
        ("FLOOR(-event.properties.b)", -3),
        ("LEAST(3, event.properties.b, 10)", Decimal("2.5")),
        ("GREATEST(event.properties.b)", Decimal("2.5")),
        ("GREATEST(1, event.properties.a, '6')", 7),
        ("CONCAT(event.properties.text, '-', 1.50 * 2, event.code)", "x y-3disk"),
        ("CONCAT(event.properties.yes)", "true"),
        ("event.properties.huge * event.properties.huge / event.properties.huge", Decimal("1e30")),
    ],
)
def test_an_expression_has_a_value(text: str, expected: Any) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("event.properties.missing", "event.properties.missing is not there"),
        ("event.properties.none + 1", "event.properties.none is not there"),
        ("event.properties.a.b", "event.properties.a.b is not there"),
        ("event.properties.in", "event.properties.in is an object or an array"),
        ("CONCAT(event.properties.in.list)", "event.properties.in.list is an object or an array"),
        ("event.properties.text * 2", "a text is not a number"),
        ("event.properties.yes + 1", "a text is not a number"),
        ("LEAST('1 ')", "a text is not a number"),
        ("1 / event.properties.zero", "a result is too large, or divided by zero"),
        ("0 / 0", "a result is too large, or divided by zero"),
        ("ROUND(event.properties.huge * event.properties.huge, 38)", "a result is too large, or divided by zero"),
        ("ROUND(1, 0.5)", "ROUND rounds to -38 to 38 decimals"),
        ("FLOOR(1, 39)", "FLOOR rounds to -38 to 38 decimals"),
        ("event.properties.too_long + 0", "a number has more than 38 digits"),
        ("event.properties.too_far + 0", "a number has more than 38 digits"),
    ],
)
def test_an_expression_without_a_value_says_why(text: str, reason: str) -> None:
    assert value(text) == NoValue(reason)


def test_what_is_decoded_as_written_is_exact() -> None:
    data = number_keeping_decoder().decode('{"n": 12345678901234567.123456789, "i": 99999999999999999999}')

    assert expression("event.properties.n * 1").value_in(data, AT, "t") == Decimal("12345678901234567.123456789")
    assert expression("event.properties.i + 1").value_in(data, AT, "t") == Decimal(10**20)


def test_a_text_that_is_made_is_bounded() -> None:
    data = {"t": "x" * (TEXT_LENGTH_MAX // 2)}

    assert expression("CONCAT(event.properties.t, event.properties.t)").value_in(data, AT, "t") == "x" * TEXT_LENGTH_MAX
    too_long = expression("CONCAT(event.properties.t, event.properties.t, 1)").value_in(data, AT, "t")
    assert too_long == NoValue("CONCAT makes more than 10000 characters")


def test_an_expression_tells_what_it_reads() -> None:
    read = expression("event.properties.b.c + event.properties.a * -event.properties.b.c")
    timed = expression("ROUND(LEAST(1, event.timestamp - event.properties.a))")

    assert (read.paths, read.reads_time) == (("b.c", "a"), False)
    assert (timed.paths, timed.reads_time) == (("a",), True)


@given(st.recursive(
    st.integers(0, 99).map(str),
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda parts: f"({' '.join(parts)})"),
    max_leaves=25,
))  # fmt: skip
def test_arithmetic_is_that_of_whole_numbers(text: str) -> None:
    assert value(text) == eval(text)
