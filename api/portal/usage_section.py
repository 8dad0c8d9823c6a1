"""The usage of a customer without a plan: by model, in its usage periods, in USD with its markup."""

from __future__ import annotations

from collections.abc import Sequence
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
    count_text,
    counted,
    decimals_for,
    name_text,
    period_text,
    quantity_text,
)
from domain.errors import InvalidInput
from domain.values.periods import Interval
from projections.queries.snapshot import Snapshot
from projections.views.customers import CustomerHistory
from projections.views.measures import Measures
from projections.views.past_usage import PastPeriod, past_usage
from projections.views.periods import usage_timeline
from projections.views.usage_report import UsageReportQuestion, UsageReportRow, usage_report

MODELS_MAX: Final = 50
UNITS_MAX: Final = 6
#: The currency of all costs; nothing is converted.
USD: Final = "USD"
COST: Final = "Cost"
_GROUPS: Final = ("provider", "model")


def usage_section(
    snapshot: Snapshot, asked: PageAsked, history: CustomerHistory, zone: ZoneInfo, closing_grace_seconds: int
) -> Section:
    """Show one usage period, and list the others. `NoSuchPeriod` for one that is not listed."""
    scope, customer_id, now = asked.scope, asked.customer_id, asked.now
    open_period = usage_timeline(history).containing(now)
    past = past_usage(snapshot, scope, customer_id, now, PERIODS_MAX - 1, closing_grace_seconds)
    ended = () if past is None else past.periods
    shown = chosen_period(asked, [open_period, *(one.period for one in ended)], zone)
    of_open = _measured(snapshot, asked, open_period, history)
    amounts = [_open_amount(open_period, of_open), *(_amount(one) for one in ended)]
    of_shown = of_open if shown == open_period else next(one.now for one in ended if one.period == shown)
    amount = next(one for one in amounts if one.period == shown)
    return Section(
        period_text(shown, zone),
        amount.is_open,
        headline_of(amount, COST, _notes(amount, of_shown)),
        _figures(of_shown),
        _by_model(snapshot, asked, shown, history, of_shown),
        period_entries(amounts, shown, zone, None),
        chart_of(amounts, shown, zone),
        COST,
    )


def _measured(snapshot: Snapshot, asked: PageAsked, period: Interval, history: CustomerHistory) -> Measures:
    rows = _rows(snapshot, asked, period, history, ())
    return next((one.measures for one in rows if one.measures is not None), Measures())


def _rows(
    snapshot: Snapshot, asked: PageAsked, period: Interval, history: CustomerHistory, group_by: tuple[str, ...]
) -> Sequence[UsageReportRow]:
    """The usage of the present life in a period, as /v1/customers/{customer_id}/usage reports it."""
    question = UsageReportQuestion(
        asked.customer_id, period.start, period.end, group_by=group_by, life=history.life.number
    )
    report = usage_report(snapshot, asked.scope, question, asked.now)
    return () if report is None else report.rows


def _open_amount(period: Interval, usage: Measures) -> PeriodAmount:
    return PeriodAmount(period, _known_cost(usage), USD, usage.cost_unknown_events > 0, is_open=True)


def _amount(past: PastPeriod) -> PeriodAmount:
    closing = past.at_closing
    return PeriodAmount(
        past.period,
        _known_cost(past.now),
        USD,
        past.now.cost_unknown_events > 0,
        is_final=past.closed,
        is_restated=past.restated,
        at_closing=None if closing is None else _known_cost(closing),
        was_lower_bound=closing is not None and closing.cost_unknown_events > 0,
    )


def _known_cost(usage: Measures) -> Decimal | None:
    """The cost; None where nothing but unknown cost is in it."""
    return None if usage.cost_unknown_events and not usage.reported_cost_usd else usage.reported_cost_usd


def _notes(amount: PeriodAmount, usage: Measures) -> tuple[str, ...]:
    unknown = usage.cost_unknown_events
    told = (f"The cost of {counted(unknown, 'event is', 'events is')} unknown.",) if unknown else ()
    return (*told, *notes_of(amount))


def _figures(usage: Measures) -> tuple[Figure, ...]:
    units = sorted(usage.units.items())
    left_out = len(units) - UNITS_MAX
    return (
        Figure("Requests", count_text(usage.requests)),
        Figure("Input tokens", count_text(usage.input_tokens)),
        Figure("Output tokens", count_text(usage.output_tokens)),
        *(Figure(_unit_name(unit), quantity_text(Decimal(value))) for unit, value in units[:UNITS_MAX]),
        *([Figure("Further units", count_text(left_out))] if left_out > 0 else []),
    )


def _unit_name(unit: str) -> str:
    name = name_text(unit.replace("_", " "))
    return name[:1].upper() + name[1:]


def _by_model(
    snapshot: Snapshot, asked: PageAsked, period: Interval, history: CustomerHistory, total: Measures
) -> Table:
    """The models of a period, those that cost most first."""
    caption, heads = "Usage by model", ("Model", "Requests", "Tokens", f"Cost ({USD})")
    try:
        rows = _rows(snapshot, asked, period, history, _GROUPS)
    except InvalidInput:  # more groups than any answer has
        return Table(caption, heads, (), note="There are too many models to list them.")
    found = [(one.group, one.measures) for one in rows if one.measures is not None]
    found.sort(key=lambda one: (-one[1].reported_cost_usd, -one[1].total_tokens))
    decimals = decimals_for([total.reported_cost_usd, *(one.reported_cost_usd for _, one in found[:MODELS_MAX])])
    listed = tuple(_row(group, one, decimals) for group, one in found[:MODELS_MAX])
    left_out = len(found) - MODELS_MAX
    note = f"{counted(left_out, 'more model is', 'more models are')} in the total." if left_out > 0 else ""
    return Table(caption, heads, listed, Row("Total", "", _cells(total, decimals)) if listed else None, note)


def _row(group: tuple[str | None, ...], usage: Measures, decimals: int) -> Row:
    provider, model = group
    name = "Other usage" if model is None else name_text(model)
    return Row(name, "" if provider is None else name_text(provider), _cells(usage, decimals))


def _cells(usage: Measures, decimals: int) -> tuple[str, ...]:
    return count_text(usage.requests), count_text(usage.total_tokens), _cost(usage, decimals)


def _cost(usage: Measures, decimals: int) -> str:
    cost = _known_cost(usage)
    if cost is None:
        return UNKNOWN
    text = amount_text(cost, decimals)
    return f"{AT_LEAST} {text}" if usage.cost_unknown_events else text
