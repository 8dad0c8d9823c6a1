"""The interval of event time that a difference is asked about, with the bounds known at each position."""

from __future__ import annotations

from datetime import UTC, date, datetime

import msgspec

from domain.values.durations import Duration
from domain.values.periods import Interval, PeriodPolicy, period_containing, zone_named
from projections.queries.customers import CustomerRecord
from projections.views.customers import customer_history, life_at
from projections.views.periods import usage_timeline

#: A moment: an instant, or the beginning of a day in the time zone of the customer.
Moment = date  # a datetime is a date too


class PeriodOf(msgspec.Struct, frozen=True):
    """The usage periods of a customer that contain a moment, by the facts known at one position after the other.

    As past usage shows them: that part of the period which lies in the life that `now` falls in; in the life that the
    moment falls in, where the two do not meet.
    """

    record: CustomerRecord
    moment: Moment
    now: datetime

    def bounds(self, position: int) -> Interval:
        """The bounds as known at a log position, asked at `now`."""
        facts = tuple(fact for fact in self.record.facts if fact.position <= position)
        record = msgspec.structs.replace(self.record, facts=facts)
        history = customer_history(record, self.now)
        instant = instant_of(self.moment, history.view().time_zone)
        span = usage_timeline(history).containing(instant).intersect(history.span)
        if span is not None:
            return span
        life = life_at(record, instant)
        until = self.now if life.end is None else min(self.now, life.end)
        history = customer_history(record, until, life)
        instant = max(instant_of(self.moment, history.view().time_zone), life.span.start)
        period = usage_timeline(history).containing(instant)
        return period.intersect(life.span) or period


def instant_of(moment: Moment, zone: str) -> datetime:
    """The instant of a moment: of a day, where it begins in this time zone."""
    if isinstance(moment, datetime):
        return moment
    noon = datetime(moment.year, moment.month, moment.day, 12, tzinfo=zone_named(zone))
    return period_containing(PeriodPolicy(Duration(1, "d"), "calendar", zone_named(zone)), noon.astimezone(UTC)).start
