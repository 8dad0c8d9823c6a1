"""Usage reports: usage between two instants by window and group, of one customer or all, in measures or one meter."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from domain.errors import InvalidInput, NotFound
from domain.scope import Scope
from domain.values.periods import Interval
from projections.queries.customers import CustomerRecord
from projections.queries.snapshot import Snapshot
from projections.queries.usage import Segment, UsageQuestion
from projections.views.customers import CustomerHistory, Life, customer_history, customer_view, lives
from projections.views.measures import Measures, measures_of
from projections.views.meters import COST_METERS, UNIT_METERS, MeterView, measured_by, meter_view
from projections.views.periods import usage_timeline
from projections.views.usage_windows import Window, windows_of

#: The zone of a report over all customers.
_ZONE_DEFAULT: Final = "UTC"


class UsageReportQuestion(msgspec.Struct, frozen=True):
    """The parameters of a usage report.

    `start` None: the start of the current usage period (over all customers: of this UTC month). `end` None: now.
    `zone` None: the customer's zone (over all customers: UTC). `life`: only usage of that life (numbered from 1).
    `meter`: the code of a built-in or custom meter, instead of all measures.
    """

    customer_id: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    window: Window | None = None
    zone: str | None = None
    group_by: tuple[str, ...] = ()
    meter: str | None = None
    life: int | None = None


class UsageReportRow(msgspec.Struct, frozen=True):
    """One group in one window (the whole window, even where the report begins or ends inside it).

    Without a meter `measures` is set, otherwise `value` (None: no event there has a valid value). Of a meter of cost
    `cost_unknown_events` counts the events of unknown cost, which are not in it.
    """

    window: Interval
    group: tuple[str | None, ...]
    measures: Measures | None
    value: Decimal | None = None
    cost_unknown_events: int | None = None


class UsageReport(msgspec.Struct, frozen=True):
    """A report as of log position `position`: rows of windows and groups with events, by window, then group."""

    position: int
    customer_id: str | None
    span: Interval
    window: Window | None
    zone: str
    group_by: tuple[str, ...]
    meter: str | None
    rows: tuple[UsageReportRow, ...]


def usage_report(snapshot: Snapshot, scope: Scope, question: UsageReportQuestion, now: datetime) -> UsageReport | None:
    """None when the store has never heard of the customer. `InvalidInput` for an empty interval, too many windows, an
    unknown zone, group or life; `NotFound` for an unknown meter.

    Grouped by customer over all customers, deactivated ones are left out; they are in every other answer.
    """
    record: CustomerRecord | None = None
    if question.customer_id is not None:
        record = snapshot.customer(scope, question.customer_id)
        if record is None:
            return None
    if question.life is not None and record is None:
        raise InvalidInput("life", "must only be given together with a customer")
    history = None if record is None else customer_history(record, now)
    zone = question.zone or (_ZONE_DEFAULT if history is None else history.view().time_zone)
    span = report_span(question, history, now)
    kept: Interval | None = span
    if record is not None and question.life is not None:
        life = _life(record, question.life)
        kept = span.intersect(life.span) if life.lasts else None
    windows = [] if kept is None else windows_of(kept, question.window, zone)
    rows = _rows(snapshot, scope, question, kept or span, windows, now)
    if record is None and "customer" in question.group_by:
        hidden, index = _deactivated(snapshot, scope, now), question.group_by.index("customer")
        rows = (row for row in rows if row.group[index] not in hidden)
    position = snapshot.point().position
    return UsageReport(
        position, question.customer_id, span, question.window, zone, question.group_by, question.meter, tuple(rows)
    )


def report_span(question: UsageReportQuestion, history: CustomerHistory | None, now: datetime) -> Interval:
    """The interval of a report; `InvalidInput` for an empty one. `history`: that of its customer, if it has one."""
    end = now if question.end is None else question.end
    start = question.start
    if start is None:
        start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        if history is not None:
            start = max(usage_timeline(history).containing(now).start, history.span.start)
    if not start < end:
        raise InvalidInput("to", "must be after from")
    return Interval(start, end)


def _life(record: CustomerRecord, number: int) -> Life:
    known = lives(record)
    if not 1 <= number <= len(known):
        raise InvalidInput("life", f"must be 1 to {len(known)} for this customer")
    return known[number - 1]


def _rows(
    snapshot: Snapshot,
    scope: Scope,
    question: UsageReportQuestion,
    span: Interval,
    windows: list[Interval],
    now: datetime,
) -> Iterator[UsageReportRow]:
    segments = tuple(Segment(max(window.start, span.start), min(window.end, span.end)) for window in windows)
    read = None
    if question.meter is not None:
        own = meter_view(question.meter, snapshot.facts(scope, "meter", question.meter), now)
        read = measured_by(question.meter, own)
        if read is None:
            yield from _custom_meter(snapshot, scope, question, own, segments, windows)
            return
    for segment, group, measures in _measured(snapshot, scope, question, segments):
        if read is None:
            yield UsageReportRow(windows[segment], group, measures)
        else:
            unknown = measures.cost_unknown_events if question.meter in COST_METERS else None
            yield UsageReportRow(windows[segment], group, None, read(measures), unknown)


def _measured(
    snapshot: Snapshot, scope: Scope, question: UsageReportQuestion, segments: tuple[Segment, ...]
) -> Iterator[tuple[int, tuple[str | None, ...], Measures]]:
    """The measures of each segment and group, with the sums of its markups (adjacent in the result) added up."""
    asked = UsageQuestion(
        segments,
        question.customer_id,
        question.group_by,
        split_markup=question.meter is None,
        with_units=question.meter is None or question.meter in UNIT_METERS,
    )
    last: tuple[int, tuple[str | None, ...], Measures] | None = None
    for one in snapshot.usage(scope, asked):
        measures = measures_of(one)
        if last is not None and last[:2] == (one.segment, one.group):
            last = (*last[:2], last[2].plus(measures))
            continue
        if last is not None:
            yield last
        last = (one.segment, one.group, measures)
    if last is not None:
        yield last


def _custom_meter(
    snapshot: Snapshot,
    scope: Scope,
    question: UsageReportQuestion,
    meter: MeterView | None,
    segments: tuple[Segment, ...],
    windows: list[Interval],
) -> Iterator[UsageReportRow]:
    if meter is None:
        raise NotFound(f"there is no meter {question.meter!r}")
    for one in snapshot.meter(scope, meter.question(segments, question.customer_id, question.group_by)):
        value = None if one.value is None else meter.rounded(one.value)
        yield UsageReportRow(windows[one.segment], one.group, None, value)


def _deactivated(snapshot: Snapshot, scope: Scope, now: datetime) -> frozenset[str]:
    records = snapshot.customers_ever_deactivated(scope)
    return frozenset(record.customer_id for record in records if not customer_view(record, now).active)
