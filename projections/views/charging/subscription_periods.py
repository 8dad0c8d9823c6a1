"""The billing periods of one subscription of a customer: the open one, and those that have ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from itertools import chain, islice

import msgspec

from domain.scope import Scope
from domain.subscriptions.lives import SubscriptionLife
from domain.values.periods import Interval
from projections.queries.customers import CustomerRecord
from projections.queries.snapshot import Snapshot
from projections.views.charging.billing_periods import Zones, billing_period, billing_timeline, zones_of_life
from projections.views.charging.ended_periods import ended_periods
from projections.views.charging.plans import plan_view
from projections.views.charging.subscriptions import lives_of_customer


class SubscriptionPeriods(msgspec.Struct, frozen=True):
    """What is known of the lives of a subscription that a customer had, in order of time."""

    snapshot: Snapshot
    scope: Scope
    record: CustomerRecord
    lives: Sequence[SubscriptionLife]
    now: datetime

    def open(self) -> Interval | None:
        """The period that contains `now`; None without an active life whose plan exists."""
        for life in self.lives:
            term = life.term_at(self.now)
            plan = None
            if term is not None:
                facts = self.snapshot.facts(self.scope, "plan", term.plan)
                plan = plan_view(term.plan, facts, self.now, reaching_back=True)
            if term is not None and plan is not None:
                timeline = billing_timeline(life, plan.interval, self._zones(life))
                return billing_period(timeline, term, self.now).span
        return None

    def ended(self, periods: int) -> list[Interval]:
        """The last `periods` that ended by `now`, newest first."""
        facts_of = cache(lambda code: self.snapshot.facts(self.scope, "plan", code))
        newest_first = sorted(self.lives, key=lambda life: life.start, reverse=True)
        found = (ended_periods(life, self._zones(life), facts_of, self.now) for life in newest_first)
        return list(islice(chain.from_iterable(found), periods))

    def _zones(self, life: SubscriptionLife) -> Zones:
        return zones_of_life(self.record, life, self.now)


def subscription_periods(
    snapshot: Snapshot, scope: Scope, record: CustomerRecord, subscription_id: str, now: datetime
) -> SubscriptionPeriods:
    """The periods of a subscription; there are none of one that the customer never had."""
    every = lives_of_customer(snapshot, scope, record.customer_id, record)
    lives = tuple(life for life in every if life.subscription_id == subscription_id)
    return SubscriptionPeriods(snapshot, scope, record, lives, now)
