"""Price lists and requests that Hypothesis generates, and columns of requests."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import msgspec
import numpy as np
from hypothesis import strategies as st

from domain.prices.cost import event_cost
from domain.prices.cost_columns import PriceColumns
from domain.prices.price_list import Minimum, PriceList, RateTier, StandardRule, UnitRate, VariantRule
from domain.units.registry import COMMON_UNITS, EXTRA_UNITS, REQUESTS
from domain.usage.quantities import NO_CONTEXT, ExtraQuantities, PriceContext, Quantities
from domain.values.instants import epoch_microseconds
from domain.values.money import MONEY

PICO: Final = 10**12


class Request(msgspec.Struct, frozen=True):
    """What one request used, by unit in picounits of those that are no common unit."""

    at: datetime
    tokens: tuple[int, int, int, int, int]
    extras: dict[str, int] = {}
    context: PriceContext = NO_CONTEXT
    requests: int = 1
    known: bool = True


#: Units that are parts of one another, overlap, or are of other families.
UNITS = st.sampled_from(
    [
        "cache_write_1h_tokens",
        "cache_write_5m_tokens",
        "input_audio_tokens",
        "cache_audio_read_tokens",
        "output_audio_tokens",
        "output_audio_reasoning_tokens",
        "audio_seconds",
        "input_audio_seconds",
        "web_searches",
        "input_document_pages",
    ]
) | st.sampled_from(sorted(EXTRA_UNITS))
prices = st.decimals(0, 1_000, places=6) | st.decimals(0, 100, places=13) | st.decimals(0, 10**14, places=18)
thresholds = st.sampled_from([0, 1_000, 128_000, 200_000, 10**10, 10**19])
tiers = st.lists(st.builds(RateTier, thresholds, st.none() | prices), max_size=2).map(
    lambda given: tuple(sorted(given, key=lambda tier: tier.input_tokens_above))
)
pers = st.none() | st.sampled_from([1, 7, 1_000, 10**9])
unit_rates = st.builds(UnitRate, prices, st.just(()) | tiers, pers) | st.builds(UnitRate, st.none(), tiers, pers)
any_rates = st.dictionaries(st.sampled_from([*COMMON_UNITS, REQUESTS]) | UNITS, unit_rates, max_size=6)
whole_rates = st.fixed_dictionaries({"input_tokens": unit_rates, "output_tokens": unit_rates})
flat_rates = whole_rates.map(lambda whole: {unit: UnitRate(rate.price, per=rate.per) for unit, rate in whole.items()})
rates = st.builds(lambda whole, more: more | whole, flat_rates | whole_rates, any_rates) | flat_rates | any_rates
instants = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 4), timezones=st.just(UTC))  # noqa: DTZ001
hours = st.none() | st.tuples(st.integers(0, 86_399), st.integers(0, 86_399))
members = st.fixed_dictionaries({}, optional={"service_tier": st.sampled_from("ab"), "speed": st.sampled_from("cd")})
standard_rules = st.builds(StandardRule, rates, st.none() | instants, hours)
variant_rules = st.builds(VariantRule, members.filter(bool), rates, st.none() | instants, hours)
minimums = st.builds(Minimum, st.just(("audio_seconds", "input_audio_seconds")), st.integers(0, 20).map(Decimal))
price_lists = st.builds(
    PriceList,
    st.lists(standard_rules, min_size=1, max_size=3).map(tuple),
    st.lists(variant_rules, max_size=3).map(tuple),
    st.lists(minimums, max_size=1).map(tuple),
)

counts = st.integers(0, 300_000) | st.integers(0, 10**12)
any_tokens = st.tuples(counts, counts, counts, counts, counts)
#: Parts that fit into their wholes.
fitting_tokens = st.tuples(counts, counts, counts, counts, counts).map(
    lambda five: (five[0] + five[1] + five[2], five[1], five[2], five[3] + five[4], five[4])
)
picounits = st.integers(0, 100).map(lambda whole: whole * PICO) | st.integers(0, 2**40) | st.integers(0, 2**90)
requests = st.builds(
    Request,
    instants,
    fitting_tokens
    | fitting_tokens.map(lambda five: (five[0] + 1_000, *five[1:3], five[3] + 1_000, five[4]))
    | any_tokens,
    st.just({}) | st.dictionaries(UNITS, picounits, max_size=4),
    members.map(lambda chosen: tuple(sorted(chosen.items()))),
    st.sampled_from([1, 1, 1, 0, 7]),
    st.sampled_from([True, True, True, False]),
)


def cost_of(prices: PriceList, request: Request) -> Decimal | None:
    """The cost of one request, by itself."""
    if not request.known:
        return None
    used = {unit: Decimal(amount).scaleb(-12, MONEY) for unit, amount in request.extras.items()}
    common = dict(zip(COMMON_UNITS, request.tokens, strict=True))
    return event_cost(prices, request.at, {**common, **used}, request.context, request.requests)


def column_costs(prices: PriceList, given: list[Request]) -> list[Decimal | None]:
    """The costs of all requests, as columns; no row may have two costs."""
    times = np.array([epoch_microseconds(one.at) for one in given], dtype=np.int64)
    costs: list[Decimal | None] = [None] * len(given)
    for rows, picodollars in PriceColumns(prices).costs(times, quantities_of(given)):
        for row, cost in zip(rows.tolist(), picodollars, strict=True):
            assert costs[row] is None
            costs[row] = Decimal(int(cost)).scaleb(-12, MONEY)
    return costs


def quantities_of(given: list[Request]) -> Quantities:
    """The requests as columns; what all of them have in common is not told."""
    units = tuple(sorted({unit for one in given for unit in one.extras}))
    entries = [(row, units.index(unit), amount) for row, one in enumerate(given) for unit, amount in one.extras.items()]
    contexts = tuple(sorted({one.context for one in given if one.context}))
    return Quantities(
        tokens=tuple(np.array([one.tokens[place] for one in given], dtype=np.int64) for place in range(5)),
        extras=ExtraQuantities(
            np.array([row for row, _, _ in entries], dtype=np.int64),
            np.array([code for _, code, _ in entries], dtype=np.int64),
            units,
            [amount for *_, amount in entries],
        )
        if entries
        else None,
        requests=None
        if all(one.requests == 1 for one in given)
        else np.array([one.requests for one in given], dtype=np.int64),
        known=None if all(one.known for one in given) else np.array([one.known for one in given]),
        contexts=contexts,
        context_codes=np.array([contexts.index(one.context) if one.context else -1 for one in given], dtype=np.int64)
        if contexts
        else None,
    )
