"""A change of plan: an upgrade takes effect at once, a downgrade when the current period ends."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from projections.views.charging.plans import PlanView

#: Intervals in a year. Weeks are 52, as in Lago.
_PER_YEAR: Final = {"weekly": 52, "monthly": 12, "quarterly": 4, "semiannual": 2, "yearly": 1}


def yearly_amount(plan: PlanView) -> Decimal:
    """What a plan costs in a year, without usage."""
    return (plan.amount or Decimal(0)) * _PER_YEAR[plan.interval]


def is_upgrade(before: PlanView | None, after: PlanView) -> bool:
    """Whether a change takes effect at once: to a plan that does not cost less, or from one that is deleted."""
    return before is None or yearly_amount(after) >= yearly_amount(before)
