"""What moved usage between two points of knowledge, as the native API shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from api.native.models import diff as models
from api.native.views.usage import measures_document
from projections.queries.facts import Fact
from projections.views.customers import MARKUP_FIELD
from projections.views.diff.causes import Cause, CauseKind, CauseSum
from projections.views.diff.difference import Difference, KnownUsage

#: The fields of a fact that a kind of cause shows. Personal ones are none of them.
_FIELDS_SHOWN: Final[dict[CauseKind, tuple[str, ...]]] = {
    "markup": (MARKUP_FIELD,),
    "period": ("time_zone", "usage_duration", "usage_alignment", "usage_anchor"),
}


def diff_document(found: Difference, now: datetime, next_cursor: str | None) -> models.DiffView:
    """Convert a difference to its response."""
    return models.DiffView(
        position=found.after.position,
        now=now,
        customer=found.customer_id,
        before=_known(found.before),
        after=_known(found.after),
        difference=measures_document(found.moved),
        by_kind=[_sum(one) for one in found.by_kind],
        data=[_cause(one) for one in found.causes],
        next_cursor=next_cursor,
    )


def _known(known: KnownUsage) -> models.KnownUsageView:
    return models.KnownUsageView(
        position=known.position,
        recorded_at=known.recorded_at,
        start=known.span.start,
        end=known.span.end,
        usage=measures_document(known.usage),
    )


def _sum(one: CauseSum) -> models.CauseSumView:
    return models.CauseSumView(kind=one.kind, run=one.run, events=one.events, moved=measures_document(one.moved))


def _cause(cause: Cause) -> models.CauseView:
    event = cause.event
    return models.CauseView(
        kind=cause.kind,
        position=cause.at.position,
        recorded_at=cause.recorded_at,
        customer=cause.customer_id,
        event=None if event is None else models.ChangedEventView(source=event.source, id=event.id, time=event.time),
        fact=None if cause.fact is None else _fact(cause.kind, cause.fact),
        run=cause.run,
        actor=cause.actor,
        reason=cause.reason,
        moved=measures_document(cause.moved),
    )


def _fact(kind: CauseKind, fact: Fact) -> models.CauseFactView:
    shown = _FIELDS_SHOWN[kind]
    fields = {name: value for name, value in fact.fields.items() if name in shown}
    return models.CauseFactView(kind=fact.kind, effective_at=fact.effective_at, fields=fields)
