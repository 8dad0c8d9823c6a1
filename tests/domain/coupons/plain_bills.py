"""A plain reading of what coupons take off bills, in whole minor units and fractions: a reference to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

from domain.charges.currencies import minor_digits
from domain.coupons.taking_off import Bill, InForce

#: Of each bill: number of the coupon, and cents off by index of the charge.
Plain = list[list[tuple[int, dict[int, int]]]]


def plain_reading(coupons: Sequence[InForce], bills: Sequence[Bill]) -> tuple[Plain, dict[int, Any]]:
    """What each bill has taken off in minor units, and what is left of each coupon. Every amount must be known."""
    left: dict[int, Any] = {one.number: _first(one) for one in coupons}
    metered = [one for one in coupons if one.terms.meters]
    planned = [one for one in coupons if one.terms.plans]
    rest = [one for one in coupons if not one.terms.meters and not one.terms.plans]
    order = [
        one for group in (metered, planned, rest) for one in sorted(group, key=lambda one: (one.since, one.number))
    ]
    found: Plain = []
    for bill in bills:
        cents = [_cents(charge.amount, bill.currency) for charge in bill.charges]
        of_bill = []
        for one in order:
            terms = one.terms
            if bill.at < one.since or (one.end is not None and bill.at >= one.end) or left[one.number] == 0:
                continue
            reach = [
                number
                for number, charge in enumerate(bill.charges)
                if (charge.plan in terms.plans or not terms.plans)
                and (charge.meter in terms.meters or not terms.meters)
            ]
            base = sum(cents[number] for number in reach)
            if terms.percentage is not None:
                off = min(base, _half_up(Fraction(base) * Fraction(terms.percentage) / 100))
            elif terms.currency != bill.currency:
                off = 0
            elif terms.frequency == "once":
                off = min(base, left[one.number])
            else:
                off = min(base, _cents(terms.amount, bill.currency))
            if not off:
                continue
            parts, so_far, given = {}, 0, 0
            for number in reach:
                so_far += cents[number]
                due = _half_up(Fraction(off * so_far, base))
                parts[number] = due - given
                given = due
            for number, part in parts.items():
                cents[number] -= part
            of_bill.append((one.number, {number: part for number, part in parts.items() if part}))
            if terms.frequency == "recurring":
                left[one.number] -= 1
            elif terms.frequency == "once":
                left[one.number] = 0 if terms.amount is None else left[one.number] - off
        found.append(of_bill)
    return found, left


def _first(one: InForce) -> int | None:
    if one.terms.frequency == "recurring":
        return one.terms.periods
    if one.terms.frequency == "forever":
        return None
    return 1 if one.terms.amount is None else _cents(one.terms.amount, one.terms.currency or "")


def _cents(amount: Decimal | None, currency: str) -> int:
    assert amount is not None
    return int(amount.scaleb(minor_digits(currency)))


def _half_up(number: Fraction) -> int:
    return floor(number + Fraction(1, 2))
