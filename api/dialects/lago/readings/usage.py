"""Usage and what it costs, as a reading knows it: the charges of a period that are shown, and those that cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from api.dialects.lago.definitions.asked_usage import AskedUsage
from api.dialects.lago.definitions.metrics import KnownMetrics
from api.dialects.lago.error_shapes import refusal
from api.dialects.lago.views.plans import charge_lago_id
from api.dialects.lago.views.usage import ShownCharge, usage_object
from domain.scope import Scope
from domain.values.periods import MICROSECOND
from projections.views.charging.charge_amounts import ChargeAmount
from projections.views.charging.charges import SubscriptionCharges
from projections.views.charging.plans import PlanView


class PeriodUsage(msgspec.Struct, frozen=True):
    """The charges of a period whose metrics there are, all of known value."""

    of: SubscriptionCharges
    plan: PlanView
    charges: Sequence[ShownCharge]

    @property
    def amount_cents(self) -> int:
        """What these charges cost together."""
        return sum(one.amount_cents for one in self.charges)

    @property
    def cost_unknown_events(self) -> int:
        """Events whose cost is unknown, of the charges that are sums of money."""
        return sum(one.amount.cost_unknown_events or 0 for one in self.charges)

    def shown(self, zone: ZoneInfo, charges: Sequence[ShownCharge]) -> dict[str, Any]:
        """The JSON object of the period, with some of its charges and the amount of all."""
        return usage_object(self.of.period, zone, self.plan.currency, charges, self.amount_cents)


def known_metrics(snapshot: Any, scope: Scope, periods: Sequence[SubscriptionCharges]) -> KnownMetrics:
    """The metrics of all charges of some periods."""
    codes = (one.charge.meter for period in periods for one in period.charges)
    return KnownMetrics(snapshot, scope, codes)


def period_usage(
    scope: Scope, of: SubscriptionCharges, plan: PlanView, metrics: KnownMetrics, asked: AskedUsage, now: datetime
) -> PeriodUsage:
    """The charges of a period that are asked for. A charge whose metric is deleted is none any more.

    422 when the value of one is unknown: no number could stand for it.
    """
    priced_at = of.period.end - MICROSECOND if of.ended else now
    shown = []
    for one in of.charges:
        lago_id = charge_lago_id(scope, plan, one.charge)
        metric = metrics.at(one.charge.meter, priced_at, reaching_back=True)
        if metric is None or not asked.has(one, lago_id):
            continue
        _check_known(one)
        groups = asked.groups(one) if asked.group else one.groups
        shown.append(ShownCharge(lago_id, metric, one, groups, plan.currency, not asked.group))
    return PeriodUsage(of, plan, shown)


def _check_known(one: ChargeAmount) -> None:
    if one.amount is None:
        reason = one.unknown_because or "unknown"
        raise refusal(422, "charge_usage_unknown", error_details={one.charge.code: [reason]})
