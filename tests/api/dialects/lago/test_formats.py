"""How values are written for Lago's clients."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from api.dialects.lago.formats import amount_of_cents, cents, decimal_text, precise_instant, shown_instant
from api.dialects.lago.lago_ids import lago_id
from domain.charges.decimal_context import EXACT
from domain.scope import Scope

MOMENT = datetime(2022, 4, 29, 10, 59, 51, 123999, tzinfo=timezone(timedelta(hours=2)))


def test_instants_are_cut_off_to_whole_seconds_and_those_of_events_to_milliseconds() -> None:
    assert (shown_instant(MOMENT), precise_instant(MOMENT)) == ("2022-04-29T08:59:51Z", "2022-04-29T08:59:51.123Z")
    assert shown_instant(None) is None


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (4, "4.0"),
        (Decimal("0.320"), "0.32"),
        (Decimal("1E+3"), "1000.0"),
        (Decimal("1E-9"), "0.000000001"),
        (Decimal("-0.00"), "0.0"),
        (Decimal("-1.50"), "-1.5"),
        (0, "0.0"),
    ],
)
def test_numbers_are_text_with_a_fraction_and_without_an_exponent(number: Decimal | int, text: str) -> None:
    assert decimal_text(number) == text


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("4.005", "USD", 401), ("12.5", "JPY", 13), ("1.2345", "BHD", 1235), ("-0.004", "EUR", 0), ("7", "CLF", 70000)],
)
def test_money_is_a_whole_number_of_minor_units(amount: str, currency: str, minor: int) -> None:
    assert cents(Decimal(amount), currency) == minor


@pytest.mark.parametrize(
    ("minor", "currency", "amount"), [(401, "USD", "4.01"), (13, "JPY", "13"), (1, "BHD", "0.001")]
)
def test_minor_units_are_an_exact_amount(minor: int, currency: str, amount: str) -> None:
    assert amount_of_cents(minor, currency) == Decimal(amount)


def test_the_largest_amounts_are_exact() -> None:
    most = 999_999_999_999_999
    assert cents(EXACT.multiply(Decimal(most), Decimal(most)), "USD") == 100 * most * most
    digits = 123_456_789_012_345_678_901_234_567_890_123_456
    assert cents(Decimal(digits).scaleb(-2, EXACT), "USD") == digits
    assert amount_of_cents(digits, "USD") == Decimal("1234567890123456789012345678901234.56")


def test_each_life_of_each_resource_of_each_scope_has_an_id_of_its_own() -> None:
    born, again = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    prod, test = Scope("acme", "prod"), Scope("acme", "test")
    ids = [
        lago_id(prod, "plan", "a"),
        lago_id(test, "plan", "a"),
        lago_id(prod, "charge", "a"),
        lago_id(prod, "plan", "a", born),
        lago_id(prod, "plan", "a", again),
        lago_id(prod, "plan", "a", born, part="1"),
        lago_id(prod, "plan", 'a", "b'),
    ]
    assert len(set(ids)) == len(ids)
    assert [str(UUID(one)) for one in ids] == ids
    assert ids[0] == lago_id(Scope("acme", "prod"), "plan", "a")
