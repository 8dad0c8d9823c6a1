"""Budget limits and the access decision: a pure function of a customer's limits and its spending."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

import msgspec

from domain.budgets.limits import BudgetLimits
from domain.values.money import MONEY

AccessReason = Literal["ok", "new_customer", "blocked", "period_limit", "total_limit", "model_limit"]


#: What is spent is spent against these, and against limits by model (`model_limit_name`).
PERIOD: Final = "period"
TOTAL: Final = "total"
_SOFT: Final = "soft"
_MODEL_LIMIT_PREFIX: Final = "model:"


def model_limit_name(model: str) -> str:
    """The name of the limit of a model."""
    return _MODEL_LIMIT_PREFIX + model


class BudgetSpending(msgspec.Struct, frozen=True):
    """The reported cost (markup included) spent against each limit, and the next reset of those that reset.

    `unknown_events`: events of unknown cost, which add nothing to these amounts, by the names of all limits that each
    of them counts against.
    """

    period_usd: Decimal = Decimal(0)
    total_usd: Decimal = Decimal(0)
    by_model_usd: dict[str, Decimal] = msgspec.field(default_factory=dict)  # in each model limit's current period
    period_resets_at: datetime | None = None
    model_resets_at: dict[str, datetime] = msgspec.field(default_factory=dict)
    unknown_events: Mapping[frozenset[str], int] = msgspec.field(default_factory=dict)

    def cost_unknown_events(self, *against: str) -> int:
        """The events of unknown cost that count against one of these limits, each of them once."""
        return sum(count for names, count in self.unknown_events.items() if not names.isdisjoint(against))


class Limit(msgspec.Struct, frozen=True):
    """The state of one limit: `name` is "period", "total", "soft" or "model:<model>"; `remaining_usd` is at least 0.

    With `cost_unknown_events` the amount spent is a lower bound, and the one that remains an upper bound.
    """

    name: str
    limit_usd: Decimal
    spent_usd: Decimal
    remaining_usd: Decimal
    resets_at: datetime | None = None
    cost_unknown_events: int = 0

    @property
    def reached(self) -> bool:
        """Whether spent >= limit; a limit of 0 is reached before anything is spent."""
        return self.spent_usd >= self.limit_usd


class AccessDecision(msgspec.Struct, frozen=True):
    """Whether access is allowed, the first reason for a refusal, and every limit that was considered.

    `cost_unknown_events`: those that count against a limit, which may be reached when their cost becomes known.
    """

    allowed: bool
    reason: AccessReason
    limits: tuple[Limit, ...] = ()
    cost_unknown_events: int = 0


def decide_access(
    *, known: bool, blocked: bool, limits: BudgetLimits, spending: BudgetSpending, model: str | None = None
) -> AccessDecision:
    """Decide whether a customer has access.

    1. An unknown or deleted customer is allowed.
    2. A blocked customer is refused.
    3. A customer that reached its period limit, its total limit, or the limit of the given `model` is refused.

    A soft limit is shown and never refuses. Without a `model`, the limits of all models are shown and none refuses.
    What is spent is what is known to be spent: an event of unknown cost refuses nobody, and is counted.
    """
    if not known:
        return AccessDecision(allowed=True, reason="new_customer")
    shown = tuple(_shown_limits(limits, spending, model))
    reason: AccessReason = "blocked" if blocked else _refusal_reason(shown, model)
    considered = {spent_against(limit.name, limits) for limit in shown}
    return AccessDecision(reason == "ok", reason, shown, spending.cost_unknown_events(*considered))


def _refusal_reason(limits: tuple[Limit, ...], model: str | None) -> AccessReason:
    reached = {limit.name for limit in limits if limit.reached}
    if PERIOD in reached:
        return "period_limit"
    if TOTAL in reached:
        return "total_limit"
    if model is not None and model_limit_name(model) in reached:
        return "model_limit"
    return "ok"


def spent_against(name: str, limits: BudgetLimits) -> str:
    """The name under which spending against a limit is summed: a soft limit applies to the period or to the total."""
    if name != _SOFT:
        return name
    return PERIOD if limits.soft_limit_per_period else TOTAL


def _shown_limits(limits: BudgetLimits, spending: BudgetSpending, model: str | None) -> Iterator[Limit]:
    amounts = {PERIOD: (spending.period_usd, spending.period_resets_at), TOTAL: (spending.total_usd, None)}
    for name, limit_usd in (
        (PERIOD, limits.period_limit_usd),
        (TOTAL, limits.total_limit_usd),
        (_SOFT, limits.soft_limit_usd),
    ):
        if limit_usd is not None:
            against = spent_against(name, limits)
            yield _limit(name, limit_usd, *amounts[against], spending.cost_unknown_events(against))
    for of_model, model_limit in sorted(limits.model_limits.items()):
        if model is None or of_model == model:
            name, spent = model_limit_name(of_model), spending.by_model_usd.get(of_model, Decimal(0))
            resets_at = spending.model_resets_at.get(of_model)
            yield _limit(name, model_limit.limit_usd, spent, resets_at, spending.cost_unknown_events(name))


def _limit(
    name: str, limit_usd: Decimal, spent_usd: Decimal, resets_at: datetime | None, cost_unknown_events: int
) -> Limit:
    remaining_usd = max(Decimal(0), MONEY.subtract(limit_usd, spent_usd))
    return Limit(name, limit_usd, spent_usd, remaining_usd, resets_at, cost_unknown_events)
