"""The rows that a re-pricing is about, by the keys of what its range names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from domain.repricings.repricing_range import GivenCosts, RepricingRange
from projections.pricing.row_costs import PricedModel


class RowRange(msgspec.Struct, frozen=True):
    """Current rows of a scope in these series, with a cost that a price can replace (`RepricingRange`).

    `customer_keys`: those of its customers; None: any. `counted_up_to`: the rows are in their present version since
    this log position or before.
    """

    scope_key: int
    kind_keys: tuple[int, ...]
    customer_keys: tuple[int, ...] | None
    start: datetime | None
    end: datetime | None
    given_costs: GivenCosts
    counted_up_to: int


def row_range(
    asked: RepricingRange,
    scope_key: int,
    models: Mapping[int, PricedModel],
    customer_key: Callable[[str], int | None],
    counted_up_to: int,
) -> RowRange:
    """Return the rows of a range. `models`: the provider and model of each series of requests to a model."""
    kind_keys = tuple(
        key
        for key, (provider, model) in sorted(models.items())
        if (not asked.models or model in asked.models) and asked.provider in (None, provider)
    )
    found = [customer_key(customer) for customer in asked.customers]
    customers = tuple(sorted(key for key in found if key is not None)) if asked.customers else None
    return RowRange(scope_key, kind_keys, customers, asked.start, asked.end, asked.given_costs, counted_up_to)
