"""Which period the page shows, of those that it lists, and the list itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from api.http.problems import Problem
from api.http.query_instants import optional_bound
from api.portal.messages import NoSuchPeriod
from api.portal.page_parts import Headline, PageAsked, PeriodAmount, PeriodEntry
from api.portal.texts import AT_LEAST, UNKNOWN, known_text, period_text, sum_text
from domain.errors import InvalidInput
from domain.values.instants import instant_text
from domain.values.periods import Interval

#: Periods that the page lists at most, the open one included.
PERIODS_MAX: Final = 12


def chosen_period(asked: PageAsked, periods: Sequence[Interval], zone: ZoneInfo) -> Interval:
    """Return the period that contains the instant or day of the address; the newest one without any.

    `NoSuchPeriod` when none does, or there is none.
    """
    if asked.period is None and periods:
        return periods[0]
    try:
        instant = optional_bound("period", asked.period, zone.key)
    except (InvalidInput, Problem):
        raise NoSuchPeriod from None
    found = next((one for one in periods if instant is not None and one.contains(instant)), None)
    if found is None:
        raise NoSuchPeriod
    return found


def period_entries(
    amounts: Sequence[PeriodAmount], shown: Interval, zone: ZoneInfo, plan: str | None
) -> tuple[PeriodEntry, ...]:
    """Return the list of periods, in the order of their amounts. `plan`: the subscription whose periods they are."""
    return tuple(
        PeriodEntry(
            period_text(one.period, zone, one.is_endless),
            query_of(period=instant_text(one.period.start), plan=plan),
            _amount_text(one),
            _marks(one),
            one.period == shown,
        )
        for one in amounts
    )


def query_of(**parameters: str | None) -> str:
    """Return the query that asks for these; `?` alone, which leads to the page without any, for none."""
    return "?" + urlencode({name: value for name, value in parameters.items() if value is not None})


def headline_of(one: PeriodAmount, subject: str, notes: tuple[str, ...]) -> Headline:
    """Return the amount of the period that is shown. `subject`: what it is, such as "Cost"."""
    label = f"{subject} so far" if one.is_open else subject
    if one.amount is None or (one.is_lower_bound and not one.amount):
        return Headline(label, "", UNKNOWN, "", notes)
    return Headline(
        label, AT_LEAST if one.is_lower_bound else "", sum_text(one.amount, one.currency), one.currency, notes
    )


def _amount_text(one: PeriodAmount) -> str:
    """The amount of a listed period: a lower bound says so, and what is unknown is no number."""
    return known_text(one.amount, one.currency, one.is_lower_bound) if one.is_measured else ""


def notes_of(one: PeriodAmount) -> tuple[str, ...]:
    """Return what has to be known about the amount of the period that is shown."""
    notes = []
    if one.is_restated:
        then = known_text(one.at_closing, one.currency, one.was_lower_bound)
        same = then == known_text(one.amount, one.currency, one.is_lower_bound)
        notes.append(
            "Restated: changed after the period was closed." if same else f"Restated: it was {then} when it was closed."
        )
    if not one.is_open and not one.is_final:
        notes.append("Not final: late usage may still be added.")
    return tuple(notes)


def _marks(one: PeriodAmount) -> tuple[str, ...]:
    waits = one.is_measured and not one.is_open and not one.is_final
    marks = {"so far": one.is_open, "not final": waits, "restated": one.is_restated}
    return tuple(mark for mark, holds in marks.items() if holds)
