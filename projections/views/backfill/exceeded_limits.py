"""The limits in money that a backfill would make a customer reach, in ended periods too. Pure.

1. Find the periods of its limits that events would arrive in, newest first, and the last instant of each (now, while
   it is open).
2. At each of these instants, read the limits in force, and what was spent of them.
3. Add what arrives and take off what leaves, with the markup valid at each event's time.
4. A limit would be exceeded when it is reached with the backfill, and is not without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec
import numpy as np

from domain.budgets.access_decision import (
    PERIOD,
    TOTAL,
    BudgetSpending,
    Limit,
    decide_access,
    model_limit_name,
    spent_against,
)
from domain.budgets.limits import SHARED_BUDGET_FIELDS, BudgetLimits
from domain.scope import Scope
from domain.values.instants import EPOCH, epoch_microseconds
from domain.values.money import MONEY
from domain.values.periods import MICROSECOND, Interval
from projections.arrow_columns import integers
from projections.queries.customers import CustomerRecord
from projections.queries.snapshot import Snapshot
from projections.views.backfill.changed_events import ChangedEvents
from projections.views.budget_state import limit_spending
from projections.views.budgets import (
    LimitPeriods,
    Tiers,
    budget_limits,
    limit_periods_at,
    named_budgets,
    period_at,
    tiers_of,
)
from projections.views.customers import CustomerHistory, Life, customer_history, lasting_lives

#: Instants at which the limits of one customer's life are looked at.
INSTANTS_MAX: Final = 400

#: Fields of customers that limits come from.
_LIMITING: Final = frozenset({*SHARED_BUDGET_FIELDS, "budget_id"})


class ExceededLimit(msgspec.Struct, frozen=True):
    """A limit of a customer, in one of its lives, that a commit would make it reach.

    `name`: "period", "total", "soft" or "model:<model>". `period`: the one that it holds for; None: the whole life.
    `before_usd` and `after_usd`: what is spent of it, as reported.
    """

    customer_id: str
    life: int
    name: str
    period: Interval | None
    limit_usd: Decimal
    before_usd: Decimal
    after_usd: Decimal


class ExceededLimits(msgspec.Struct, frozen=True):
    """Limits that would be exceeded; `complete` false: of so many periods that only the newest were looked at."""

    limits: tuple[ExceededLimit, ...] = ()
    complete: bool = True

    def plus(self, other: ExceededLimits) -> ExceededLimits:
        """Return both."""
        return ExceededLimits((*self.limits, *other.limits), self.complete and other.complete)


def exceeded_limits(
    snapshot: Snapshot, scope: Scope, record: CustomerRecord, changed: ChangedEvents, now: datetime
) -> ExceededLimits:
    """Return the limits that a customer would exceed, by life, then period."""
    found = ExceededLimits()
    if not any(_LIMITING & fact.fields.keys() for fact in record.facts):
        return found
    for life in lasting_lives(record):
        of_life = changed.between(life.span)
        if of_life.arriving.num_rows:
            found = found.plus(_LifeWithBackfill(snapshot, scope, record, life, of_life, now).exceeded())
    return found


class _LifeWithBackfill:
    """A life of a customer, and the events that a backfill would bring to it and take from it."""

    def __init__(
        self,
        snapshot: Snapshot,
        scope: Scope,
        record: CustomerRecord,
        life: Life,
        changed: ChangedEvents,
        now: datetime,
    ) -> None:
        self._snapshot = snapshot
        self._scope = scope
        self._record = record
        self._life = life
        self._changed = changed
        self._until = now if life.end is None else min(now, life.end - MICROSECOND)
        self._whole = customer_history(record, self._until, life)
        names = named_budgets(self._whole)
        self._tiers: Tiers = tiers_of(snapshot.facts_named(scope, "budget", list(names)) if names else {})

    def exceeded(self) -> ExceededLimits:
        """Return the limits that would be exceeded in this life."""
        instants, complete = self._instants()
        found: dict[tuple[str, datetime | None], ExceededLimit] = {}
        for instant in instants:
            for one in self._exceeded_at(instant):
                found[one.name, None if one.period is None else one.period.start] = one
        return ExceededLimits(tuple(found.values()), complete)

    def _instants(self) -> tuple[list[datetime], bool]:
        """The instants to look at, in order, and whether they are all."""
        times = np.unique(integers(self._changed.arriving, "time"))
        ends: set[datetime] = {self._until}
        while len(times) and len(ends) < INSTANTS_MAX:
            periods = self._periods_with(EPOCH + int(times[-1]) * MICROSECOND)
            ends |= {min(period.end - MICROSECOND, self._until) for period in periods}
            latest_start = max(period.start for period in periods)
            times = times[: np.searchsorted(times, epoch_microseconds(latest_start))]
        return sorted(ends), not len(times)

    def _periods_with(self, instant: datetime) -> list[Interval]:
        """The periods of limits that contain an instant."""
        history, limits = self._limits_at(instant)
        periods = limit_periods_at(history, limits, self._tiers, instant)
        return [period_at(self._whole, self._tiers, instant), *periods.models.values()]

    def _limits_at(self, instant: datetime) -> tuple[CustomerHistory, BudgetLimits]:
        """The limits in force at an instant, and the history of the life with its profile of then."""
        profile = customer_history(self._record, instant, self._life).profile
        return msgspec.structs.replace(self._whole, profile=profile), budget_limits(profile, self._tiers, instant)

    def _exceeded_at(self, instant: datetime) -> Iterator[ExceededLimit]:
        history, limits = self._limits_at(instant)
        if not _limits_money(limits):
            return
        periods = limit_periods_at(history, limits, self._tiers, instant)
        before = limit_spending(self._snapshot, self._scope, history, periods)
        after = self._spending_after(before, periods)
        for was, becomes in zip(_shown(limits, before), _shown(limits, after), strict=True):
            if becomes.reached and not was.reached:
                of_period = _period_of(was.name, limits, periods)
                if of_period is None and instant != self._until:
                    continue  # what the whole life spent is known at its end
                yield ExceededLimit(
                    self._record.customer_id,
                    self._life.number,
                    was.name,
                    of_period,
                    was.limit_usd,
                    was.spent_usd,
                    becomes.spent_usd,
                )

    def _spending_after(self, before: BudgetSpending, periods: LimitPeriods) -> BudgetSpending:
        """What would be spent with the backfill."""
        in_budget = self._whole.span if periods.budget is None else periods.budget
        return msgspec.structs.replace(
            before,
            period_usd=MONEY.add(before.period_usd, self._grown(in_budget)),
            total_usd=MONEY.add(before.total_usd, self._grown(self._whole.span)),
            by_model_usd={
                model: MONEY.add(spent, self._grown(periods.models[model], model))
                for model, spent in before.by_model_usd.items()
            },
        )

    def _grown(self, period: Interval, model: str | None = None) -> Decimal:
        span = period.intersect(self._whole.span)
        if span is None:
            return Decimal(0)
        return self._changed.of_model(model).reported_usd(self._record, span)


def _limits_money(limits: BudgetLimits) -> bool:
    of_all = (limits.period_limit_usd, limits.total_limit_usd, limits.soft_limit_usd)
    return bool(limits.model_limits) or any(one is not None for one in of_all)


def _shown(limits: BudgetLimits, spending: BudgetSpending) -> tuple[Limit, ...]:
    return decide_access(known=True, blocked=False, limits=limits, spending=spending).limits


def _period_of(name: str, limits: BudgetLimits, periods: LimitPeriods) -> Interval | None:
    against = spent_against(name, limits)
    if against == TOTAL:
        return None
    if against == PERIOD:
        return periods.budget
    return next(period for model, period in periods.models.items() if model_limit_name(model) == against)
