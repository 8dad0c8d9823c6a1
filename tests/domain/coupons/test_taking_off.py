"""What coupons take off bills: order, shares, remainders, currencies and unknown amounts."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.charges.currencies import minor_digits
from domain.coupons import taking_off
from domain.coupons.taking_off import Bill, Charged, InForce, Left, Taken, Terms, spread, stored_terms, taken_off
from tests.domain.coupons.plain_bills import plain_reading

START = datetime(2026, 1, 1, tzinfo=UTC)
MONTH = timedelta(days=30)


def fixed(amount: str, frequency: str = "once", currency: str = "USD", **more: Any) -> Terms:
    return Terms(Decimal(amount), currency, None, frequency, **more)


def percent(percentage: str, frequency: str = "forever", **more: Any) -> Terms:
    return Terms(None, None, Decimal(percentage), frequency, **more)


def applied(*terms: Terms) -> list[InForce]:
    return [InForce(number, one, START) for number, one in enumerate(terms, 1)]


def bill(*amounts: str | None, month: int = 1, currency: str = "USD") -> Bill:
    """A bill of the plan `pro` with a charge for each of the meters m0, m1 and so on."""
    charges = (
        Charged("sub", "pro", f"c{number}", f"m{number}", None if amount is None else Decimal(amount))
        for number, amount in enumerate(amounts)
    )
    return Bill(START + month * MONTH, currency, tuple(charges))


def amounts_off(coupons: list[InForce], *bills: Bill) -> list[list[tuple[int, str | None]]]:
    return [
        [(one.number, None if one.amount is None else str(one.amount)) for one in of_bill]
        for of_bill in taken_off(coupons, bills)
    ]


def test_the_examples_of_the_docstrings_hold() -> None:
    assert doctest.testmod(taking_off) == doctest.TestResults(failed=0, attempted=7)


def test_an_amount_that_is_taken_once_carries_its_remainder_over_bills() -> None:
    found = taken_off(
        applied(fixed("20")), [bill("12.50"), bill("5", month=2), bill("30", month=3), bill("9", month=4)]
    )
    assert found == [
        (Taken(1, Decimal("12.50"), ((0, Decimal("12.50")),), Left(Decimal("7.50"))),),
        (Taken(1, Decimal(5), ((0, Decimal("5.00")),), Left(Decimal("2.50"))),),
        (Taken(1, Decimal("2.50"), ((0, Decimal("2.50")),), Left(Decimal("0.00"), used_up=True)),),
        (),
    ]


def test_a_percentage_that_is_taken_once_is_used_up_by_the_first_bill_that_it_takes_something_off() -> None:
    coupons = applied(percent("50", "once"))
    assert amounts_off(coupons, bill("0"), bill("8", month=2), bill("8", month=3)) == [[], [(1, "4.00")], []]


def test_a_recurring_coupon_takes_the_whole_amount_off_so_many_bills() -> None:
    coupons = applied(fixed("5", "recurring", periods=2))
    bills = [bill("3"), bill("0", month=2), bill("30", month=3), bill("30", month=4)]
    assert amounts_off(coupons, *bills) == [[(1, "3")], [], [(1, "5")], []]
    assert [one.left for of_bill in taken_off(coupons, bills) for one in of_bill] == [
        Left(periods=1),
        Left(periods=0, used_up=True),
    ]


def test_a_coupon_forever_takes_its_amount_off_every_bill() -> None:
    bills = [bill("30", month=month) for month in range(3)]
    assert amounts_off(applied(fixed("5", "forever")), *bills) == [[(1, "5")]] * 3


def test_limited_coupons_come_first_and_the_others_as_they_were_applied() -> None:
    coupons = applied(
        percent("10"), fixed("1", "forever"), percent("50", plans=("pro",)), fixed("2", "forever", meters=("m0",))
    )
    assert amounts_off(coupons, bill("6", "4")) == [[(4, "2"), (3, "4.00"), (1, "0.40"), (2, "1")]]
    later = [InForce(1, percent("10"), START + timedelta(1)), InForce(2, fixed("1", "forever"), START)]
    assert amounts_off(later, bill("11")) == [[(2, "1"), (1, "1.00")]]


def test_a_limited_coupon_takes_something_off_the_charges_in_its_reach_alone() -> None:
    (of_meter,) = taken_off(applied(percent("50", meters=("m1", "m7"))), [bill("6", "4")])
    assert [one.parts for one in of_meter] == [((1, Decimal("2.00")),)]
    assert amounts_off(applied(fixed("5", plans=("team",))), bill("6", "4")) == [[]]


def test_nothing_is_taken_off_in_another_currency_but_percentages() -> None:
    coupons = applied(fixed("5", "forever"), percent("12.5"))
    assert amounts_off(coupons, bill("250", currency="JPY")) == [[(2, "31")]]


def test_a_coupon_is_in_force_from_its_start_to_its_end() -> None:
    at = START + MONTH
    for since, end, holds in (
        (at, None, True),
        (at + timedelta(microseconds=1), None, False),
        (START, at + timedelta(microseconds=1), True),
        (START, at, False),
        (at, at, False),
    ):
        found = amounts_off([InForce(1, percent("10"), since, end)], bill("10"))
        assert found == ([[(1, "1.00")]] if holds else [[]])


def test_an_unknown_charge_makes_unknown_what_is_taken_off_it_and_what_follows() -> None:
    coupons = applied(fixed("5", meters=("m0",)), fixed("3", meters=("m1",)), percent("10"))
    first, second = taken_off(coupons, [bill(None, "4"), bill("9", "4", month=2)])
    unknown = Left(used_up=None)
    assert first == (
        Taken(1, None, ((0, None),), unknown),
        Taken(2, Decimal(3), ((1, Decimal("3.00")),), Left(Decimal(0), used_up=True)),
        Taken(3, None, ((0, None), (1, None)), Left()),
    )
    assert second == (
        Taken(1, None, ((0, None),), unknown),
        Taken(3, None, ((0, None), (1, None)), Left()),
    )


def test_an_amount_in_another_currency_stays_what_it_is_beside_unknown_charges() -> None:
    assert taken_off(applied(fixed("5", currency="EUR")), [bill(None)]) == [()]


def test_terms_are_read_from_their_stored_form() -> None:
    stored = {"coupon": "x", "amount": "5", "currency": "USD", "frequency": "recurring", "periods": 3, "plans": ["pro"]}
    assert stored_terms(stored) == fixed("5", "recurring", periods=3, plans=("pro",))
    assert stored_terms({"percentage": "12.5", "frequency": "forever"}) == percent("12.5")


CENTS = st.integers(0, 2_000)


@given(total=CENTS, over=st.lists(CENTS, min_size=1, max_size=6))
def test_shares_add_up_and_none_is_more_than_its_charge(total: int, over: list[int]) -> None:
    off = min(total, sum(over))
    parts = spread(Decimal(off), [Decimal(one) for one in over], "JPY")
    assert sum(parts) == off
    assert all(0 <= part <= one for part, one in zip(parts, over, strict=True))


@st.composite
def many_terms(draw: st.DrawFn) -> Terms:
    frequency = draw(st.sampled_from(["once", "recurring", "forever"]))
    kind, one = draw(st.sampled_from([("plans", "p"), ("meters", "m"), ("", "")])), draw(st.integers(0, 1))
    more: dict[str, Any] = {kind[0]: (f"{kind[1]}{one}",)} if kind[0] else {}
    if frequency == "recurring":
        more["periods"] = draw(st.integers(1, 3))
    if draw(st.booleans()):
        return percent(str(draw(st.sampled_from(["0.5", "7.25", "33.333", "50", "100", "250"]))), frequency, **more)
    currency = draw(st.sampled_from(["USD", "JPY"]))
    return fixed(str(Decimal(draw(st.integers(1, 1_000))).scaleb(-minor_digits(currency))), frequency, currency, **more)


@st.composite
def many_bills(draw: st.DrawFn) -> list[Bill]:
    found = []
    for month in range(draw(st.integers(1, 5))):
        currency = draw(st.sampled_from(["USD", "USD", "JPY"]))
        cents = draw(st.lists(st.tuples(CENTS, st.integers(0, 1), st.integers(0, 2)), max_size=4))
        charges = tuple(
            Charged("sub", f"p{plan}", str(number), f"m{meter}", Decimal(amount).scaleb(-minor_digits(currency)))
            for number, (amount, plan, meter) in enumerate(cents)
        )
        found.append(Bill(START + month * MONTH, currency, charges))
    return found


@given(terms=st.lists(st.tuples(many_terms(), st.integers(0, 3), st.integers(0, 5)), max_size=4), bills=many_bills())
def test_what_is_taken_off_is_what_a_plain_reading_takes(
    terms: list[tuple[Terms, int, int]], bills: list[Bill]
) -> None:
    coupons = [
        InForce(number, one, START + since * MONTH / 2, START + (since + lasts) * MONTH if lasts else None)
        for number, (one, since, lasts) in enumerate(terms, 1)
    ]
    expected, left = plain_reading(coupons, bills)
    found = taken_off(coupons, bills)
    in_cents = [
        [
            (
                one.number,
                {index: int((part or Decimal(0)).scaleb(minor_digits(of.currency))) for index, part in one.parts},
            )
            for one in taken
        ]
        for of, taken in zip(bills, found, strict=True)
    ]
    assert in_cents == expected
    for of, taken in zip(bills, found, strict=True):
        for index, charge in enumerate(of.charges):
            off = sum((part or Decimal(0) for one in taken for at, part in one.parts if at == index), Decimal(0))
            assert Decimal(0) <= off <= (charge.amount or Decimal(0))
        assert all(one.amount == sum((part or Decimal(0) for _, part in one.parts), Decimal(0)) for one in taken)
    last = {one.number: one.left for taken in found for one in taken}
    for one in coupons:
        if one.number in last and one.terms.frequency == "recurring":
            assert last[one.number].periods == left[one.number]
        if one.number in last and one.terms.frequency == "once" and one.terms.amount is not None:
            assert last[one.number].amount == Decimal(left[one.number]).scaleb(-minor_digits(one.terms.currency or ""))


def test_no_coupons_take_nothing() -> None:
    assert taken_off([], [bill("5")]) == [()]


@pytest.mark.parametrize("frequency", ["once", "recurring", "forever"])
def test_a_coupon_for_more_than_everything_leaves_nothing(frequency: str) -> None:
    terms = percent("250", frequency, periods=1 if frequency == "recurring" else None)
    assert amounts_off(applied(terms), bill("5", "2.50")) == [[(1, "7.50")]]
