"""The causes of a difference: what moved a number, and by how much."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal

import msgspec

from domain.values.money import marked_up
from projections.queries.diff import ChangeCursor, ChangePart, EventChange, EventChangeKind
from projections.queries.facts import Fact
from projections.views.measures import Measures

#: A change of an event, of the markup of a customer, or of the bounds of the period.
CauseKind = EventChangeKind | Literal["markup", "period"]
#: The locator of changes of bounds in the order of causes.
OF_PERIOD: Final = -2


class EventOfCause(msgspec.Struct, frozen=True):
    """The event that changed."""

    source: str
    id: str
    time: datetime


class Cause(msgspec.Struct, frozen=True):
    """What one log record moved. `event` or `fact` is what it is about.

    `customer_id` is None for an event that has no customer yet. `run`: the re-pricing run that it was a step of.
    """

    at: ChangeCursor
    kind: CauseKind
    recorded_at: datetime
    customer_id: str | None
    actor: str | None
    reason: str | None
    moved: Measures
    event: EventOfCause | None = None
    fact: Fact | None = None
    run: str | None = None


class CauseSum(msgspec.Struct, frozen=True):
    """What all causes of one kind moved. `events`: how many events changed; None for facts."""

    kind: CauseKind
    run: str | None
    events: int | None
    moved: Measures


def moved_by(parts: Iterable[ChangePart]) -> Measures:
    """The measures of changes, each with its markup."""
    moved = Measures()
    for part in parts:
        sums = part.sums
        moved = moved.plus(
            Measures(
                sums.root_requests,
                sums.input_tokens,
                sums.cached_input_tokens,
                sums.cache_write_tokens,
                sums.output_tokens,
                sums.reasoning_tokens,
                sums.cost_usd,
                marked_up(sums.cost_usd, part.markup_percentage),
                sums.cost_unknown_events,
                sums.units,
            )
        )
    return moved


def cause_of_event(change: EventChange) -> Cause:
    """The change of an event as a cause."""
    return Cause(
        ChangeCursor(change.position, change.locator, change.customer_id or ""),
        change.kind,
        change.recorded_at,
        change.customer_id,
        change.actor,
        change.reason,
        moved_by(change.parts),
        EventOfCause(change.source, change.id, change.time),
        run=change.run,
    )


def cause_of_fact(kind: CauseKind, locator: int, customer_id: str, fact: Fact, moved: Measures) -> Cause:
    """A fact about a customer as a cause."""
    return Cause(
        ChangeCursor(fact.position, locator, customer_id),
        kind,
        fact.recorded_at,
        customer_id,
        fact.actor,
        fact.reason,
        moved,
        fact=fact,
    )
