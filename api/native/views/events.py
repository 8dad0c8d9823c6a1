"""Usage events, their outcomes, costs and corrections as the native API shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain
from typing import Final, Literal

import msgspec

from api.native.models.event_explanation import CostView, ExplainedView, TotalsView
from api.native.models.events import (
    ChangeView,
    CorrectionView,
    DifferenceView,
    EventView,
    RefusedView,
    RunView,
    VersionView,
)
from api.native.views.discounts import discount_view
from api.native.views.prices import applied_view, price_view, unit_prices_view
from api.native.views.usage import period_document
from domain.correction_runs.events import CORRECTION_RUN_REVERTED
from domain.corrections.events import USAGE_AMENDED, USAGE_RESTORED, USAGE_VOIDED
from domain.streams import backfill_of
from domain.usage.block_schema import REQUEST_TYPE, TOKEN_COLUMNS
from domain.usage.locators import position_of
from domain.usage.outcomes import REPLACED
from domain.usage.received_members import members_text
from projections.queries.events import CorrectionRecord, OutcomeRow, UsageEventRow
from projections.queries.snapshot import ReceivedEvents
from projections.views.event_explanation import (
    CostExplanation,
    EventExplanation,
    EventTotals,
    EventVersion,
    conflict_of,
)

NO_METER: Final = "no_meter"
NO_SUBSCRIPTION: Final = "no_subscription"
#: Text of events that were not counted in one answer, which otherwise could hold hundreds of the largest events.
REFUSED_TEXT_MAX: Final = 16 * 1024 * 1024
_KINDS: Final[dict[str, Literal["voided", "restored", "amended", "reverted"]]] = {
    USAGE_VOIDED: "voided",
    USAGE_RESTORED: "restored",
    USAGE_AMENDED: "amended",
    CORRECTION_RUN_REVERTED: "reverted",
}


def unmatched_reason(event: UsageEventRow, metered_types: frozenset[str]) -> str | None:
    """Why an event is unmatched: its subscription has no customer at its time, or no meter measures its type.

    Built-in meters measure llm.request, custom ones the type that they name. None: it is matched.
    """
    if event.customer_id is None:
        return NO_SUBSCRIPTION
    return NO_METER if event.type != REQUEST_TYPE and event.type not in metered_types else None


def event_document(event: UsageEventRow, metered_types: frozenset[str]) -> EventView:
    """Convert a counted event to its response. `metered_types` are the event types that custom meters measure."""
    reason = unmatched_reason(event, metered_types)
    return EventView(
        source=event.source,
        id=event.id,
        type=event.type,
        customer=event.customer_id,
        time=event.time,
        recorded_at=event.recorded_at,
        position=position_of(event.locator),
        provider=event.provider,
        model=event.model,
        status=event.status,
        **_tokens(event),
        units=event.units,
        requests=event.requests,
        cost_usd=event.cost_usd,
        cost_origin=event.cost_origin,
        voided=event.voided,
        unmatched=reason is not None,
        unmatched_reason=reason,
        subscription=event.subscription,
        parent_request=event.parent_request,
        hold_id=event.hold_id,
        latency_ms=_milliseconds(event.latency_us),
        ttft_ms=_milliseconds(event.ttft_us),
        tags=list(event.tags),
        properties=event.properties,
        extensions=event.extensions,
    )


def _tokens(event: UsageEventRow) -> dict[str, int | None]:
    if event.quantities_unknown:
        return dict.fromkeys((*TOKEN_COLUMNS, "total_tokens"))
    counts: dict[str, int | None] = {name: getattr(event, name) for name in TOKEN_COLUMNS}
    return counts | {"total_tokens": event.input_tokens + event.output_tokens}


def _milliseconds(microseconds: int | None) -> Decimal | None:
    return None if microseconds is None else Decimal(microseconds) / 1000


def refused_documents(
    rows: Sequence[OutcomeRow], received: ReceivedEvents, amendments_met: Mapping[int, int]
) -> list[RefusedView]:
    """Convert the first of these rows: as many as have `REFUSED_TEXT_MAX` characters, at least one.

    `amendments_met`: see `Snapshot.amendments_met`.
    """
    shown: list[RefusedView] = []
    size = 0
    for row in rows:
        document = refused_document(row, received, amendments_met.get(row.locator))
        size += _text_size(document)
        if shown and size > REFUSED_TEXT_MAX:
            break
        shown.append(document)
    return shown


def _text_size(shown: RefusedView) -> int:
    of_members = ((one.counted, one.received) for one in shown.differences or ())
    return sum(len(text or "") for text in (shown.original, shown.counted, *chain.from_iterable(of_members)))


def refused_document(row: OutcomeRow, received: ReceivedEvents, amended_at: int | None) -> RefusedView:
    """Convert a received event that was not counted to its response; of a conflict with both events.

    `amended_at`: see `conflict_of`.
    """
    conflict = conflict_of(received, row, amended_at)
    shown = RefusedView(
        source=row.source,
        id=row.id,
        customer=row.customer_id,
        type=row.type,
        outcome=row.outcome,
        reason=row.reason,
        detail=row.detail or _withdrawn_by(row),
        position=position_of(row.locator),
        recorded_at=row.recorded_at,
        stream=row.stream,
        original=None if row.raw is None else row.raw.decode("utf-8", "replace"),
    )
    if conflict is not None:
        shown.original, shown.counted = members_text(conflict.received), members_text(conflict.counted)
        shown.differences = [DifferenceView(**msgspec.structs.asdict(one)) for one in conflict.differences]
    return shown


def _withdrawn_by(row: OutcomeRow) -> str | None:
    """Why an event is withdrawn; None for any other outcome."""
    if row.outcome != "withdrawn":
        return None
    name = backfill_of(row.stream)
    return f"replaced by backfill {name!r}" if row.reason == REPLACED else f"backfill {name!r} was reverted"


def correction_document(correction: CorrectionRecord) -> CorrectionView:
    """Convert a void, its removal, or an amendment to its response."""
    changed = correction.changed
    return CorrectionView(
        kind=_KINDS[correction.kind],
        position=correction.position,
        recorded_at=correction.recorded_at,
        actor=correction.actor,
        reason=correction.reason,
        changed=None if changed is None else [ChangeView(**msgspec.structs.asdict(one)) for one in changed],
        run=correction.run,
    )


def version_document(version: EventVersion) -> VersionView:
    """Convert a version of an event to its response."""
    event, run = version.event, version.run
    return VersionView(
        because=version.because,
        run=None if run is None else RunView(name=run.name, actor=run.actor, reason=run.reason),
        counted_at=event.counted_at,
        closed_at=event.closed_at,
        customer=event.customer_id,
        time=event.time,
        provider=event.provider,
        model=event.model,
        status=event.status,
        **_tokens(event),
        units=event.units,
        requests=event.requests,
        cost_usd=event.cost_usd,
        cost_origin=event.cost_origin,
    )


def explained_document(
    source: str,
    event_id: str,
    found: EventExplanation,
    received: ReceivedEvents,
    metered_types: frozenset[str],
    now: datetime,
) -> ExplainedView:
    """Convert the explanation of one event to its response."""
    return ExplainedView(
        position=found.position,
        now=now,
        source=source,
        id=event_id,
        outcome=found.outcome,
        event=None if found.event is None else event_document(found.event, metered_types),
        cost=None if found.cost is None else _cost(found.cost),
        totals=None if found.totals is None else _totals(found.totals),
        corrections=[correction_document(one) for one in found.corrections],
        versions=[version_document(one) for one in found.versions],
        refusals=refused_documents(found.refusals, received, found.amendments_met),
    )


def _cost(cost: CostExplanation) -> CostView:
    return CostView(
        cost_usd=cost.cost_usd,
        markup_percentage=cost.markup_percentage,
        reported_cost_usd=cost.reported_cost_usd,
        price=None if cost.price is None else price_view(cost.price),
        discounts=[discount_view(discount) for discount in cost.discounts],
        unit_prices=None if cost.applied is None else unit_prices_view(cost.applied.rates, cost.input_tokens),
        applied=None if cost.applied is None else applied_view(cost.applied, cost.input_tokens),
    )


def _totals(totals: EventTotals) -> TotalsView:
    return TotalsView(
        life=totals.life,
        usage_period=period_document(totals.usage_period),
        budget_period=None if totals.budget_period is None else period_document(totals.budget_period),
        day=totals.day,
    )
