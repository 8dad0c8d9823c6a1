"""The explanation of one event: its outcome, its cost and the price applied, and the totals that include it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal

import msgspec

from domain.correction_runs.events import CORRECTION_RUN_REVERTED
from domain.corrections.events import USAGE_AMENDED, USAGE_RESTORED
from domain.prices.discounts import discounted
from domain.prices.price_list import AppliedPrice, applied_price
from domain.scope import Scope
from domain.usage.block_schema import REQUEST_TYPE
from domain.usage.locators import position_of
from domain.usage.outcomes import Outcome
from domain.usage.received_members import FACTS, MemberDifference, Members, differences
from domain.values.money import marked_up
from domain.values.periods import Interval
from projections.queries.customers import CustomerWithBudgets
from projections.queries.events import CORRECTIONS_MAX, CorrectionRecord, OutcomeRow, UsageEventRow
from projections.queries.prices import DiscountRecord, PriceRecord
from projections.queries.repricing import RunStep
from projections.queries.snapshot import ReceivedEvents, Snapshot
from projections.views.budgets import budget_timeline, tiers_of
from projections.views.customers import customer_history, life_at, markup_at, markup_changes
from projections.views.periods import usage_timeline

REFUSALS_SHOWN_MAX: Final = 100
VERSIONS_SHOWN_MAX: Final = 100

Because = Literal[
    "counted", "moved", "amended", "priced", "repriced", "reverted", "restored", "backfilled", "reinstated"
]


class CostExplanation(msgspec.Struct, frozen=True):
    """The cost of an event. `price`, and what `applied` of it, are None unless a price made the cost.

    `discounts`: those on the price, the customer's first; `applied` is what they leave of it. `input_tokens` of the
    event choose the tier.
    """

    cost_usd: Decimal | None
    markup_percentage: Decimal
    reported_cost_usd: Decimal | None
    price: PriceRecord | None
    discounts: tuple[DiscountRecord, ...]
    applied: AppliedPrice | None
    input_tokens: int


class EventTotals(msgspec.Struct, frozen=True):
    """The totals that include an event: those of its life, its periods and its day."""

    life: int
    usage_period: Interval
    budget_period: Interval | None
    day: date  # UTC


class EventVersion(msgspec.Struct, frozen=True):
    """A version of an event that was ever in effect, and why it was opened.

    An event that has the customer of its subscription "moved" where a fact tells another customer. An event of unknown
    cost is "priced" once its price is known; a named run that prices events again "repriced" it, one that corrects
    events by a filter "restored" it, or a run was "reverted". An event that a backfill loaded is "backfilled"; one that
    counts since a backfill was reverted is "reinstated". `run`: that run, or that backfill.
    """

    because: Because
    event: UsageEventRow
    run: RunStep | None = None


class EventExplanation(msgspec.Struct, frozen=True):
    """Everything known about an event identity, as of log position `position`.

    `outcome` is "counted" when an event is counted under the identity, "withdrawn" when a backfill withdrew it,
    otherwise the outcome of its last delivery. `event` and `cost` are None when no delivery was ever counted. `totals`
    is None then, and also for a voided or withdrawn event (it is in no total) and for an event of another type than
    llm.request (only meters include it).
    `refusals`: deliveries of the identity that were not counted, oldest first, at most `REFUSALS_SHOWN_MAX`.
    `versions`: those of the event that were ever in effect, oldest first, at most the last `VERSIONS_SHOWN_MAX`.
    `amendments_met`: see `Snapshot.amendments_met`, of the refusals.
    """

    position: int
    outcome: Outcome
    event: UsageEventRow | None
    cost: CostExplanation | None
    totals: EventTotals | None
    corrections: tuple[CorrectionRecord, ...]
    refusals: tuple[OutcomeRow, ...]
    versions: tuple[EventVersion, ...] = ()
    amendments_met: Mapping[int, int] = {}


def explain_event(
    snapshot: Snapshot, received: ReceivedEvents, scope: Scope, source: str, event_id: str, now: datetime
) -> EventExplanation | None:
    """Explain the event with this identity; None when it was never delivered."""
    event = received.counted(snapshot, scope, source, event_id)
    history = snapshot.identity_history(scope, source, event_id, REFUSALS_SHOWN_MAX)
    refusals, corrections = history.refusals, history.corrections
    if event is not None:
        corrections = with_runs(corrections, snapshot.run_corrections(scope, event.locator))
    position = snapshot.point().position
    if event is None:
        if not refusals:
            return None
        return EventExplanation(position, refusals[-1].outcome, None, None, None, corrections, refusals)
    is_withdrawn = event.voided and not snapshot.held([event.locator])
    if is_withdrawn:
        event = msgspec.structs.replace(event, voided=_is_void(corrections))
    owner = None
    if event.customer_id is not None:
        owner = snapshot.customer_with_budgets(scope, event.customer_id, usage_times=False)
    return EventExplanation(
        position=position,
        outcome="withdrawn" if is_withdrawn else "counted",
        event=event,
        cost=_cost(snapshot, scope, owner, event),
        totals=None if owner is None or is_withdrawn else _totals(owner, event, now),
        corrections=corrections,
        refusals=refusals,
        versions=_versions(snapshot, scope, event, corrections),
        amendments_met=snapshot.amendments_met(refusals) if _was_amended(corrections) else {},
    )


def with_runs(
    corrections: Sequence[CorrectionRecord], of_runs: Sequence[CorrectionRecord]
) -> tuple[CorrectionRecord, ...]:
    """Return the last corrections of an event, its own and those that runs made, oldest first."""
    found = sorted((*corrections, *of_runs), key=lambda one: one.position)
    return tuple(found[-CORRECTIONS_MAX:])


def _is_void(corrections: Sequence[CorrectionRecord]) -> bool:
    """Whether the last void or restoration is a void."""
    kinds = [one.kind for one in corrections if one.kind != USAGE_AMENDED and not one.amends]
    return bool(kinds) and kinds[-1] != USAGE_RESTORED


def _was_amended(corrections: Sequence[CorrectionRecord]) -> bool:
    return any(one.kind == USAGE_AMENDED for one in corrections)


def _versions(
    snapshot: Snapshot, scope: Scope, event: UsageEventRow, corrections: Sequence[CorrectionRecord]
) -> tuple[EventVersion, ...]:
    kinds = {one.position: one.kind for one in corrections}
    found = snapshot.event_versions(scope, event, VERSIONS_SHOWN_MAX)
    later = [one.counted_at for one in found if one.counted_at != position_of(one.locator)]
    steps = snapshot.run_steps(scope, later) if later else {}
    backfills = snapshot.backfill_steps(scope, later) if later else {}
    shown = []
    before: UsageEventRow | None = None
    for one in found:
        has_moved = before is not None and before.customer_id != one.customer_id and one.counted_at not in kinds
        because: Because = "moved" if has_moved else _because(one, kinds, steps, backfills)
        shown.append(EventVersion(because, one, (steps | backfills).get(one.counted_at)))
        before = one
    return tuple(shown)


def _because(
    version: UsageEventRow,
    kinds: Mapping[int, str],
    steps: Mapping[int, RunStep],
    backfills: Mapping[int, RunStep],
) -> Because:
    """Why a version was opened; `kinds` are those of the event's corrections, by position, the others likewise."""
    kind = kinds.get(version.counted_at)
    if kind == USAGE_AMENDED:
        return "amended"
    if kind == USAGE_RESTORED:
        return "restored"
    if kind == CORRECTION_RUN_REVERTED:
        return "reverted"
    if version.counted_at == position_of(version.locator):
        return "counted"
    backfill = backfills.get(version.counted_at)
    if backfill is not None:
        return "reinstated" if backfill.step == "reverted" else "backfilled"
    step = steps.get(version.counted_at)
    if step is None:
        return "priced"
    return "reverted" if step.step == "reverted" else "repriced"


class Conflict(msgspec.Struct, frozen=True):
    """A delivery in conflict with the event counted before it, as it was then: what each said, and what differs.

    `differences` is empty when they differ only in what the log does not keep; see `domain.usage.received_members`.
    What was said of the customer stands below `FACTS`.
    """

    counted: Members
    received: Members
    differences: tuple[MemberDifference, ...]


def conflict_of(received: ReceivedEvents, row: OutcomeRow, amended_at: int | None = None) -> Conflict | None:
    """The conflict that a delivery ended in; None for any other outcome.

    `amended_at`: the position of the last amendment before it of the event that it met; None: there was none.
    """
    if row.outcome != "conflict" or row.first_locator is None:
        return None
    refused, counted = received.members(row.locator), received.members(row.first_locator)
    if counted is None or refused is None:
        return None
    if amended_at is not None:  # the facts stay as they were
        facts = {FACTS: counted[FACTS]} if FACTS in counted else {}
        counted = received.amended_members(amended_at, row.first_locator) | facts
    return Conflict(counted, refused, differences(counted, refused))


def _cost(snapshot: Snapshot, scope: Scope, owner: CustomerWithBudgets | None, event: UsageEventRow) -> CostExplanation:
    markup = Decimal(0) if owner is None else markup_at(markup_changes(owner.record.facts), event.time)
    reported = None if event.cost_usd is None else marked_up(event.cost_usd, markup)
    price = None if event.price_position is None else snapshot.price_at(scope, event.price_position)
    discounts = tuple(snapshot.discounts_at(scope, event.discount_positions))
    applied = None
    if price is not None:
        at_discounts = discounted(price.prices, (discount.percentage for discount in discounts))
        applied = applied_price(at_discounts, event.time, tuple(sorted(event.price_context.items())))
    return CostExplanation(event.cost_usd, markup, reported, price, discounts, applied, event.input_tokens)


def _totals(found: CustomerWithBudgets, event: UsageEventRow, now: datetime) -> EventTotals | None:
    if event.voided or event.type != REQUEST_TYPE:
        return None
    life = life_at(found.record, event.time)
    history = customer_history(found.record, now if life.end is None else min(now, life.end), life)
    budget = budget_timeline(history, tiers_of(found.budgets))
    return EventTotals(
        life=life.number,
        usage_period=usage_timeline(history).containing(event.time),
        budget_period=None if budget is None else budget.containing(event.time),
        day=event.time.date(),
    )
