"""The parts that the page is made of, as texts that are ready to be shown; the template adds nothing to them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from domain.scope import Scope
from domain.values.periods import Interval


class PageAsked(msgspec.Struct, frozen=True):
    """Whose page is shown, at what time, and what its address asks for: a period, a subscription."""

    scope: Scope
    customer_id: str
    now: datetime
    period: str | None = None
    plan: str | None = None


class Figure(msgspec.Struct, frozen=True):
    """A number with its label."""

    label: str
    value: str


class Headline(msgspec.Struct, frozen=True):
    """The amount that the page is about. `qualifier`: `at least`, or nothing. `notes`: what has to be known of it."""

    label: str
    qualifier: str
    value: str
    currency: str
    notes: tuple[str, ...]


class Row(msgspec.Struct, frozen=True):
    """A row of a table: its name, something about the name, and its cells. `is_part`: it is part of the row above."""

    name: str
    detail: str
    cells: tuple[str, ...]
    is_part: bool = False


class Table(msgspec.Struct, frozen=True):
    """A table. `heads`: of the column of names, then of the cells. `note`: what is left out, or empty."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    total: Row | None = None
    note: str = ""


class PeriodAmount(msgspec.Struct, frozen=True):
    """What a period cost. None: unknown. `is_lower_bound`: the cost of some of its usage is unknown.

    `at_closing`: what was known when the period closed, a lower bound if `was_lower_bound`. `is_open`: it has not
    ended. `is_final`: it has ended, and no late usage is waited for. `is_endless`: its end is that of what is open.
    `is_measured`: without that it is only listed.
    """

    period: Interval
    amount: Decimal | None
    currency: str
    is_lower_bound: bool = False
    is_open: bool = False
    is_final: bool = True
    is_restated: bool = False
    at_closing: Decimal | None = None
    was_lower_bound: bool = False
    is_endless: bool = False
    is_measured: bool = True


class PeriodEntry(msgspec.Struct, frozen=True):
    """A period in the list of periods: its name, the query of the address that shows it, its amount, and its marks."""

    label: str
    query: str
    amount: str
    marks: tuple[str, ...]
    is_shown: bool


class Bar(msgspec.Struct, frozen=True):
    """A bar of the chart, in percent of its width and height. `mark`: what stands above its label."""

    label: str
    left: str
    width: str
    top: str
    height: str
    style: str
    mark: str


class Chart(msgspec.Struct, frozen=True):
    """Bars with the amounts of the lines behind them, a summary in words, and what the marks mean."""

    bars: tuple[Bar, ...]
    top: str
    middle: str
    summary: str
    legend: tuple[str, ...]


class LimitShown(msgspec.Struct, frozen=True):
    """A budget, and how much of it is used: `percent` is that of the bar, which ends at 100."""

    label: str
    value: str
    percent: str
    is_reached: bool
    notes: tuple[str, ...]


class Choice(msgspec.Struct, frozen=True):
    """One of several things that the page can show."""

    label: str
    query: str
    is_shown: bool


class Section(msgspec.Struct, frozen=True):
    """The usage of one period, with the other periods to choose from. `subject`: what the amounts are."""

    period: str
    is_open: bool
    headline: Headline
    figures: tuple[Figure, ...]
    table: Table
    periods: tuple[PeriodEntry, ...]
    chart: Chart | None
    subject: str

    @property
    def is_listed_in_part(self) -> bool:
        """Whether the list has periods without their amounts."""
        return any(not one.amount for one in self.periods)

    @property
    def earlier(self) -> str | None:
        """The query that shows the period before; None when that is not listed."""
        return self._beside(1)

    @property
    def later(self) -> str | None:
        """The query that shows the period after."""
        return self._beside(-1)

    def _beside(self, step: int) -> str | None:
        number = next(number for number, one in enumerate(self.periods) if one.is_shown) + step
        return self.periods[number].query if 0 <= number < len(self.periods) else None
