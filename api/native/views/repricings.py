"""Re-pricing runs and their previews as the native API shows them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from api.native.models.prices import EFFECT_EVENTS_MAX, RepricingEffectView
from api.native.models.repricings import (
    RepricedCostsView,
    RepricedPeriodView,
    RepricingChangeView,
    RepricingPreviewView,
    RepricingView,
)
from domain.repricings.repricing_range import RepricingRange
from domain.scope import Scope
from domain.values.money import MONEY
from projections.queries.repricing import RepricingChange, RepricingRecord
from projections.queries.snapshot import Snapshot
from projections.views.repricing import RepricedPeriod, RepricingPreview, repricing_effect


def repricing_view(run: RepricingRecord, position: int, now: datetime) -> RepricingView:
    """Convert a run to its response."""
    return RepricingView(
        position=position,
        now=now,
        name=run.name,
        state=run.state,
        models=list(run.range.models),
        provider=run.range.provider,
        customers=list(run.range.customers),
        **{"from": run.range.start},
        to=run.range.end,
        given_costs=run.range.given_costs,
        opened_at=run.opened_at,
        actor=run.actor,
        reason=run.reason,
        previewed_at=run.previewed_at,
        committed=_change_view(run.committed),
        reverted=_change_view(run.reverted),
    )


def preview_view(
    run: RepricingRecord, preview: RepricingPreview, position: int, now: datetime, next_cursor: str | None
) -> RepricingPreviewView:
    """Convert the preview of a run to its response."""
    changed = preview.changed
    return RepricingPreviewView(
        position=position,
        now=now,
        name=run.name,
        state=run.state,
        previewed_at=preview.position,
        events=preview.events,
        unpriced_events=preview.unpriced,
        changed_events=changed.events,
        changed_customers=preview.customers,
        cost_usd=_costs_view(changed.before_usd, changed.after_usd),
        data=[_period_view(period) for period in preview.periods],
        next_cursor=next_cursor,
    )


def _change_view(change: RepricingChange | None) -> RepricingChangeView | None:
    return None if change is None else RepricingChangeView(**msgspec.structs.asdict(change))


def _period_view(period: RepricedPeriod) -> RepricedPeriodView:
    return RepricedPeriodView(
        customer=period.customer_id,
        life=period.life,
        start=period.period.start,
        end=period.period.end,
        events=period.events,
        cost_usd=_costs_view(period.before_usd, period.after_usd),
        reported_cost_usd=_costs_view(period.reported_before_usd, period.reported_after_usd),
    )


def _costs_view(before: Decimal, after: Decimal) -> RepricedCostsView:
    return RepricedCostsView(before_usd=before, after_usd=after, difference_usd=MONEY.subtract(after, before))


def effect_view(snapshot: Snapshot, scope: Scope, asked: RepricingRange) -> RepricingEffectView:
    """What a re-pricing of a range would change, as the answer to a price or discount tells it."""
    costs = repricing_effect(snapshot, scope, asked, EFFECT_EVENTS_MAX)
    if costs is None:
        return RepricingEffectView(events=None, difference_usd=None)
    return RepricingEffectView(events=costs.events, difference_usd=costs.difference_usd)
