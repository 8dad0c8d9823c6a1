"""Correction runs and their previews as the native API shows them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from api.native.models.correction_runs import (
    CorrectedCostsView,
    CorrectedCountView,
    CorrectedPeriodView,
    CorrectionPreviewView,
    CorrectionRunChangeView,
    CorrectionRunView,
    MembersView,
)
from domain.values.money import MONEY
from projections.queries.corrections import CorrectionRunChange, CorrectionRunRecord
from projections.views.corrections.preview import CorrectedPeriod, CorrectionPreview


def correction_run_view(run: CorrectionRunRecord, position: int, now: datetime) -> CorrectionRunView:
    """Convert a run to its response."""
    asked = run.filter
    return CorrectionRunView(
        position=position,
        now=now,
        name=run.name,
        state=run.state,
        action=run.action,
        set=None if run.members is None else MembersView(**msgspec.to_builtins(run.members)),
        customers=list(asked.customers),
        sources=list(asked.sources),
        models=list(asked.models),
        providers=list(asked.providers),
        types=list(asked.types),
        tags=list(asked.tags),
        **{"from": asked.start},
        to=asked.end,
        recorded_from=asked.recorded_from,
        recorded_to=asked.recorded_to,
        opened_at=run.opened_at,
        actor=run.actor,
        reason=run.reason,
        previewed_at=run.previewed_at,
        committed=_change_view(run.committed),
        reverted=_change_view(run.reverted),
    )


def correction_preview_view(
    run: CorrectionRunRecord, preview: CorrectionPreview, position: int, now: datetime, next_cursor: str | None
) -> CorrectionPreviewView:
    """Convert the preview of a run to its response."""
    return CorrectionPreviewView(
        position=position,
        now=now,
        name=run.name,
        state=run.state,
        action=run.action,
        previewed_at=preview.position,
        events=preview.events,
        changed_events=preview.changed.events,
        changed_customers=preview.customers,
        changed_requests=preview.changed.requests,
        cost_unknown_events=preview.changed.cost_unknown_events,
        difference_usd=preview.changed.cost_usd,
        data=[_period_view(period) for period in preview.periods],
        next_cursor=next_cursor,
    )


def _change_view(change: CorrectionRunChange | None) -> CorrectionRunChangeView | None:
    return None if change is None else CorrectionRunChangeView(**msgspec.structs.asdict(change))


def _period_view(period: CorrectedPeriod) -> CorrectedPeriodView:
    before, after = period.before, period.after
    return CorrectedPeriodView(
        customer=period.customer_id,
        life=period.life,
        start=period.period.start,
        end=period.period.end,
        events=period.events,
        requests=_count_view(before.requests, after.requests),
        cost_usd=_costs_view(before.cost_usd, after.cost_usd),
        reported_cost_usd=_costs_view(before.reported_cost_usd, after.reported_cost_usd),
        cost_unknown_events=_count_view(before.cost_unknown_events, after.cost_unknown_events),
    )


def _count_view(before: int, after: int) -> CorrectedCountView:
    return CorrectedCountView(before=before, after=after, difference=after - before)


def _costs_view(before: Decimal, after: Decimal) -> CorrectedCostsView:
    return CorrectedCostsView(before_usd=before, after_usd=after, difference_usd=MONEY.subtract(after, before))
