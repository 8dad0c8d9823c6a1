"""What the applied coupons of a customer take off its bills, and what remains of each. Pure.

A bill is what a customer's billing periods that end at one instant cost in one currency. Bills are taken in order of
time. From each bill:

1. The coupons that are in force then take something off one after the other: first those limited to meters, then
   those limited to plans, then the others; among these, as they were applied.
2. A coupon takes its amount, or its percentage rounded half up to the minor unit, of what earlier ones left of the
   charges that it is limited to; never more than that. An amount in another currency takes nothing.
3. What it takes is spread over these charges in proportion to what is left of each, in whole minor units.
4. "once" means a percentage of one bill, or an amount until it is used up; "recurring" so many bills, each with the
   whole amount; a bill that it takes nothing off does not count.

A charge with an unknown amount makes unknown what each coupon takes in whose reach it is, and what follows from that:
what is left of all charges in that reach, and of the coupon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from domain.charges.currencies import rounded
from domain.charges.decimal_context import EXACT
from domain.coupons.fields import FOREVER, ONCE, RECURRING

_NOTHING: Final = Decimal(0)


class Terms(msgspec.Struct, frozen=True):
    """What an applied coupon takes off: an amount of a currency, or a percentage.

    `plans`, `meters`: the only ones whose charges it concerns; at most one of them is not empty.
    """

    amount: Decimal | None
    currency: str | None
    percentage: Decimal | None
    frequency: str
    periods: int | None = None
    plans: tuple[str, ...] = ()
    meters: tuple[str, ...] = ()

    def concerns(self, charge: Charged) -> bool:
        """Whether a charge is in its reach."""
        return (not self.plans or charge.plan in self.plans) and (not self.meters or charge.meter in self.meters)


def stored_terms(fields: Mapping[str, Any]) -> Terms:
    """Read the terms of an applied coupon from their stored form."""
    amount, percentage = fields.get("amount"), fields.get("percentage")
    return Terms(
        None if amount is None else Decimal(amount),
        fields.get("currency"),
        None if percentage is None else Decimal(percentage),
        fields["frequency"],
        fields.get("periods"),
        tuple(fields.get("plans", ())),
        tuple(fields.get("meters", ())),
    )


class InForce(msgspec.Struct, frozen=True):
    """An applied coupon, and from when to when it holds: [since, end); `end` None: open."""

    number: int
    terms: Terms
    since: datetime
    end: datetime | None = None

    def holds(self, instant: datetime) -> bool:
        """Whether it is in force at an instant."""
        return self.since <= instant and (self.end is None or instant < self.end)

    @property
    def rank(self) -> tuple[bool, bool, datetime, int]:
        """The order in which coupons take something off a bill."""
        return not self.terms.meters, not self.terms.plans, self.since, self.number


class Charged(msgspec.Struct, frozen=True):
    """A charge of a bill. `amount` None: unknown."""

    subscription: str
    plan: str
    code: str
    meter: str
    amount: Decimal | None


class Bill(msgspec.Struct, frozen=True):
    """Charges in one currency that are due together. `at`: the instant at which coupons must be in force."""

    at: datetime
    currency: str
    charges: tuple[Charged, ...]


class Left(msgspec.Struct, frozen=True):
    """What an applied coupon can still take off.

    `amount`: of an amount that is taken once; None for others. `periods`: of a recurring one. `used_up`: it takes
    nothing any more; None: unknown, as are the two others then.
    """

    amount: Decimal | None = None
    periods: int | None = None
    used_up: bool | None = False


class Taken(msgspec.Struct, frozen=True):
    """What a coupon takes off a bill: `parts`, by index of the charge, with the sum `amount`; None: unknown.

    `left`: of the coupon after the bill.
    """

    number: int
    amount: Decimal | None
    parts: tuple[tuple[int, Decimal | None], ...]
    left: Left


def left_at_first(terms: Terms) -> Left:
    """What a coupon can take off that has not taken anything yet."""
    return Left(
        terms.amount if terms.frequency == ONCE else None, terms.periods if terms.frequency == RECURRING else None
    )


class Takings:
    """What coupons take off bills, which are given one after the other, in order of time."""

    def __init__(self, coupons: Sequence[InForce]) -> None:
        self._ordered = sorted(coupons, key=lambda one: one.rank)
        self._left = {one.number: left_at_first(one.terms) for one in coupons}

    def may_use_up(self, at: datetime) -> bool:
        """Whether a bill at an instant may use something of a coupon up, so that later bills depend on it."""
        return any(
            one.terms.frequency != FOREVER and one.holds(at) and not self._left[one.number].used_up
            for one in self._ordered
        )

    def off(self, bill: Bill) -> tuple[Taken, ...]:
        """What the next bill has taken off, in the order in which it is taken, without coupons that take nothing."""
        open_amounts = [charge.amount for charge in bill.charges]
        taken = []
        for one in self._ordered:
            left = self._left[one.number]
            if not one.holds(bill.at) or left.used_up:
                continue
            reach = [(at, open_amounts[at]) for at, charge in enumerate(bill.charges) if one.terms.concerns(charge)]
            off = _taken(one, bill.currency, reach, left)
            if off is None:
                continue
            for number, part in off.parts:
                before = open_amounts[number]
                open_amounts[number] = None if before is None or part is None else EXACT.subtract(before, part)
            self._left[one.number] = off.left
            taken.append(off)
        return tuple(taken)


def taken_off(coupons: Sequence[InForce], bills: Sequence[Bill]) -> list[tuple[Taken, ...]]:
    """Return what each of all bills has taken off; they are in order of time."""
    takings = Takings(coupons)
    return [takings.off(bill) for bill in bills]


def amount_off(terms: Terms, currency: str, of: Decimal, left: Decimal | None = None) -> Decimal:
    """Return what a coupon takes off an amount; `left`: what remains of an amount that is taken once.

    15 % of 0.10 USD are 0.015, rounded half up to the minor unit:

    >>> ten_cents = Decimal("0.10")
    >>> amount_off(Terms(None, None, Decimal(15), FOREVER), "USD", ten_cents)
    Decimal('0.02')

    Of 250 JPY, which have no minor unit, 7.5 % are 18.75 and so 19. 5 USD take off 0.10 USD no more than that, and off
    an amount in JPY nothing:

    >>> amount_off(Terms(None, None, Decimal("7.5"), FOREVER), "JPY", Decimal(250))
    Decimal('19')
    >>> five = Terms(Decimal(5), "USD", None, ONCE)
    >>> amount_off(five, "USD", ten_cents), amount_off(five, "JPY", Decimal(250))
    (Decimal('0.10'), Decimal('0'))
    """
    if terms.percentage is not None:
        share = EXACT.multiply(of, terms.percentage).scaleb(-2, EXACT)
        return min(of, rounded(share, currency))
    if terms.amount is None or terms.currency != currency:
        return _NOTHING
    return min(of, terms.amount if left is None else left)


def spread(total: Decimal, over: Sequence[Decimal], currency: str) -> list[Decimal]:
    """Spread an amount over others in proportion to them: whole minor units, at most each of them, with this sum.

    Up to each of them, the parts add up to the share of `total` that is due by then, rounded half up:

    >>> spread(Decimal("1.00"), [Decimal("2.00")] * 3, "USD")
    [Decimal('0.33'), Decimal('0.34'), Decimal('0.33')]
    >>> spread(Decimal("0.01"), [Decimal("0.05"), Decimal("0.02")], "USD")
    [Decimal('0.01'), Decimal('0.00')]
    """
    whole = _sum(over)
    parts, so_far, given = [], _NOTHING, _NOTHING
    for one in over:
        so_far = EXACT.add(so_far, one)
        due = rounded(EXACT.divide(EXACT.multiply(total, so_far), whole), currency) if whole else _NOTHING
        parts.append(EXACT.subtract(due, given))
        given = due
    return parts


def _taken(one: InForce, currency: str, reach: Sequence[tuple[int, Decimal | None]], left: Left) -> Taken | None:
    """What a coupon takes off the charges in its reach, of each of which this is open; None for nothing."""
    if not reach or (one.terms.percentage is None and one.terms.currency != currency):
        return None
    amounts = [amount for _, amount in reach if amount is not None]
    if len(amounts) < len(reach) or left.used_up is None:
        unknown = left if one.terms.frequency == FOREVER else Left(used_up=None)
        return Taken(one.number, None, tuple((number, None) for number, _ in reach), unknown)
    off = amount_off(one.terms, currency, _sum(amounts), left.amount)
    if not off:
        return None
    parts = zip((number for number, _ in reach), spread(off, amounts, currency), strict=True)
    return Taken(one.number, off, tuple((number, part) for number, part in parts if part), _left_after(off, one, left))


def _left_after(off: Decimal, one: InForce, left: Left) -> Left:
    if one.terms.frequency == RECURRING:
        periods = (left.periods or 1) - 1
        return Left(periods=periods, used_up=not periods)
    if one.terms.frequency == FOREVER:
        return left
    amount = None if left.amount is None else EXACT.subtract(left.amount, off)
    return Left(amount, used_up=not amount)


def _sum(amounts: Sequence[Decimal]) -> Decimal:
    total = _NOTHING
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
