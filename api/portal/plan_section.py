"""What usage costs a customer by one of its plans: charge by charge, in the billing periods of the subscription."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from api.portal.charts import chart_of
from api.portal.page_parts import Figure, PageAsked, PeriodAmount, Row, Section, Table
from api.portal.period_choice import PERIODS_MAX, chosen_period, headline_of, notes_of, period_entries
from api.portal.texts import (
    AT_LEAST,
    UNKNOWN,
    amount_text,
    counted,
    end_text,
    name_text,
    period_text,
    quantity_text,
    shown_name,
    shows_nothing,
)
from domain.charges.currencies import minor_digits
from domain.errors import InvalidInput
from domain.subscriptions.lives import SubscriptionLife
from domain.values.periods import USAGE_TIME_LIMIT, Interval
from projections.queries.customers import CustomerRecord
from projections.queries.snapshot import Snapshot
from projections.views.charging.charge_amounts import ChargeAmount, FilterAmount, GroupAmount
from projections.views.charging.charges import SubscriptionCharges, customer_charges
from projections.views.charging.subscription_periods import subscription_periods

ROWS_MAX: Final = 60
#: Periods whose charges are measured for one page, and the charges of all of them together. Each is measured twice, as
#: known now and at closing, which takes some ten milliseconds.
MEASURED_PERIODS_MAX: Final = 7
MEASURED_CHARGES_MAX: Final = 40
CHARGES: Final = "Charges"
_TOO_MANY: Final = "It has too many values to be shown."


def plan_section(
    snapshot: Snapshot,
    asked: PageAsked,
    record: CustomerRecord,
    life: SubscriptionLife,
    zone: ZoneInfo,
    closing_grace_seconds: int,
) -> Section:
    """Show one billing period of a subscription, and list the others. `NoSuchPeriod` for one that is not listed."""
    periods = _periods(snapshot, asked, record, life)
    shown = chosen_period(asked, periods, zone)
    charged = _measured(snapshot, asked, life.subscription_id, periods, shown, closing_grace_seconds)
    currency = _currency(charged.values())
    amounts = [_amount(one, charged, currency, asked) for one in periods]
    of_shown = charged[shown]
    amount = next(one for one in amounts if one.period == shown)
    notes = (*_unknown_notes(of_shown), *notes_of(amount))
    drawn = [one for one in amounts if one.is_measured and one.currency == amount.currency]
    return Section(
        period_text(shown, zone, amount.is_endless),
        amount.is_open,
        headline_of(amount, CHARGES, notes),
        _figures(of_shown, shown, zone, life, asked),
        _table(of_shown, amount.currency),
        period_entries(amounts, shown, zone, asked.plan),
        chart_of(drawn, shown, zone),
        CHARGES,
    )


def _periods(snapshot: Snapshot, asked: PageAsked, record: CustomerRecord, life: SubscriptionLife) -> list[Interval]:
    """The open period and those that have ended, newest first. Without a plan the open one is the whole term."""
    of_subscription = subscription_periods(snapshot, asked.scope, record, life.subscription_id, asked.now)
    term = life.term_at(asked.now)
    open_period = of_subscription.open() or (None if term is None else term.span)
    ended = of_subscription.ended(PERIODS_MAX - 1)
    return ended if open_period is None else [open_period, *ended]


def _measured(
    snapshot: Snapshot,
    asked: PageAsked,
    subscription_id: str,
    periods: Sequence[Interval],
    shown: Interval,
    closing_grace_seconds: int,
) -> dict[Interval, SubscriptionCharges | None]:
    """The charges of the period that is shown, and of the newest others as far as the bounds of what is measured go."""
    charged: dict[Interval, SubscriptionCharges | None] = {}
    measured = 0
    for period in [shown, *(one for one in periods if one != shown)][:MEASURED_PERIODS_MAX]:
        if measured < MEASURED_CHARGES_MAX:
            found = _charges(snapshot, asked, subscription_id, period, closing_grace_seconds)
            charged[period] = found
            measured += 1 if found is None else max(1, len(found.charges))
    return charged


def _charges(
    snapshot: Snapshot, asked: PageAsked, subscription_id: str, period: Interval, closing_grace_seconds: int
) -> SubscriptionCharges | None:
    """The charges of a period, as /v1/customers/{customer_id}/charges shows them; None where that refuses to."""
    try:
        found = customer_charges(
            snapshot,
            asked.scope,
            asked.customer_id,
            asked.now,
            asked.now if period.contains(asked.now) else period.start,
            closing_grace_seconds,
            subscription_id,
        )
    except InvalidInput:  # more groups or values than any answer has
        return None
    return next(iter(found.subscriptions), None) if found is not None else None


def _currency(found: Iterable[SubscriptionCharges | None]) -> str:
    """The currency of the newest plan that is known; empty without any."""
    return next((one.plan.currency for one in found if one is not None and one.plan is not None), "")


def _amount(
    period: Interval, charged: Mapping[Interval, SubscriptionCharges | None], currency: str, asked: PageAsked
) -> PeriodAmount:
    is_open, is_endless, found = asked.now < period.end, period.end == USAGE_TIME_LIMIT, charged.get(period)
    if found is None:
        is_measured = period in charged
        return PeriodAmount(period, None, currency, is_open=is_open, is_endless=is_endless, is_measured=is_measured)
    closing = found.at_closing
    return PeriodAmount(
        period,
        None if found.plan is None or (found.is_lower_bound and not found.amount) else found.amount,
        currency if found.plan is None else found.plan.currency,
        found.is_lower_bound,
        is_open=is_open,
        is_final=closing is not None,
        is_restated=found.restated,
        at_closing=None if closing is None else closing.amount,
        was_lower_bound=closing is not None and closing.is_lower_bound,
        is_endless=is_endless,
    )


def _unknown_notes(found: SubscriptionCharges | None) -> tuple[str, ...]:
    if found is None:
        return (_TOO_MANY,)
    if found.plan is None:
        return ("The plan does not exist any more.",)
    unknown = [one.cost_unknown_events for one in found.charges if one.cost_unknown_events]
    notes = []
    if unknown:  # an event may be in several charges: how many there are in all is not known
        bound = "" if len(unknown) == 1 else f"{AT_LEAST} "
        notes.append(f"The cost of {bound}{counted(max(unknown), 'event is', 'events is')} unknown.")
    of_charges = sum(one.amount is None for one in found.charges)
    if of_charges:
        notes.append(f"{counted(of_charges, 'charge is', 'charges are')} unknown.")
    return tuple(notes)


def _figures(
    found: SubscriptionCharges | None, period: Interval, zone: ZoneInfo, life: SubscriptionLife, asked: PageAsked
) -> tuple[Figure, ...]:
    plan = None if found is None else found.plan
    figures = [] if plan is None else [Figure("Plan", shown_name(plan.name, plan.code))]
    if life.name and not shows_nothing(life.name):
        figures.append(Figure("Subscription", name_text(life.name)))
    if plan is not None:
        figures.append(Figure("Billed", plan.interval))
    if period.end != USAGE_TIME_LIMIT:
        figures.append(Figure("Ends" if asked.now < period.end else "Ended", end_text(period.end, zone)))
    return tuple(figures)


def _table(found: SubscriptionCharges | None, currency: str) -> Table:
    heads = ("Charge", "Units", f"Amount ({currency})" if currency else "Amount")
    if found is None or found.plan is None:
        return Table(CHARGES, heads, (), note=_TOO_MANY if found is None else "Without a plan there are no charges.")
    decimals = minor_digits(currency)
    rows = [row for charge in found.charges for row in _rows(charge, decimals)]
    shown = tuple(rows[:ROWS_MAX])
    left_out = len(rows) - len(shown)
    note = f"{counted(left_out, 'more line is', 'more lines are')} not shown. The total has all." if left_out else ""
    total = _money(found.amount, decimals, found.is_lower_bound)
    return Table(CHARGES, heads, shown, Row("Total", "", ("", total)) if shown else None, note)


def _rows(charge: ChargeAmount, decimals: int) -> Iterator[Row]:
    """The line of a charge, then those of its groups and filters that were used, and of what its minimum adds."""
    name = shown_name(charge.charge.name, charge.charge.code)
    detail = "" if charge.unknown_because is None else f"{UNKNOWN}: {name_text(charge.unknown_because)}"
    is_lower_bound = bool(charge.cost_unknown_events)
    units = UNKNOWN
    if charge.units is not None and (charge.units or not is_lower_bound):
        units = _bound(quantity_text(charge.units), is_lower_bound)
    amount = _money(charge.amount, decimals, is_lower_bound)
    yield Row(name, detail, (units, amount))
    if charge.charge.group_by:
        for group in charge.groups:
            yield _part(_group_name(group), group.units, group.amount, decimals, is_lower_bound)
    for one in charge.filters:
        if one.events:
            yield _part(_filter_name(charge, one), one.units, one.amount, decimals, is_lower_bound)
    if charge.added_to_minimum:
        yield Row("Up to the minimum", "", ("", amount_text(charge.added_to_minimum, decimals)), is_part=True)


def _part(name: str, units: Decimal, amount: Decimal, decimals: int, is_lower_bound: bool) -> Row:
    """The line of a group or filter. Which of them the unknown cost of a charge belongs to is not known: to any."""
    cells = _bound(quantity_text(units), is_lower_bound), _bound(amount_text(amount, decimals), is_lower_bound)
    return Row(name, "", cells, is_part=True)


def _group_name(group: GroupAmount) -> str:
    return name_text(", ".join("(none)" if value is None else value for value in group.group))


def _filter_name(charge: ChargeAmount, one: FilterAmount) -> str:
    if one.number is None:
        return "Other"
    own = charge.charge.filters[one.number]
    return shown_name(own.name, ", ".join(" or ".join(texts) or key for key, texts in own.values.items()))


def _money(amount: Decimal | None, decimals: int, is_lower_bound: bool) -> str:
    if amount is None or (is_lower_bound and not amount):
        return UNKNOWN
    return _bound(amount_text(amount, decimals), is_lower_bound)


def _bound(text: str, is_lower_bound: bool) -> str:
    return f"{AT_LEAST} {text}" if is_lower_bound else text
