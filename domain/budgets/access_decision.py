"""Budget limits and the access decision: a pure function of a customer's limits and its spending."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

import msgspec

from domain.budgets.limits import BudgetLimits
from domain.values.money import MONEY

AccessReason = Literal["ok", "new_customer", "blocked", "period_limit", "total_limit", "model_limit"]


_MODEL_LIMIT_PREFIX: Final = "model:"


class BudgetSpending(msgspec.Struct, frozen=True):
    """The reported cost (markup included) spent against each limit, and the next reset of those that reset."""

    period_usd: Decimal = Decimal(0)
    total_usd: Decimal = Decimal(0)
    by_model_usd: dict[str, Decimal] = msgspec.field(default_factory=dict)  # in each model limit's current period
    period_resets_at: datetime | None = None
    model_resets_at: dict[str, datetime] = msgspec.field(default_factory=dict)


class Limit(msgspec.Struct, frozen=True):
    """The state of one limit: `name` is "period", "total", "soft" or "model:<model>"; `remaining_usd` is at least 0."""

    name: str
    limit_usd: Decimal
    spent_usd: Decimal
    remaining_usd: Decimal
    resets_at: datetime | None = None

    @property
    def reached(self) -> bool:
        """Whether spent >= limit; a limit of 0 is reached before anything is spent."""
        return self.spent_usd >= self.limit_usd


class AccessDecision(msgspec.Struct, frozen=True):
    """Whether access is allowed, the first reason for a refusal, and every limit that was considered."""

    allowed: bool
    reason: AccessReason
    limits: tuple[Limit, ...] = ()


def decide_access(
    *, known: bool, blocked: bool, limits: BudgetLimits, spending: BudgetSpending, model: str | None = None
) -> AccessDecision:
    """Decide whether a customer has access.

    1. An unknown or deleted customer is allowed.
    2. A blocked customer is refused.
    3. A customer that reached its period limit, its total limit, or the limit of the given `model` is refused.

    A soft limit is shown and never refuses. Without a `model`, the limits of all models are shown and none refuses.
    """
    if not known:
        return AccessDecision(allowed=True, reason="new_customer")
    shown = tuple(_shown_limits(limits, spending, model))
    reason: AccessReason = "blocked" if blocked else _refusal_reason(shown, model)
    return AccessDecision(allowed=reason == "ok", reason=reason, limits=shown)


def _refusal_reason(limits: tuple[Limit, ...], model: str | None) -> AccessReason:
    reached = {limit.name for limit in limits if limit.reached}
    if "period" in reached:
        return "period_limit"
    if "total" in reached:
        return "total_limit"
    if model is not None and _MODEL_LIMIT_PREFIX + model in reached:
        return "model_limit"
    return "ok"


def _shown_limits(limits: BudgetLimits, spending: BudgetSpending, model: str | None) -> Iterator[Limit]:
    if limits.period_limit_usd is not None:
        yield _limit("period", limits.period_limit_usd, spending.period_usd, spending.period_resets_at)
    if limits.total_limit_usd is not None:
        yield _limit("total", limits.total_limit_usd, spending.total_usd, None)
    if limits.soft_limit_usd is not None:
        if limits.soft_limit_per_period:
            yield _limit("soft", limits.soft_limit_usd, spending.period_usd, spending.period_resets_at)
        else:
            yield _limit("soft", limits.soft_limit_usd, spending.total_usd, None)
    for name, model_limit in sorted(limits.model_limits.items()):
        if model is None or name == model:
            spent = spending.by_model_usd.get(name, Decimal(0))
            resets_at = spending.model_resets_at.get(name)
            yield _limit(_MODEL_LIMIT_PREFIX + name, model_limit.limit_usd, spent, resets_at)


def _limit(name: str, limit_usd: Decimal, spent_usd: Decimal, resets_at: datetime | None) -> Limit:
    return Limit(name, limit_usd, spent_usd, max(Decimal(0), MONEY.subtract(limit_usd, spent_usd)), resets_at)
