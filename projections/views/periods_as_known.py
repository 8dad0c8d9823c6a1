"""Periods of a customer as they were known at earlier log positions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from domain.values.period_timeline import PeriodTimeline
from domain.values.periods import Interval
from projections.queries.customers import CustomerRecord
from projections.queries.facts import Fact
from projections.views.budgets import budget_timeline, tiers_of
from projections.views.customers import customer_history
from projections.views.periods import usage_timeline


class PeriodsAsKnown:
    """The usage periods of a customer, or those of its budget, by the facts known at one position after the other.

    `budgets`: the facts of every shared budget that the customer ever named, for periods of its budget; None for those
    of usage. Usage moves no bound, so facts suffice.
    """

    def __init__(self, record: CustomerRecord, budgets: Mapping[str, Sequence[Fact]] | None) -> None:
        self._record = record
        self._budgets = budgets
        self._every = [*record.facts, *(fact for facts in (budgets or {}).values() for fact in facts)]
        self._timelines: dict[tuple[int, int], PeriodTimeline | None] = {}

    def containing(self, instant: datetime, position: int, now: datetime) -> Interval | None:
        """The period of `instant` as known at `position`, with the facts in effect at `now`.

        None where the customer was not known then, or had no budget.
        """
        if self._record.first_position > position:
            return None
        known = [fact for fact in self._every if fact.position <= position]
        # The facts known at a position, and those of them in effect, only grow: their numbers tell which they are.
        which = len(known), sum(1 for fact in known if fact.effective_at <= now)
        if which not in self._timelines:
            self._timelines[which] = self._timeline(position, now)
        timeline = self._timelines[which]
        return None if timeline is None else timeline.containing(instant)

    def _timeline(self, position: int, now: datetime) -> PeriodTimeline | None:
        facts = _known(self._record.facts, position)
        history = customer_history(msgspec.structs.replace(self._record, facts=facts), now)
        if self._budgets is None:
            return usage_timeline(history)
        return budget_timeline(history, tiers_of({name: _known(of, position) for name, of in self._budgets.items()}))


def _known(facts: Sequence[Fact], position: int) -> tuple[Fact, ...]:
    return tuple(fact for fact in facts if fact.position <= position)
