"""Amounts are parsed exactly, bounded, rounded to the picodollar, and formatted plainly."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.values.money import (
    DIGITS_MAX,
    Number,
    discount_percentage,
    marked_up,
    markup_percentage,
    money_text,
    rounded_cost,
    unit_price,
    usd,
)

amounts = st.decimals(0, 10**14, places=12)
percentages = st.decimals(-100, 10_000, places=6)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("0.0125", "0.0125"),
        ("12", "12"),
        (".5", "0.5"),
        ("+1.", "1"),
        ("1e-3", "0.001"),
        ("1E2", "100"),
        ("-0", "0"),
        ("0.0000000000005", "0"),
        ("0.0000000000015", "0.000000000002"),
        ("1e-9999", "0"),
        ("999999999999999.999999999999", "999999999999999.999999999999"),
        ("123456789012345.00000000000050000001", "123456789012345.000000000001"),
        (0.1, "0.1"),
        (7, "7"),
        (Decimal("1.50"), "1.5"),
    ],
)
def test_an_amount_is_parsed_exactly_to_twelve_decimals(written: Number, read: str) -> None:
    assert usd(written) == Decimal(read)
    assert usd(written).as_tuple().exponent == -12
    assert not usd(written).is_signed()


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("-0.01", "must not be negative"),
        (-1, "must not be negative"),
        ("1000000000000000", "must be less than 10^15"),
        (10**15, "must be less than 10^15"),
        pytest.param(10**5_000, f"must have at most {DIGITS_MAX} digits", id="an enormous integer"),
        ("1" * 39, f"must have at most {DIGITS_MAX} digits"),
        ("0." + "0" * 38, f"must have at most {DIGITS_MAX} digits"),
        pytest.param("9" * 5_000_000, f"must have at most {DIGITS_MAX} digits", id="megabytes of digits"),
        ("1e9999", "must be less than 10^15"),
        ("1e99999", "must be a decimal number, such as 0.0125"),
        ("NaN", "must be a decimal number, such as 0.0125"),
        ("sNaN", "must be a decimal number, such as 0.0125"),
        ("Infinity", "must be a decimal number, such as 0.0125"),
        (float("nan"), "must be a decimal number, such as 0.0125"),
        (float("-inf"), "must be a decimal number, such as 0.0125"),
        (Decimal("NaN"), "must be a decimal number, such as 0.0125"),
        ("", "must be a decimal number, such as 0.0125"),
        (" 1", "must be a decimal number, such as 0.0125"),
        ("1_000", "must be a decimal number, such as 0.0125"),
        ("\u0661", "must be a decimal number, such as 0.0125"),
        ("1\n", "must be a decimal number, such as 0.0125"),
        (True, "must be a decimal number"),
    ],
)
def test_an_invalid_amount_is_refused_with_its_rule(written: Number, rule: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        usd(written, "max_budget")
    assert (refused.value.field, refused.value.rule) == ("max_budget", rule)


def test_a_unit_price_is_never_rounded() -> None:
    for text in ("0.083333333333333333", "123456789012345.123456789012345678"):
        assert str(unit_price(text, "input")) == text
    with pytest.raises(InvalidInput, match="must have at most 18 decimals"):
        unit_price("0.0833333333333333333", "input")


@pytest.mark.parametrize(
    ("written", "rule"), [("-100.1", "must be between"), ("10001", "must be between"), ("0.0000001", "must have")]
)
def test_a_markup_out_of_bounds_is_refused(written: str, rule: str) -> None:
    with pytest.raises(InvalidInput, match=rule):
        markup_percentage(written)


@given(amounts, percentages)
def test_a_markup_is_exact(raw: Decimal, percentage: Decimal) -> None:
    assert Fraction(marked_up(raw, percentage)) == Fraction(raw) * (1 + Fraction(percentage) / 100)


@given(st.decimals(-(10**20), 10**20, places=16))
def test_rounding_is_half_even_to_the_picodollar(amount: Decimal) -> None:
    assert Fraction(rounded_cost(amount)) == Fraction(round(Fraction(amount) * 10**12), 10**12)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0.012500000000", "0.0125"),
        ("0E-12", "0"),
        ("-0", "0"),
        ("1E+3", "1000"),
        ("-3.10", "-3.1"),
        ("1e-12", "0." + "0" * 11 + "1"),
    ],
)
def test_money_is_shown_without_exponent_and_trailing_zeros(amount: str, text: str) -> None:
    assert money_text(Decimal(amount)) == text


@given(amounts)
def test_money_text_is_parsed_to_an_equal_amount(amount: Decimal) -> None:
    assert usd(money_text(amount)) == amount


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("-0.1", "must be between 0 and 100"),
        ("100.000001", "must be between 0 and 100"),
        ("0.0000001", "must have at most 6 decimals"),
        ("half", "must be a decimal number, such as 0.0125"),
    ],
)
def test_a_discount_out_of_bounds_is_refused(written: str, rule: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        discount_percentage(written)
    assert (refused.value.field, refused.value.rule) == ("percentage", rule)


def test_a_discount_is_read_exactly() -> None:
    assert [str(discount_percentage(one)) for one in ("-0", "12.500001", "100")] == ["0", "12.500001", "100"]
