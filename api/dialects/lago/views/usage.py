"""The usage of a subscription in one billing period, as Lago shows it: one object that all its clients can read."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import reduce
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from api.dialects.lago.definitions.metrics import Metric
from api.dialects.lago.formats import cents, decimal_text, shown_instant
from api.dialects.lago.views.billable_metrics import metric_summary
from api.dialects.lago.views.plans import filter_values
from api.dialects.lago.views.subscriptions import last_second
from domain.charges.models import model_name
from domain.values.money import MONEY
from domain.values.periods import MICROSECOND, Interval
from projections.views.charging.charge_amounts import ChargeAmount, FilterAmount, GroupAmount

_NOTHING: Final = Decimal(0)


class ShownCharge(msgspec.Struct, frozen=True):
    """A charge whose amount is known, with its id, its metric, and the groups of it that are shown."""

    lago_id: str
    metric: Metric
    amount: ChargeAmount
    groups: Sequence[GroupAmount]
    currency: str
    is_whole: bool = True

    @property
    def amount_cents(self) -> int:
        """What it costs; the minimum of a charge is due for all its groups together."""
        if self.is_whole:
            return cents(self.amount.amount or _NOTHING, self.currency)
        return sum(cents(group.amount, self.currency) for group in self.groups)


def usage_object(
    period: Interval, zone: ZoneInfo, currency: str, charges: Sequence[ShownCharge], amount_cents: int
) -> dict[str, Any]:
    """Convert the usage of a period; charges are in the order of the names of their metrics. There are no taxes."""
    in_order = sorted(charges, key=lambda one: (one.metric.name.lower(), one.amount.charge.code))
    return {
        "from_datetime": shown_instant(period.start),
        "to_datetime": last_second(period.end),
        "issuing_date": (period.end - MICROSECOND).astimezone(zone).date().isoformat(),
        "currency": currency,
        "amount_cents": amount_cents,
        "total_amount_cents": amount_cents,
        "taxes_amount_cents": 0,
        "lago_invoice_id": None,
        "charges_usage": [_charge_usage(one) for one in in_order],
    }


def _charge_usage(one: ShownCharge) -> dict[str, Any]:
    charge = one.amount.charge
    return {
        **_numbers(one.groups, one.amount_cents),
        "amount_currency": one.currency,
        "charge": {
            "lago_id": one.lago_id,
            "code": charge.code,
            "charge_model": model_name(charge.price),
            "invoice_display_name": charge.name,
        },
        "billable_metric": metric_summary(one.metric),
        "filters": _filters_of_all_groups(one),
        "grouped_usage": _grouped_usage(one) if charge.group_by else [],
        "groups": [],
    }


def _grouped_usage(one: ShownCharge) -> list[dict[str, Any]]:
    """The groups of a charge; without usage one of nothing, whose values are null."""
    keys = one.amount.charge.group_by
    if not one.groups:
        return [{**_numbers((), 0), "grouped_by": dict.fromkeys(keys), "filters": []}]
    return [
        {
            **_numbers([group], cents(group.amount, one.currency)),
            "grouped_by": dict(zip(keys, group.group, strict=True)),
            "filters": [_filter_usage(one, [each]) for each in group.filters],
        }
        for group in one.groups
    ]


def _filters_of_all_groups(one: ShownCharge) -> list[dict[str, Any]]:
    """Every filter of a charge, that of events that match none last; none for a charge without filters."""
    if not one.amount.charge.filters:
        return []
    found: dict[int | None, list[FilterAmount]] = {each.number: [] for each in one.amount.filters}
    for group in one.groups:
        for each in group.filters:
            found[each.number].append(each)
    return [_filter_usage(one, amounts, number) for number, amounts in found.items()]


def _filter_usage(one: ShownCharge, amounts: Sequence[FilterAmount], number: int | None = None) -> dict[str, Any]:
    """The usage of one filter. A name or values that there are not are left out: their schemas allow no null."""
    number = amounts[0].number if amounts else number
    shown = _numbers(amounts, sum([cents(each.amount, one.currency) for each in amounts]))
    if number is None:
        return shown
    named = one.amount.charge.filters[number]
    if named.name is not None:
        shown["invoice_display_name"] = named.name
    shown["values"] = filter_values(named)
    return shown


def _numbers(groups: Sequence[GroupAmount | FilterAmount], amount_cents: int) -> dict[str, Any]:
    units = decimal_text(_sum([group.units for group in groups]))
    weighed = any(group.total_units is not None for group in groups)
    return {
        "units": units,
        "total_aggregated_units": decimal_text(_sum([_total(group) for group in groups])) if weighed else units,
        "events_count": sum([group.events for group in groups]),
        "amount_cents": amount_cents,
        "pricing_unit_details": None,
        "presentation_breakdowns": [],
    }


def _total(group: GroupAmount | FilterAmount) -> Decimal:
    """Of a weighted sum, its values as they are; never negative."""
    return group.units if group.total_units is None else max(group.total_units, _NOTHING)


def _sum(numbers: Sequence[Decimal]) -> Decimal:
    return numbers[0] if len(numbers) == 1 else reduce(MONEY.add, numbers, _NOTHING)
