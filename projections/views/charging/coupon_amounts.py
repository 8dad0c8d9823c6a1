"""What coupons take off the charges of a customer, and what is left of each after the billing periods that have ended.

Nothing of this is stored. Billing periods that end at one instant in one currency are one bill; to know what is left of
a coupon that is used up some day, the bills since it was applied are made again, see `domain.coupons.taking_off`:

1. A coupon concerns an ended period when it is in force at its last instant, and an open one when it is now.
2. What it takes off an open period is what it would take if the period ended with the usage so far.
3. Periods are measured only while there is a coupon in force that they may use up.
4. A charge for money that has events of unknown cost is unknown: its amount is a lower bound.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Final

import msgspec

from domain.coupons.fields import FOREVER
from domain.coupons.taking_off import Bill, Charged, Left, Taken, Takings
from domain.scope import Scope
from domain.values.periods import MICROSECOND
from projections.queries.snapshot import Snapshot
from projections.views.charging.charge_amounts import ChargeAmount, added
from projections.views.charging.charges import (
    CouponOff,
    CustomerCharges,
    SubscriptionCharges,
    customer_charges,
    periods_that_end,
)
from projections.views.charging.coupons import AppliedCoupon, applied_coupons, numbered

#: Billing periods of a customer that are priced again. With more of them, what is left of coupons is unknown.
PERIODS_MAX: Final = 5_000
_UNKNOWN: Final = Left(used_up=None)


def charges_after_coupons(
    snapshot: Snapshot,
    scope: Scope,
    customer_id: str,
    now: datetime,
    at: datetime,
    closing_grace_seconds: int,
    subscription_id: str | None = None,
    periods_max: int = PERIODS_MAX,
) -> CustomerCharges | None:
    """What `customer_charges` returns, with what coupons take off."""
    found = customer_charges(snapshot, scope, customer_id, now, at, closing_grace_seconds, subscription_id)
    asked = [] if found is None else [one for one in found.subscriptions if one.plan is not None]
    applied = applied_coupons(snapshot, scope, [customer_id])[customer_id] if asked else []
    in_force = [coupon for coupon in applied if any(coupon.in_force.holds(_at(one, now)) for one in asked)]
    if found is None or not in_force:
        return found
    ends = [one.period.end for one in asked]
    begin = min([min(ends) - MICROSECOND, *(one.since for one in in_force if one.terms.frequency != FOREVER)])
    others = periods_that_end(snapshot, scope, customer_id, now, begin, max(ends), asked)
    if len(others) > periods_max:
        taken = {_key(one): _all_unknown(one, in_force, now) for one in asked}
    else:
        taken = dict(_of_subscriptions(_bills_taken(others, asked, applied, now), applied))
    shown = [msgspec.structs.replace(one, coupons=taken.get(_key(one), ())) for one in found.subscriptions]
    return msgspec.structs.replace(found, subscriptions=tuple(shown))


def applied_after_bills(
    snapshot: Snapshot, scope: Scope, customer_id: str, now: datetime, periods_max: int = PERIODS_MAX
) -> list[AppliedCoupon]:
    """The coupons that a customer ever applied, by number, with what is left of them after the periods that ended."""
    applied = applied_coupons(snapshot, scope, [customer_id])[customer_id]
    since = min((one.since for one in applied if one.terms.frequency != FOREVER), default=now)
    if since >= now:
        return applied
    periods = periods_that_end(snapshot, scope, customer_id, now, since, now)
    if len(periods) > periods_max:
        return [
            one if one.terms.frequency == FOREVER else msgspec.structs.replace(one, left=_UNKNOWN) for one in applied
        ]
    after = numbered(applied)
    for made, of_bill in _bills_taken(periods, (), applied, now):
        for off in of_bill:
            used_up_at = made.charges[0].period.end if off.left.used_up else None
            after[off.number] = msgspec.structs.replace(after[off.number], left=off.left, used_up_at=used_up_at)
    return list(after.values())


def _bills_taken(
    periods: Sequence[tuple[datetime, Callable[[], SubscriptionCharges | None]]],
    asked: Sequence[SubscriptionCharges],
    applied: Sequence[AppliedCoupon],
    now: datetime,
) -> Iterator[tuple[_Made, tuple[Taken, ...]]]:
    """The bills of these periods and of those asked for, in order of time, with what is taken off each.

    A bill that is not asked for, and cannot use anything up, is not measured.
    """
    takings = Takings([one.in_force for one in applied])
    due: defaultdict[datetime, list[Callable[[], SubscriptionCharges | None]]] = defaultdict(list)
    for end, measure in periods:
        due[end].append(measure)
    asked_by_end: defaultdict[datetime, list[SubscriptionCharges]] = defaultdict(list)
    for one in asked:
        asked_by_end[one.period.end].append(one)
    for end in sorted({*due, *asked_by_end}):
        at = end - MICROSECOND if end <= now else now
        if end not in asked_by_end and not takings.may_use_up(at):
            continue
        measured = (measure() for measure in due[end])
        charged = [*asked_by_end[end], *(one for one in measured if one is not None and one.plan is not None)]
        for made in _bills(charged, at):
            yield made, takings.off(made.bill)


class _Made(msgspec.Struct, frozen=True):
    """A bill, and the periods that it is made of."""

    bill: Bill
    charges: tuple[SubscriptionCharges, ...]


_Key = tuple[str, datetime, datetime]


def _key(one: SubscriptionCharges) -> _Key:
    return one.subscription.subscription_id, one.period.start, one.period.end


def _at(one: SubscriptionCharges, now: datetime) -> datetime:
    """The instant at which a coupon must be in force to take something off a period."""
    return one.period.end - MICROSECOND if one.ended else now


def _bills(charged: Sequence[SubscriptionCharges], at: datetime) -> Iterator[_Made]:
    """The bills of periods that end together, one for each currency."""

    def currency_of(one: SubscriptionCharges) -> str:
        return "" if one.plan is None else one.plan.currency

    ordered = sorted(charged, key=lambda one: (currency_of(one), one.subscription.subscription_id, one.period.start))
    for currency, together in groupby(ordered, key=currency_of):
        periods = tuple(together)
        charges = tuple(
            Charged(
                one.subscription.subscription_id, one.term.plan, charge.charge.code, charge.charge.meter, _exact(charge)
            )
            for one in periods
            for charge in one.charges
        )
        yield _Made(Bill(at, currency, charges), periods)


def _exact(charge: ChargeAmount) -> Decimal | None:
    """What a charge costs; None when events of unknown cost make its amount a lower bound."""
    return None if charge.cost_unknown_events else charge.amount


def _of_subscriptions(
    bills: Iterable[tuple[_Made, tuple[Taken, ...]]], applied: Sequence[AppliedCoupon]
) -> Iterator[tuple[_Key, tuple[CouponOff, ...]]]:
    """What is taken off each period of each bill."""
    codes = {one.number: one.coupon for one in applied}
    for made, of_bill in bills:
        first = 0
        for one in made.charges:
            numbers = range(first, first + len(one.charges))
            first = numbers.stop
            shares = ((off, {at - numbers.start: part for at, part in off.parts if at in numbers}) for off in of_bill)
            yield (
                _key(one),
                tuple(_off(one, off.number, codes[off.number], parts, off.left) for off, parts in shares if parts),
            )


def _off(
    one: SubscriptionCharges, number: int, coupon: str, parts: Mapping[int, Decimal | None], left: Left
) -> CouponOff:
    known = [part for part in parts.values() if part is not None]
    by_code = tuple((one.charges[at].charge.code, part) for at, part in parts.items())
    return CouponOff(number, coupon, added(known) if len(known) == len(parts) else None, by_code, left)


def _all_unknown(one: SubscriptionCharges, in_force: Sequence[AppliedCoupon], now: datetime) -> tuple[CouponOff, ...]:
    """What coupons take off a period where it is unknown what is left of them."""
    found = []
    for coupon in sorted(in_force, key=lambda coupon: coupon.in_force.rank):
        reach = {
            number: None
            for number, charge in enumerate(one.charges)
            if coupon.terms.concerns(
                Charged(one.subscription.subscription_id, one.term.plan, charge.charge.code, charge.charge.meter, None)
            )
        }
        if reach and coupon.in_force.holds(_at(one, now)):
            found.append(_off(one, coupon.number, coupon.coupon, reach, _UNKNOWN))
    return tuple(found)
