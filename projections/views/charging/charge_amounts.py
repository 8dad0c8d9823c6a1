"""What one charge costs: the amounts of its groups and filters, and its minimum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache, reduce
from typing import Final

import msgspec

from domain.charges.amounts import Used, amount_of
from domain.charges.currencies import rounded
from domain.charges.decimal_context import EXACT
from domain.charges.models import ChargeModel
from domain.values.money import MONEY
from projections.views.charging.metered_units import Asked, Group, Metered, metered_units
from projections.views.charging.plans import PlanCharge

#: Prices of which it is kept what no units cost.
PRICES_KEPT: Final = 10_000
_NOTHING: Final = Metered(Used(Decimal(0), 0))


class FilterAmount(msgspec.Struct, frozen=True):
    """The usage of one filter, and its amount. `number`: its index in the charge; None: of events that match none.

    `exact_amount` is rounded to the minor unit of the currency, once, or is a sum of amounts that were. `total_units`:
    of a weighted sum, the sum of its values as they are.
    """

    number: int | None
    units: Decimal
    events: int
    exact_amount: Decimal
    amount: Decimal
    total_units: Decimal | None = None
    cost_unknown_events: int | None = None


class GroupAmount(msgspec.Struct, frozen=True):
    """The usage of one group, and its amount: the sum of `filters`, where the charge has any.

    `filters`: those with an event in the group, that of events that match none last.
    """

    group: Group
    units: Decimal
    events: int
    exact_amount: Decimal
    amount: Decimal
    total_units: Decimal | None = None
    filters: tuple[FilterAmount, ...] = ()
    cost_unknown_events: int | None = None


class ChargeAmount(msgspec.Struct, frozen=True):
    """What one charge costs: the sum of its groups, and what is added to reach its minimum.

    `filters`: every filter of the charge, the sums of all groups, that of events that match none last; none for a
    charge without filters. Units, events and amount are None when they are unknown, for the reason in
    `unknown_because`. `cost_unknown_events`: see `Metered`. `total_units`: see `FilterAmount`.
    """

    charge: PlanCharge
    units: Decimal | None
    events: int | None
    groups: tuple[GroupAmount, ...]
    added_to_minimum: Decimal
    amount: Decimal | None
    cost_unknown_events: int | None = None
    unknown_because: str | None = None
    total_units: Decimal | None = None
    filters: tuple[FilterAmount, ...] = ()


def charge_amount(asked: Asked, charge: PlanCharge, currency: str, share_due: Decimal) -> ChargeAmount:
    """Measure and price a charge. `share_due`: the share of its minimum that is due.

    Each filter of a group with an event in it is priced by itself. Without groups every filter is priced, also one
    without events: a model may charge for no units.
    """
    measured = metered_units(asked, charge)
    if isinstance(measured, str):
        return ChargeAmount(charge, None, None, (), Decimal(0), None, unknown_because=measured)
    if not charge.group_by:
        measured = {(): dict.fromkeys((*range(len(charge.filters)), None), _NOTHING) | measured.get((), {})}
    groups = tuple(_group_amount(charge, group, found, currency) for group, found in measured.items())
    amount = added(one.amount for one in groups)
    minimum = MONEY.multiply(charge.minimum_amount or Decimal(0), share_due)
    missing = max(rounded(minimum, currency) - amount, Decimal(0))
    return ChargeAmount(
        charge,
        added(one.units for one in groups),
        sum(one.events for one in groups),
        groups,
        missing,
        MONEY.add(amount, missing),
        _sum_of_known(one.cost_unknown_events for one in groups),
        total_units=_added_if_known(one.total_units for one in groups),
        filters=_of_all_groups(charge, groups) if charge.filters else (),
    )


def added(amounts: Iterable[Decimal]) -> Decimal:
    """Return the exact sum."""
    return reduce(EXACT.add, amounts, Decimal(0))


def _group_amount(charge: PlanCharge, group: Group, found: Mapping[int | None, Metered], currency: str) -> GroupAmount:
    priced = [_filter_amount(charge, number, found[number], currency) for number in sorted(found, key=_last_if_none)]
    one = _together(None, priced)
    filters = tuple(priced) if charge.filters else ()
    return GroupAmount(
        group,
        one.units,
        one.events,
        one.exact_amount,
        one.amount,
        one.total_units,
        filters,
        one.cost_unknown_events,
    )


def _filter_amount(charge: PlanCharge, number: int | None, measured: Metered, currency: str) -> FilterAmount:
    used = measured.used
    price = charge.price if number is None else charge.filters[number].price
    exact, of_currency = _nothing_costs(price, currency) if used is _NOTHING.used else _costs(price, used, currency)
    units = max(used.units, Decimal(0))
    return FilterAmount(number, units, used.events, exact, of_currency, measured.total, measured.cost_unknown_events)


def _costs(price: ChargeModel, used: Used, currency: str) -> tuple[Decimal, Decimal]:
    """The exact amount, and the same rounded."""
    exact = amount_of(price, used)
    return exact, rounded(exact, currency)


@lru_cache(maxsize=PRICES_KEPT)
def _nothing_costs(price: ChargeModel, currency: str) -> tuple[Decimal, Decimal]:
    """What no units cost. Most filters of a large charge have none, whoever is asked about."""
    return _costs(price, _NOTHING.used, currency)


def _of_all_groups(charge: PlanCharge, groups: Sequence[GroupAmount]) -> tuple[FilterAmount, ...]:
    if not charge.group_by:  # the only group has every filter, which may be many
        return groups[0].filters
    found: dict[int | None, list[FilterAmount]] = {number: [] for number in (*range(len(charge.filters)), None)}
    for group in groups:
        for one in group.filters:
            found[one.number].append(one)
    return tuple(_together(number, amounts) for number, amounts in found.items())


def _together(number: int | None, amounts: Sequence[FilterAmount]) -> FilterAmount:
    return FilterAmount(
        number,
        added(one.units for one in amounts),
        sum(one.events for one in amounts),
        added(one.exact_amount for one in amounts),
        added(one.amount for one in amounts),
        _added_if_known(one.total_units for one in amounts),
        _sum_of_known(one.cost_unknown_events for one in amounts),
    )


def _added_if_known(totals: Iterable[Decimal | None]) -> Decimal | None:
    known = [total for total in totals if total is not None]
    return added(known) if known else None


def _sum_of_known(events: Iterable[int | None]) -> int | None:
    known = [one for one in events if one is not None]
    return sum(known) if known else None


def _last_if_none(number: int | None) -> tuple[bool, int]:
    return number is None, number or 0
