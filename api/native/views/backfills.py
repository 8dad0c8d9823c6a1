"""Backfills as the native API shows them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from api.native.models.backfills.preview import (
    BackfilledPeriodView,
    BackfillPreviewView,
    ChangedCountView,
    ChangedMoneyView,
    ExceededLimitView,
    MissingEventView,
)
from api.native.models.backfills.runs import BackfillChangeView, BackfillStatusView, BackfillStepView, BackfillView
from projections.queries.backfills import BackfillChange, BackfillRecord, BackfillStep
from projections.views.backfill.exceeded_limits import ExceededLimit
from projections.views.backfill.preview import BackfilledPeriod, BackfillPreview


def backfill_view(backfill: BackfillRecord, position: int, now: datetime) -> BackfillView:
    """Convert a backfill to its response."""
    return BackfillView(
        position=position,
        now=now,
        name=backfill.name,
        state=backfill.state,
        mode=backfill.mode,
        **{"from": backfill.range.start},
        to=backfill.range.end,
        customers=list(backfill.range.customers),
        sources=list(backfill.range.sources),
        opened_at=backfill.opened.recorded_at,
        actor=backfill.opened.actor,
        reason=backfill.opened.reason,
        loaded_blocks=backfill.loaded_blocks,
        loaded_events=backfill.loaded_events,
        rejected_events=backfill.rejected_events,
        previewed_at=backfill.previewed_at,
        committed=_change_view(backfill.committed),
        reverted=_change_view(backfill.reverted),
        cancelled=_step_view(backfill.cancelled),
    )


def backfill_status_view(
    backfill: BackfillRecord, late_events: int, position: int, now: datetime
) -> BackfillStatusView:
    """Convert a backfill to its response, with the number of events that arrived in its range since."""
    return BackfillStatusView(
        **backfill_view(backfill, position, now).model_dump(by_alias=True), late_events=late_events
    )


def preview_view(
    backfill: BackfillRecord, preview: BackfillPreview, position: int, now: datetime, next_cursor: str | None
) -> BackfillPreviewView:
    """Convert the preview of a backfill to its response."""
    effect = preview.effect
    return BackfillPreviewView(
        position=position,
        now=now,
        name=backfill.name,
        state=backfill.state,
        mode=backfill.mode,
        previewed_at=preview.position,
        counted=effect.counted,
        duplicate=effect.duplicate,
        conflict=effect.conflict,
        withdrawn=effect.withdrawn,
        missing=effect.missing,
        missing_events=[
            MissingEventView(source=one.source, id=one.id, customer=one.customer_id, time=one.time)
            for one in effect.missing_events
        ],
        late_events=effect.late,
        changed_customers=preview.customers,
        difference_usd=preview.difference_usd,
        cost_unknown_events=preview.cost_unknown_events,
        exceeded_limits=[_exceeded_view(one) for one in preview.exceeded.limits],
        exceeded_limits_complete=preview.exceeded.complete,
        data=[_period_view(period) for period in preview.periods],
        next_cursor=next_cursor,
    )


def _exceeded_view(one: ExceededLimit) -> ExceededLimitView:
    return ExceededLimitView(
        customer=one.customer_id,
        life=one.life,
        limit=one.name,
        start=None if one.period is None else one.period.start,
        end=None if one.period is None else one.period.end,
        limit_usd=one.limit_usd,
        before_usd=one.before_usd,
        after_usd=one.after_usd,
    )


def _period_view(period: BackfilledPeriod) -> BackfilledPeriodView:
    before, after, grown = period.before, period.after, period.difference
    return BackfilledPeriodView(
        customer=period.customer_id,
        life=period.life,
        start=period.period.start,
        end=period.period.end,
        arriving_events=period.arriving,
        leaving_events=period.leaving,
        requests=ChangedCountView(before=before.requests, after=after.requests, difference=grown.requests),
        cost_usd=ChangedMoneyView(before_usd=before.cost_usd, after_usd=after.cost_usd, difference_usd=grown.cost_usd),
        reported_cost_usd=ChangedMoneyView(
            before_usd=before.reported_cost_usd,
            after_usd=after.reported_cost_usd,
            difference_usd=grown.reported_cost_usd,
        ),
        cost_unknown_events=ChangedCountView(
            before=before.cost_unknown_events, after=after.cost_unknown_events, difference=grown.cost_unknown_events
        ),
    )


def _change_view(change: BackfillChange | None) -> BackfillChangeView | None:
    return None if change is None else BackfillChangeView(**msgspec.structs.asdict(change))


def _step_view(step: BackfillStep | None) -> BackfillStepView | None:
    return None if step is None else BackfillStepView(**msgspec.structs.asdict(step))
