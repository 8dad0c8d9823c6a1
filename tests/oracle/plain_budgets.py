"""Budgets and access decisions of the oracle, by adding up all usage again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.oracle.plain_customers import instant_in
from tests.oracle.plain_meter import PlainMeter, instant_text, money_text, period_json
from tests.oracle.plain_periods import Period, Policy, boundaries, period_around
from tests.oracle.trace_entries import JsonObject


@dataclass(frozen=True)
class Spending:
    """One limit: its name as shown under access, what was spent against it, and when it resets (None: never).

    `unknown`: events of unknown cost, which are not in what was spent.
    """

    name: str
    limit: Decimal
    spent: Decimal
    resets_at: datetime | None
    unknown: int

    @property
    def remaining(self) -> Decimal:
        return max(Decimal(0), self.limit - self.spent)

    @property
    def reached(self) -> bool:
        return self.spent >= self.limit

    def as_json(self) -> JsonObject:
        return {
            "name": self.name,
            "limit": money_text(self.limit),
            "spent": money_text(self.spent),
            "remaining": money_text(self.remaining),
            "resets_at": None if self.resets_at is None else instant_text(self.resets_at),
            **bound(self.unknown),
        }


class PlainBudget:
    """The budget of one customer at one instant, as known after `known` trace entries."""

    def __init__(self, meter: PlainMeter, customer: str, now: datetime, known: int) -> None:
        self._meter = meter
        self._customer = customer
        self._now = now
        self._known = known
        self.fields = meter.limits(customer, now, known)
        own_period = meter.budget_period(customer, now, known)
        usage_period = period_around(meter.usage_cuts(customer, now, known), now)
        self.period = own_period or usage_period
        self.has_period = own_period is not None or "period_limit_usd" in self.fields

    def spent(self, period: Period | None, model: str | None = None) -> Decimal:
        return self._meter.spent(self._customer, period, self._now, self._known, model)

    def unknown(self, period: Period | None, model: str | None = None) -> int:
        return self._meter.unknown_events(self._customer, period, self._now, self._known, model)

    def limit(self, name: str) -> Decimal | None:
        return Decimal(self.fields[name]) if name in self.fields else None

    def _model_period(self, duration: str | None) -> Period:
        if duration is None:
            return self.period
        fields = self.fields
        alignment = fields.get("budget_alignment", "calendar")
        policy = Policy(duration, alignment, fields.get("time_zone", "UTC"), instant_in(fields, "budget_anchor"))
        return period_around(boundaries(policy), self._now)

    def model_limits(self) -> list[tuple[str | None, Spending]]:
        found = []
        for model, limit in sorted(self.fields.get("model_limits", {}).items()):
            period = self._model_period(limit["duration"])
            spent, unknown = self.spent(period, model), self.unknown(period, model)
            amount = Decimal(limit["limit_usd"])
            found.append((limit["duration"], Spending(f"model:{model}", amount, spent, period.end, unknown)))
        return found

    def limits(self, model: str | None) -> list[Spending]:
        """The hard limits that are set, in the order in which they are checked."""
        found = []
        period, total = self.limit("period_limit_usd"), self.limit("total_limit_usd")
        if period is not None:
            unknown = self.unknown(self.period)
            found.append(Spending("period", period, self.spent(self.period), self.period.end, unknown))
        if total is not None:
            found.append(Spending("total", total, self.spent(None), None, self.unknown(None)))
        return found + [limit for _, limit in self.model_limits() if limit.name == f"model:{model}"]

    def access(self, model: str | None) -> JsonObject:
        limits = self.limits(model)
        reached = [limit.name.split(":")[0] for limit in limits if limit.reached]
        reason = f"{reached[0]}_limit" if reached else "ok"
        if self.fields.get("blocked"):
            reason = "blocked"
        return {"allowed": reason == "ok", "reason": reason, "limits": [limit.as_json() for limit in limits]}

    def soft_limit_reached(self) -> bool:
        soft = self.limit("soft_limit_usd")
        return soft is not None and self.spent(self.period if self.has_period else None) >= soft

    def state(self) -> JsonObject:
        """The budget as the native API shows it, without the members of a period when the budget has none."""
        period, total = self.limit("period_limit_usd"), self.limit("total_limit_usd")
        soft = self.limit("soft_limit_usd")
        period_spent, total_spent = self.spent(self.period), self.spent(None)
        shown: dict[str, Any] = {
            "customer": self._customer,
            "budget_id": self.fields.get("budget_id"),
            "period_limit_usd": shown_money(period),
            "period_remaining_usd": None if period is None else money_text(max(Decimal(0), period - period_spent)),
            "total_limit_usd": shown_money(total),
            "total_spent_usd": money_text(total_spent),
            "total_remaining_usd": None if total is None else money_text(max(Decimal(0), total - total_spent)),
            "soft_limit_usd": shown_money(soft),
            "soft_limit_reached": self.soft_limit_reached(),
            "model_limits": [model_limit_json(duration, limit) for duration, limit in self.model_limits()],
            "requests_per_minute": self.fields.get("requests_per_minute"),
            **bound(self.unknown(None)),
        }
        if self.has_period:
            shown["period"] = period_json(self.period)
            shown["period_spent_usd"] = money_text(period_spent)
            shown["period_cost_unknown_events"] = self.unknown(self.period)
            shown["resets_at"] = instant_text(self.period.end)
        return shown


def shown_money(amount: Decimal | None) -> str | None:
    return None if amount is None else money_text(amount)


def bound(unknown: int) -> JsonObject:
    return {"cost_unknown_events": unknown, "spend_is_lower_bound": unknown > 0}


def model_limit_json(duration: str | None, limit: Spending) -> JsonObject:
    return {
        "model": limit.name.removeprefix("model:"),
        "limit_usd": money_text(limit.limit),
        "spent_usd": money_text(limit.spent),
        "remaining_usd": money_text(limit.remaining),
        "duration": duration,
        "resets_at": None if limit.resets_at is None else instant_text(limit.resets_at),
        **bound(limit.unknown),
    }
