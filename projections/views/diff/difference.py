"""The difference between usage as known at two log positions, and the causes that it is made of.

1. The rows that changed in between, at the markups and within the bounds known at the earlier position.
2. The markups that changed, on the rows of the later position.
3. The bounds that moved, with rows and markups of the later position.

Each amount is the exact difference that one log record made after all before it in this order, so that all together are
the difference, to the last decimal.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from domain.errors import InvalidInput
from domain.scope import Scope
from domain.values.durations import Duration
from domain.values.money import MONEY
from domain.values.periods import Interval, PeriodPolicy, period_containing, zone_named
from projections.queries.customers import CustomerRecord
from projections.queries.diff import ChangeCursor, ChangesQuestion
from projections.queries.snapshot import PAGE_ROWS_MAX, Snapshot
from projections.queries.usage import Segment, UsageQuestion
from projections.views.customers import TIME_ZONE_DEFAULT, customer_history
from projections.views.diff.causes import Cause, CauseKind, CauseSum, cause_of_event, moved_by
from projections.views.diff.fact_causes import markup_causes, period_causes
from projections.views.diff.interval import Moment, PeriodOf, instant_of
from projections.views.measures import Measures, total
from projections.views.usage_report import UsageReportQuestion, report_span

#: The order in which kinds are shown.
KINDS: Final[tuple[CauseKind, ...]] = (
    *("new", "late", "voided", "restored", "amended", "priced", "repriced"),
    *("corrected", "backfilled", "reverted", "moved", "changed"),
    *("markup", "period"),
)


class DifferenceQuestion(msgspec.Struct, frozen=True):
    """What moved usage after log position `since`, of one customer, or of all for None.

    `start` and `end` as in a usage report. `period_of` in their place: the usage period of the customer that contains
    this moment; over all customers the UTC month.
    """

    since: int
    customer_id: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    period_of: Moment | None = None


class KnownUsage(msgspec.Struct, frozen=True):
    """Usage as known at a log position. `recorded_at`: when the last record of the scope known then was recorded."""

    position: int
    recorded_at: datetime | None
    span: Interval
    usage: Measures


class Difference(msgspec.Struct, frozen=True):
    """What moved usage between two positions. The sums of `by_kind` add up to after minus before.

    So do all causes; `causes` is a page of them, in log order. `behind` is where the next page begins; None: there is
    none. Facts that moved nothing are left out, so a page may be short.
    """

    customer_id: str | None
    before: KnownUsage
    after: KnownUsage
    by_kind: tuple[CauseSum, ...]
    causes: tuple[Cause, ...]
    behind: ChangeCursor | None

    @property
    def moved(self) -> Measures:
        """After minus before."""
        return self.after.usage.minus(self.before.usage)


def difference(
    snapshot: Snapshot,
    scope: Scope,
    question: DifferenceQuestion,
    now: datetime,
    after: ChangeCursor | None,
    limit: int,
) -> Difference | None:
    """Explain what moved usage, with a page of causes after a cursor; None: the store has never heard of the customer.

    `InvalidInput` for an empty interval, and where `since` is later than the position of the snapshot.
    """
    position = snapshot.point().position
    if question.since > position:
        raise InvalidInput("since", "must not be later than as_of")
    record = None if question.customer_id is None else snapshot.customer(scope, question.customer_id)
    if question.customer_id is not None and record is None:
        return None
    earlier = snapshot.as_of(question.since)
    periods = None
    if record is not None and question.period_of is not None:
        periods = PeriodOf(record, question.period_of, now)
        span = span_before = periods.bounds(position)
        if record.first_position <= question.since:
            span_before = periods.bounds(question.since)
    else:
        span = span_before = _fixed_span(question, record, now)
    asked = _Asked(snapshot, scope, question.customer_id)
    known_at, known_since = snapshot.recorded_at(scope), earlier.recorded_at(scope)
    usage_before = _Asked(earlier, scope, question.customer_id).usage(span_before)
    kept = asked.usage(span_before)
    usage_after = kept if span == span_before else asked.usage(span)
    changes = ChangesQuestion(
        question.since, Segment(span_before.start, span_before.end), question.customer_id, known_since
    )
    by_kind = _sums_of_events(snapshot, scope, changes)
    by_kind += _sums_of_facts(usage_before, by_kind, kept, usage_after)
    moving: list[Cause] = []
    if record is not None and periods is not None and span != span_before:
        moving = period_causes(record, periods, question.since, asked.usage)
    causes, behind = _page(snapshot, scope, changes, span_before, moving, after, limit)
    return Difference(
        question.customer_id,
        KnownUsage(question.since, known_since, span_before, usage_before),
        KnownUsage(position, known_at, span, usage_after),
        tuple(sorted(by_kind, key=lambda one: (KINDS.index(one.kind), one.run is None, one.run or ""))),
        tuple(causes),
        behind,
    )


class _Asked(msgspec.Struct, frozen=True):
    """Whose usage is asked, in which snapshot."""

    snapshot: Snapshot
    scope: Scope
    customer_id: str | None

    def usage(self, span: Interval) -> Measures:
        """The usage between two bounds."""
        segments = (Segment(span.start, span.end),)
        asked = UsageQuestion(segments, self.customer_id, split_markup=True, with_units=True)
        return total(self.snapshot.usage(self.scope, asked))


def _fixed_span(question: DifferenceQuestion, record: CustomerRecord | None, now: datetime) -> Interval:
    """An interval that does not depend on what is known at the earlier position."""
    if question.period_of is not None:
        month = PeriodPolicy(Duration(1, "mo"), "calendar", zone_named(TIME_ZONE_DEFAULT))
        return period_containing(month, instant_of(question.period_of, TIME_ZONE_DEFAULT).astimezone(UTC))
    history = None if record is None else customer_history(record, now)
    asked = UsageReportQuestion(question.customer_id, question.start, question.end)
    return report_span(asked, history, now)


def _sums_of_events(snapshot: Snapshot, scope: Scope, changes: ChangesQuestion) -> list[CauseSum]:
    return [
        CauseSum(one.kind, one.run, one.events, moved_by(one.parts)) for one in snapshot.change_sums(scope, changes)
    ]


def _sums_of_facts(before: Measures, of_events: Sequence[CauseSum], kept: Measures, after: Measures) -> list[CauseSum]:
    """What markups and bounds moved. `kept`: usage as known at the later position, within the earlier bounds."""
    sums: list[CauseSum] = []
    reported = MONEY.subtract(kept.reported_cost_usd, before.reported_cost_usd)
    for one in of_events:
        reported = MONEY.subtract(reported, one.moved.reported_cost_usd)
    if reported:
        sums.append(CauseSum("markup", None, None, Measures(reported_cost_usd=reported)))
    moved = after.minus(kept)
    if moved != Measures():
        sums.append(CauseSum("period", None, None, moved))
    return sums


def _page(
    snapshot: Snapshot,
    scope: Scope,
    changes: ChangesQuestion,
    span: Interval,
    moving: Sequence[Cause],
    after: ChangeCursor | None,
    limit: int,
) -> tuple[list[Cause], ChangeCursor | None]:
    """A page of causes, and the cursor behind it; None on the last one."""
    rows = min(limit + 1, PAGE_ROWS_MAX)
    events = snapshot.event_changes(scope, changes, after, rows)
    facts = snapshot.markup_facts(scope, changes, after, rows)
    behind = () if after is None else after.values()
    found = [one for one in moving if one.at.values() > behind]
    found += [cause_of_event(one) for one in events]
    found += markup_causes(snapshot, scope, facts[:limit], span)
    keys = sorted({*(one.at.values() for one in found), *(one.cursor().values() for one in facts)})
    is_last = len(keys) <= limit and max(len(events), len(facts)) < PAGE_ROWS_MAX
    if is_last:
        return sorted(found, key=lambda one: one.at.values()), None
    last = keys[:limit][-1]
    shown = sorted((one for one in found if one.at.values() <= last), key=lambda one: one.at.values())
    return shown, ChangeCursor(*last)
