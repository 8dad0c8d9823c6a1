"""The charges of a customer: what usage costs it by its plans, in the billing periods that contain an instant.

For each subscription that is active then:

1. Take the term that contains the instant, and its plan: as it is at `now`, or as it was at the end of a period that
   has ended. A plan or a meter that was created later reaches back, so that usage from before it can be priced.
2. Cut the period, by the interval of the plan and the zone of the customer, to the term.
3. Measure the units of each charge, by its groups and filters.
4. Price each by the model of the charge or filter, and round the amount once, half up, to the minor unit of the
   currency.
5. Add the amounts up. A charge with a minimum costs that much at least once its period has ended, or the share of it
   that the term has of the period.

What has no price (there is no such meter, or no such plan any more) is shown as unknown, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache, partial
from itertools import takewhile

import msgspec

from domain.charges.decimal_context import EXACT
from domain.coupons.taking_off import Left
from domain.errors import NotFound
from domain.scope import Scope
from domain.subscriptions.lives import SubscriptionLife, Term
from domain.values.periods import MICROSECOND, USAGE_TIME_MIN, Interval
from projections.queries.customers import CustomerRecord
from projections.queries.snapshot import Snapshot
from projections.views.charging.billing_periods import Zones, billing_period, billing_timeline, zones_of_life
from projections.views.charging.charge_amounts import ChargeAmount, added, charge_amount
from projections.views.charging.ended_periods import ended_periods
from projections.views.charging.metered_units import Asked
from projections.views.charging.plans import PlanView, plan_view
from projections.views.charging.subscriptions import lives_of_customer


class AtClosing(msgspec.Struct, frozen=True):
    """What was known of a period when it closed. `period` None: no such subscription; `amount` None: unknown.

    `is_lower_bound`: the amount was without the cost of some events.
    """

    period: Interval | None
    amount: Decimal | None
    is_lower_bound: bool = False


class CouponOff(msgspec.Struct, frozen=True):
    """What an applied coupon takes off the charges of a period: `charges`, by code, with the sum `amount`.

    None: unknown. `left`: what it can take off after the bill that the period is part of.
    """

    number: int
    coupon: str
    amount: Decimal | None
    charges: tuple[tuple[str, Decimal | None], ...]
    left: Left


class SubscriptionCharges(msgspec.Struct, frozen=True):
    """The charges of one subscription in one period.

    `amount`: of all charges; None when that of one is unknown. `plan` None: it is deleted, or there was none at the end
    of the period; there are no charges then. `at_closing` None: the closing grace is not over. `coupons`: what they
    take off, in this order; the amount is without them.
    """

    subscription: SubscriptionLife
    term: Term
    plan: PlanView | None
    period: Interval
    ended: bool
    charges: tuple[ChargeAmount, ...]
    amount: Decimal | None
    at_closing: AtClosing | None = None
    coupons: tuple[CouponOff, ...] = ()

    @property
    def is_lower_bound(self) -> bool:
        """Whether the amount is without the cost of some events, which is unknown."""
        return any(one.cost_unknown_events for one in self.charges)

    @property
    def off(self) -> Decimal | None:
        """What coupons take off all charges; None: unknown."""
        return _total([one.amount for one in self.coupons])

    @property
    def amount_after_coupons(self) -> Decimal | None:
        """What is left of the amount; None: unknown."""
        off = self.off
        return None if self.amount is None or off is None else EXACT.subtract(self.amount, off)

    @property
    def restated(self) -> bool:
        """Whether the amount or the bounds are others than were known at closing."""
        then = self.at_closing
        return then is not None and (then.period, then.amount) != (self.period, self.amount)


class CustomerCharges(msgspec.Struct, frozen=True):
    """Charges as of log position `position`, by subscription id."""

    position: int
    customer_id: str
    subscriptions: tuple[SubscriptionCharges, ...]


class EndedCharges(msgspec.Struct, frozen=True):
    """The charges of some periods of a subscription that have ended, newest first, of `total` ones."""

    total: int
    periods: tuple[SubscriptionCharges, ...]


def ended_charges(
    snapshot: Snapshot,
    scope: Scope,
    customer_id: str,
    subscription_id: str,
    now: datetime,
    offset: int,
    limit: int,
    since: datetime = USAGE_TIME_MIN,
) -> EndedCharges:
    """The charges of a customer's subscription in periods that have ended, as known now: from row `offset` on.

    Only those of the page are measured. There are none of a subscription that the customer never had. `since`:
    subscriptions that ended by then are left out.
    """
    known = _known(snapshot, scope, customer_id, now, now)
    lives = [life for life in known.lives if life.subscription_id == subscription_id and life.span.end > since]
    facts_of = cache(lambda code: snapshot.facts(scope, "plan", code))
    newest_first = sorted(lives, key=lambda life: life.start, reverse=True)
    ended = [
        (life, period) for life in newest_first for period in ended_periods(life, known.zones(life), facts_of, now)
    ]
    shown = [
        _of_life(msgspec.structs.replace(known, at=period.end - MICROSECOND), life)
        for life, period in ended[offset : offset + limit]
    ]
    return EndedCharges(len(ended), tuple(one for one in shown if one is not None))


def customer_charges(
    snapshot: Snapshot,
    scope: Scope,
    customer_id: str,
    now: datetime,
    at: datetime,
    closing_grace_seconds: int,
    subscription_id: str | None = None,
) -> CustomerCharges | None:
    """The charges in the periods that contain `at`, of all subscriptions active then, or of one.

    None: nothing is known of the customer. `NotFound` when it never had the subscription that is asked for.
    A period closes at the last log position recorded before its end plus the grace.
    """
    known = _known(snapshot, scope, customer_id, now, at)
    if known.record is None and not known.lives:
        return None
    if subscription_id is not None and all(life.subscription_id != subscription_id for life in known.lives):
        raise NotFound(f"customer {customer_id!r} has no subscription {subscription_id!r}")
    grace = timedelta(seconds=closing_grace_seconds)
    lives = [life for life in known.lives if subscription_id in (None, life.subscription_id)]
    found = [one for life in lives if (one := _of_life(known, life)) is not None]
    shown = [msgspec.structs.replace(one, at_closing=_at_closing(known, one, grace)) for one in found]
    return CustomerCharges(snapshot.point().position, customer_id, tuple(shown))


def periods_that_end(
    snapshot: Snapshot,
    scope: Scope,
    customer_id: str,
    now: datetime,
    after: datetime,
    until: datetime,
    measured: Collection[SubscriptionCharges] = (),
) -> list[tuple[datetime, Callable[[], SubscriptionCharges | None]]]:
    """The billing periods of all subscriptions that end in (after, until]: the end of each, and what measures it.

    Of those that have not ended, the ones that are open now. Those that are `measured` already are left out.
    """
    known = _known(snapshot, scope, customer_id, now, now)
    facts_of = cache(lambda code: snapshot.facts(scope, "plan", code))
    already = {(one.subscription.subscription_id, one.period) for one in measured}
    found: list[tuple[datetime, Callable[[], SubscriptionCharges | None]]] = []
    for life in known.lives:
        if life.span.end <= after:
            continue
        name = life.subscription_id
        ended = takewhile(lambda period: period.end > after, ended_periods(life, known.zones(life), facts_of, now))
        for period in ended:
            if period.end <= until and (name, period) not in already:
                then = msgspec.structs.replace(known, at=period.end - MICROSECOND)
                found.append((period.end, partial(_of_life, then, life)))
        is_measured = any(name == other and period.contains(now) for other, period in already)
        charges = None if until <= now or is_measured else _of_life(known, life)
        if charges is not None and after < charges.period.end <= until:
            found.append((charges.period.end, partial(_same, charges)))
    return found


def _same(charges: SubscriptionCharges) -> SubscriptionCharges:
    return charges


class _Known(msgspec.Struct, frozen=True):
    """What a snapshot knows of a customer. `at`: the instant whose periods are asked for."""

    snapshot: Snapshot
    scope: Scope
    record: CustomerRecord | None
    lives: Sequence[SubscriptionLife]
    now: datetime
    at: datetime

    def zones(self, life: SubscriptionLife) -> Zones:
        """The zones of the customer's life that a subscription is in."""
        return zones_of_life(self.record, life, self.now)


def _known(snapshot: Snapshot, scope: Scope, customer_id: str, now: datetime, at: datetime) -> _Known:
    record = snapshot.customer(scope, customer_id)
    return _Known(snapshot, scope, record, lives_of_customer(snapshot, scope, customer_id, record), now, at)


def _at_closing(known: _Known, one: SubscriptionCharges, grace: timedelta) -> AtClosing | None:
    """What was known of a period when it closed; None before that."""
    closed_at = one.period.end + grace
    if not one.ended or known.now < closed_at:
        return None
    position = known.snapshot.position_at(closed_at)
    if position >= known.snapshot.point().position:
        return AtClosing(one.period, one.amount, one.is_lower_bound)
    life = one.subscription
    then = _known(known.snapshot.as_of(position), known.scope, life.customer_id, closed_at, known.at)
    same = (found for found in then.lives if found.subscription_id == life.subscription_id)
    charged = [charges for found in same if (charges := _of_life(then, found)) is not None]
    return (
        AtClosing(charged[0].period, charged[0].amount, charged[0].is_lower_bound) if charged else AtClosing(None, None)
    )


def _of_life(known: _Known, life: SubscriptionLife) -> SubscriptionCharges | None:
    """The charges of a subscription; None when it has no term at the instant that is asked for."""
    term = life.term_at(known.at)
    if term is None:
        return None
    facts = known.snapshot.facts(known.scope, "plan", term.plan)
    plan = plan_view(term.plan, facts, known.at, reaching_back=True)
    if plan is None:
        return SubscriptionCharges(life, term, None, term.span, False, (), None)
    period = billing_period(billing_timeline(life, plan.interval, known.zones(life)), term, known.at)
    ended = period.span.end <= known.now
    priced_at = period.span.end - MICROSECOND if ended else known.now
    plan = plan_view(term.plan, facts, priced_at, reaching_back=True)
    if plan is None:
        return SubscriptionCharges(life, term, None, period.span, ended, (), None)
    asked = Asked(known.snapshot, known.scope, life, known.lives, period, priced_at)
    share_due = period.share if ended else Decimal(0)
    charges = tuple(charge_amount(asked, charge, plan.currency, share_due) for charge in plan.charges)
    return SubscriptionCharges(life, term, plan, period.span, ended, charges, _total([one.amount for one in charges]))


def _total(amounts: Sequence[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return added(known) if len(known) == len(amounts) else None
