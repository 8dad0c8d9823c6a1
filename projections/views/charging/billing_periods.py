"""The billing periods of a subscription, by the interval of its plan and the time zone of its customer. Pure.

Calendar periods begin at midnight of the first of a month (of a year, its half or quarter) or of a Monday, those of an
anniversary at midnight of the day of the month or week on which the subscription started. Midnight is that of the
customer's zone. A period is cut to the term that it is in: the first one begins as the term begins.
"""

from __future__ import annotations

from datetime import datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec

from domain.plans.fields import INTERVALS
from domain.subscriptions.lives import SubscriptionLife, Term
from domain.values.durations import parse_duration
from domain.values.money import MONEY
from domain.values.period_timeline import PeriodTimeline, PolicySegment, timeline_of
from domain.values.periods import MICROSECOND, USAGE_TIME_MIN, Interval, PeriodPolicy, zone_named
from projections.queries.customers import CustomerRecord
from projections.views.customers import TIME_ZONE_DEFAULT, CustomerHistory, customer_history

#: Time zones of a customer, each from an instant on; in order of time, the first from the beginning.
Zones = tuple[tuple[datetime, str], ...]


def zones_of(history: CustomerHistory | None) -> Zones:
    """The time zones of a customer's present life; UTC where nothing is known of it."""
    if history is None:
        return ((USAGE_TIME_MIN, TIME_ZONE_DEFAULT),)
    first = history.base.get("time_zone", TIME_ZONE_DEFAULT)
    later = ((profile.since, profile.fields.get("time_zone", TIME_ZONE_DEFAULT)) for profile in history.profiles)
    return ((USAGE_TIME_MIN, first), *later)


def zones_of_life(record: CustomerRecord | None, life: SubscriptionLife, now: datetime) -> Zones:
    """The time zones of the customer's life that a subscription is in, as far as it is known at `now`."""
    until = now if life.end is None else min(now, life.end - MICROSECOND)
    return zones_of(None if record is None else customer_history(record, until))


def billing_timeline(life: SubscriptionLife, interval: str, zones: Zones) -> PeriodTimeline:
    """The whole periods of an interval, before they are cut to a term.

    Where the zone changes, no rest of a few hours is a period, which would have the flat amounts, the free units and
    the minimum of a whole one.
    """
    segments = (PolicySegment(since, _policy(life, interval, zone_named(zone))) for since, zone in zones)
    return timeline_of(segments, without_rests=True)


class BillingPeriod(msgspec.Struct, frozen=True):
    """A period of an interval, and what a term has of it."""

    whole: Interval
    span: Interval

    @property
    def share(self) -> Decimal:
        """What part of the period the term has, from above 0 to 1."""
        part, whole = (Decimal(one.length // MICROSECOND) for one in (self.span, self.whole))
        return MONEY.divide(part, whole)


def billing_period(timeline: PeriodTimeline, term: Term, instant: datetime) -> BillingPeriod:
    """The period that contains an instant of a term."""
    whole = timeline.containing(instant)
    span = whole.intersect(term.span)
    if span is None:
        raise ValueError(f"{instant} is not in the term from {term.start}")
    return BillingPeriod(whole, span)


def _policy(life: SubscriptionLife, interval: str, zone: ZoneInfo) -> PeriodPolicy:
    duration = parse_duration(INTERVALS[interval])
    if life.billing == "calendar":
        return PeriodPolicy(duration, "calendar", zone)
    started_on = life.start.astimezone(zone).date()
    return PeriodPolicy(duration, "anchored", zone, datetime.combine(started_on, time.min, zone))
