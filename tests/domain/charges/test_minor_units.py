"""An amount is rounded once, half-up, to the minor unit that its currency has."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.charges.currencies import CURRENCY_MINOR_DIGITS, minor_digits, rounded
from domain.errors import InvalidInput

currencies = st.sampled_from(sorted(CURRENCY_MINOR_DIGITS))


@pytest.mark.parametrize(
    ("digits", "codes"),
    [
        (0, "JPY KRW VND CLP ISK UGX XAF XOF XPF BIF DJF GNF KMF PYG RWF VUV"),
        (2, "USD EUR GBP INR BRL MGA MRU HUF TWD ZAR XCD XCG ZWG"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    ],
)
def test_currencies_have_the_digits_of_iso_4217(digits: int, codes: str) -> None:
    assert {minor_digits(code) for code in codes.split()} == {digits}


def test_a_withdrawn_currency_of_the_last_years_is_still_known() -> None:
    assert [minor_digits(code) for code in ("HRK", "BGN", "BYR")] == [2, 2, 0]


@pytest.mark.parametrize("code", ["", "usd", "US", "XYZ", "XAU", "XXX", "USD ", "DEM"])
def test_a_code_without_a_minor_unit_is_refused(code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        rounded(Decimal(1), code)
    assert (refused.value.field, refused.value.rule) == (
        "currency",
        "must be a currency of ISO 4217, in upper case, such as USD",
    )


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("0.125", "USD", "0.13"),
        ("0.124999999999999999999999999999999999999", "USD", "0.12"),
        ("12", "USD", "12.00"),
        ("12.5", "JPY", "13"),
        ("12.499", "JPY", "12"),
        ("0.0005", "KWD", "0.001"),
        ("1.00005", "CLF", "1.0001"),
        ("-0.125", "USD", "-0.13"),
        ("-0.004", "USD", "0.00"),
        ("0E-30", "JPY", "0"),
        ("1E+40", "USD", "10000000000000000000000000000000000000000.00"),
    ],
)
def test_an_amount_is_rounded_half_up(amount: str, currency: str, expected: str) -> None:
    assert str(rounded(Decimal(amount), currency)) == expected


@given(st.decimals(0, 10**15, places=20), currencies)
def test_no_minor_unit_is_nearer_than_the_rounded_amount(amount: Decimal, currency: str) -> None:
    minor_units = Fraction(amount) * 10 ** minor_digits(currency)
    nearest = math.floor(minor_units + Fraction(1, 2))
    assert Fraction(rounded(amount, currency)) == Fraction(nearest, 10 ** minor_digits(currency))
