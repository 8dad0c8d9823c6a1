"""The chart of what periods cost: bars in the order of time, drawn on the server."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from api.portal.page_parts import Bar, Chart, PeriodAmount
from api.portal.texts import UNKNOWN, axis_text, known_text, period_text, short_texts
from domain.values.money import MONEY
from domain.values.periods import Interval

#: Share of the width of a period that its bar takes, in percent.
_BAR_PERCENT: Final = Decimal(64)
#: The height of a bar for an amount that is not 0, so that it can be seen; and of one that is unknown.
_HEIGHT_MIN: Final = Decimal("0.8")
_HEIGHT_UNKNOWN: Final = Decimal(12)
_HUNDRED: Final = Decimal(100)
_STEPS: Final = (Decimal(1), Decimal(2), Decimal(4), Decimal(6), Decimal(8), Decimal(10))
_RESTATED, _LOWER_BOUND, _NO_AMOUNT = "*", "+", "?"
_LEGEND: Final = {
    _RESTATED: "changed after the period was closed",
    _LOWER_BOUND: "at least; some cost is unknown",
    _NO_AMOUNT: UNKNOWN,
}


def chart_of(amounts: Sequence[PeriodAmount], shown: Interval, zone: ZoneInfo) -> Chart | None:
    """Draw amounts of one currency, which come newest first; None for less than two of them, or if none is known.

    `shown`: the period that the page is about, whose bar stands out.
    """
    periods = list(reversed(amounts))
    known = [one.amount for one in periods if one.amount is not None]
    if len(periods) < 2 or not known:
        return None
    top = _round_above(max(known))
    labels = short_texts([one.period for one in periods], zone)
    step = MONEY.divide(_HUNDRED, Decimal(len(periods)))
    bars = tuple(
        _bar(one, label, number, step, top, one.period == shown)
        for number, (one, label) in enumerate(zip(periods, labels, strict=True))
    )
    marks = "".join(bar.mark for bar in bars)
    return Chart(
        bars,
        axis_text(top),
        axis_text(MONEY.divide(top, Decimal(2))),
        _summary(periods, zone),
        tuple(f"{mark} {meaning}" for mark, meaning in _LEGEND.items() if mark in marks),
    )


def _bar(one: PeriodAmount, label: str, number: int, step: Decimal, top: Decimal, is_shown: bool) -> Bar:
    width = MONEY.divide(MONEY.multiply(step, _BAR_PERCENT), _HUNDRED)
    left = MONEY.add(MONEY.multiply(step, Decimal(number)), MONEY.divide(MONEY.subtract(step, width), Decimal(2)))
    height = _HEIGHT_UNKNOWN
    if one.amount is not None:
        height = MONEY.divide(MONEY.multiply(one.amount, _HUNDRED), top)
        height = max(height, _HEIGHT_MIN) if one.amount else Decimal(0)
    style = UNKNOWN if one.amount is None else "open" if one.is_open else "ended"
    mark = _NO_AMOUNT if one.amount is None else ""
    mark += _LOWER_BOUND if one.is_lower_bound and one.amount is not None else ""
    mark += _RESTATED if one.is_restated else ""
    top_at = MONEY.subtract(_HUNDRED, height)
    return Bar(
        label=label,
        left=f"{left:.2f}",
        width=f"{width:.2f}",
        top=f"{top_at:.2f}",
        height=f"{height:.2f}",
        style=f"{style} shown" if is_shown else style,
        mark=mark,
    )


def _round_above(amount: Decimal) -> Decimal:
    """Return a round number that is not below the amount; 1 for an amount of 0."""
    if not amount:
        return Decimal(1)
    power = Decimal(1).scaleb(amount.adjusted())
    return next(found for step in _STEPS if (found := MONEY.multiply(step, power)) >= amount)


def _summary(periods: Sequence[PeriodAmount], zone: ZoneInfo) -> str:
    """Say in words what the bars show, for those who do not see them."""
    known = [(one.amount, one) for one in periods if one.amount is not None]
    highest, of = max(known, key=lambda one: one[0])
    first, last = (period_text(one.period, zone, one.is_endless) for one in (periods[0], periods[-1]))
    return (
        f"Bar chart of the cost of {len(periods)} periods, {first} to {last}. The highest is "
        f"{known_text(highest, of.currency, of.is_lower_bound)} in {period_text(of.period, zone, of.is_endless)}. "
        "The table of periods has all amounts."
    )
