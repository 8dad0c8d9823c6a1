"""Numbers, periods and names are written so that a person reads them at a glance and nothing misleads."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.portal.texts import (
    NAME_LENGTH_MAX,
    amount_text,
    axis_text,
    decimals_for,
    moment_text,
    money_text,
    name_text,
    period_text,
    quantity_text,
    short_texts,
    shown_name,
    sum_text,
)
from domain.values.periods import Interval

BERLIN = ZoneInfo("Europe/Berlin")
UTC_ZONE = ZoneInfo("UTC")
DASH = "\N{EN DASH}"


def period(start: str, end: str, zone: ZoneInfo = UTC_ZONE) -> Interval:
    """A period between local wall times."""
    return Interval(*(datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC) for text in (start, end)))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-03-01", "2026-04-01", "March 2026"),
        ("2026-01-01", "2027-01-01", "2026"),
        ("2026-03-09", "2026-03-16", f"9 {DASH} 15 March 2026"),
        ("2026-03-30", "2026-04-06", f"30 March {DASH} 5 April 2026"),
        ("2025-12-15", "2026-01-15", f"15 December 2025 {DASH} 14 January 2026"),
        ("2026-03-10", "2026-03-11", "10 March 2026"),
        ("2026-03-15T10:00", "2026-04-01", f"15 March 2026, 10:00 {DASH} 1 April 2026, 00:00"),
    ],
)
def test_a_period_is_named_by_its_local_days_and_the_last_one_is_inside(start: str, end: str, expected: str) -> None:
    for zone in (UTC_ZONE, BERLIN):
        assert period_text(period(start, end, zone), zone) == expected


def test_what_has_no_end_says_since_when_it_is() -> None:
    assert period_text(period("2026-03-01", "9999-01-01"), UTC_ZONE, True) == "since 1 March 2026"


def test_a_time_that_occurs_twice_has_its_offset() -> None:
    assert moment_text(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), BERLIN) == "25 October 2026, 02:30 +0200"
    assert moment_text(datetime(2026, 10, 25, 1, 30, tzinfo=UTC), BERLIN) == "25 October 2026, 02:30 +0100"


@pytest.mark.parametrize(
    ("periods", "expected"),
    [
        ([("2026-01-01", "2026-02-01"), ("2026-02-01", "2026-03-01")], ["Jan", "Feb"]),
        ([("2026-03-02", "2026-03-09"), ("2026-03-09", "2026-03-16")], ["2 Mar", "9 Mar"]),
        ([("2026-03-02T00:00", "2026-03-02T06:00"), ("2026-03-02T06:00", "2026-03-02T12:00")], ["00:00", "06:00"]),
    ],
)
def test_bars_are_named_by_what_tells_them_apart(periods: list[tuple[str, str]], expected: list[str]) -> None:
    assert short_texts([period(*one) for one in periods], UTC_ZONE) == expected


@pytest.mark.parametrize(
    ("amount", "alone", "in_a_column", "as_quantity"),
    [
        ("0", "0.00", "0.0000", "0"),
        ("1234.5678", "1,234.57", "1,234.5678", "1,234.5678"),
        ("0.0125", "0.0125", "0.0125", "0.0125"),
        ("0.0000001", "<0.000001", "<0.0001", "<0.000001"),
        ("2.5", "2.50", "2.5000", "2.5"),
        ("2.005", "2.01", "2.0050", "2.005"),
        ("-2.005", "-2.01", "-2.0050", "-2.005"),
        ("1.00005", "1.00", "1.0001", "1.00005"),
    ],
)
def test_amounts_have_the_decimals_of_their_place(amount: str, alone: str, in_a_column: str, as_quantity: str) -> None:
    value = Decimal(amount)
    assert (sum_text(value, "USD"), amount_text(value, 4), quantity_text(value)) == (alone, in_a_column, as_quantity)


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("1.005", "TND", "1.005 TND"),
        ("1234.567", "KWD", "1,234.567 KWD"),
        ("0.5", "KWD", "0.500 KWD"),
        ("1100", "JPY", "1,100 JPY"),
        ("1099.5", "JPY", "1,100 JPY"),
        ("0", "JPY", "0 JPY"),
        ("2.005", "USD", "2.01 USD"),
        ("1.00005", "CLF", "1.0001 CLF"),
        ("2.5", "XAU", "2.50 XAU"),
    ],
)
def test_money_has_the_decimals_of_its_currency_and_is_rounded_half_up(
    amount: str, currency: str, expected: str
) -> None:
    assert money_text(Decimal(amount), currency) == expected


def test_a_column_has_as_many_decimals_as_its_longest_amount_up_to_six() -> None:
    assert decimals_for([Decimal("1"), Decimal("0.25"), Decimal("0.1250")]) == 3
    assert decimals_for([Decimal("0.123456789012")]) == 6
    assert decimals_for([]) == 2


@pytest.mark.parametrize(
    ("amount", "expected"),
    [("400", "400"), ("9000", "9,000"), ("60000", "60K"), ("2500000", "2.5M"), ("40000000", "40M"), ("0.05", "0.05")],
)
def test_an_axis_is_short(amount: str, expected: str) -> None:
    assert axis_text(Decimal(amount)) == expected


@pytest.mark.parametrize("name", [None, "", " ", " \u200b ", "\u200b", "\u202e\t\u00a0", "\n\x00"])
def test_a_name_that_shows_nothing_gives_way_to_another(name: str | None) -> None:
    assert shown_name(name, "the id") == "the id"


def test_a_name_that_shows_something_is_shown() -> None:
    assert shown_name("a\u200bb", "the id") == "a\N{REPLACEMENT CHARACTER}b"
    assert name_text(" \u200b ") == "U+0020 U+200B U+0020"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_name_is_never_empty_never_long_and_turns_nothing(name: str) -> None:
    shown = name_text(name)
    assert 0 < len(shown.strip()) <= NAME_LENGTH_MAX
    assert not {*"\0\x1b\n\N{RIGHT-TO-LEFT OVERRIDE}\N{ZERO WIDTH SPACE}\N{RIGHT-TO-LEFT ISOLATE}"} & {*shown}
