"""Measures of a usage answer: counts, tokens, raw and reported cost. Exact, never rounded."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from domain.values.money import MONEY, marked_up
from projections.queries.usage import NO_UNITS, Units, UsageSum, units_added


class Measures(msgspec.Struct, frozen=True):
    """Sums over events. `requests` are those without a parent (`UsageSums`).

    `reported_cost_usd` is raw cost with the markup valid at the time of each event. Events of unknown cost add nothing
    to either cost and are counted in `cost_unknown_events`. `units`: quantities of all other units, none of them 0.
    """

    requests: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    reported_cost_usd: Decimal = Decimal(0)
    cost_unknown_events: int = 0
    units: Units = NO_UNITS

    @property
    def total_tokens(self) -> int:
        """Input plus output tokens."""
        return self.input_tokens + self.output_tokens

    def plus(self, other: Measures) -> Measures:
        """The exact sum of both."""
        return self._with(other, 1)

    def minus(self, other: Measures) -> Measures:
        """The exact difference, which may be negative."""
        return self._with(other, -1)

    def _with(self, other: Measures, sign: int) -> Measures:
        return Measures(
            self.requests + sign * other.requests,
            self.input_tokens + sign * other.input_tokens,
            self.cached_input_tokens + sign * other.cached_input_tokens,
            self.cache_write_tokens + sign * other.cache_write_tokens,
            self.output_tokens + sign * other.output_tokens,
            self.reasoning_tokens + sign * other.reasoning_tokens,
            MONEY.fma(other.cost_usd, Decimal(sign), self.cost_usd),
            MONEY.fma(other.reported_cost_usd, Decimal(sign), self.reported_cost_usd),
            self.cost_unknown_events + sign * other.cost_unknown_events,
            units_added(self.units, other.units, sign),
        )


def measures_of(sum_: UsageSum) -> Measures:
    """The measures of one usage sum; its reported cost is its cost with its markup added."""
    sums = sum_.sums
    return Measures(
        sums.root_requests,
        sums.input_tokens,
        sums.cached_input_tokens,
        sums.cache_write_tokens,
        sums.output_tokens,
        sums.reasoning_tokens,
        sums.cost_usd,
        marked_up(sums.cost_usd, sum_.markup_percentage),
        sums.cost_unknown_events,
        sums.units,
    )


def total(sums: Iterable[UsageSum]) -> Measures:
    """The measures of all these sums together."""
    added = Measures()
    for one in sums:
        added = added.plus(measures_of(one))
    return added
