"""May this customer go on? A pure decision over limits and what was spent against them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from domain.customers.fields import LIMITS_AS_ONE
from domain.errors import InvalidInput
from domain.values.durations import Duration, parse_duration
from domain.values.money import MONEY, usd
from domain.values.periods import Alignment, PeriodPolicy, alignment_named

AccessReason = Literal["ok", "new_customer", "blocked", "period_limit", "total_limit", "model_limit"]

#: What a shared budget (a tier) can hold and a customer can set for itself.
SHARED_BUDGET_FIELDS: Final = (
    "period_limit_usd",
    "total_limit_usd",
    "soft_limit_usd",
    "model_limits",
    "budget_duration",
    "budget_alignment",
    "budget_anchor",
    "requests_per_minute",
    "tokens_per_minute",
    "parallel_requests_max",
)
#: What only a customer has: a period that was moved by hand.
OWN_BUDGET_FIELDS: Final = ("period_start", "period_end")
DEFAULT_BUDGET_DURATION: Final = Duration(1, "mo")
_LIMITS_OF_USD: Final = ("period_limit_usd", "total_limit_usd")
_MODEL_LIMIT_PREFIX: Final = "model:"


class ModelLimit(msgspec.Struct, frozen=True):
    """USD that may be spent on one model, per `duration` (None: per period of the budget)."""

    limit_usd: Decimal
    duration: Duration | None = None


class BudgetLimits(msgspec.Struct, frozen=True):
    """The limits that hold for one customer, its own fields laid over its tier's. None: no such limit."""

    period_limit_usd: Decimal | None = None
    total_limit_usd: Decimal | None = None
    soft_limit_usd: Decimal | None = None
    model_limits: dict[str, ModelLimit] = msgspec.field(default_factory=dict)
    duration: Duration | None = None
    alignment: Alignment = "calendar"
    anchor: datetime | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel_requests_max: int | None = None

    @property
    def has_own_period(self) -> bool:
        """Whether the budget names its periods; otherwise they are the customer's usage periods."""
        return not (self.duration is None and self.period_start is None and self.period_end is None)

    @property
    def soft_limit_per_period(self) -> bool:
        """A soft limit watches the period where the budget has one, else all that was ever spent."""
        return self.has_own_period or self.period_limit_usd is not None


class BudgetSpending(msgspec.Struct, frozen=True):
    """Reported cost (markup included) spent against each limit, and when those that reset do so next."""

    period_usd: Decimal = Decimal(0)
    total_usd: Decimal = Decimal(0)
    by_model_usd: dict[str, Decimal] = msgspec.field(default_factory=dict)  # in each model limit's current period
    period_resets_at: datetime | None = None
    model_resets_at: dict[str, datetime] = msgspec.field(default_factory=dict)


class Limit(msgspec.Struct, frozen=True):
    """One limit as shown: name is "period", "total", "soft" or "model:<model>"; remaining is never below zero."""

    name: str
    limit_usd: Decimal
    spent_usd: Decimal
    remaining_usd: Decimal
    resets_at: datetime | None = None

    @property
    def reached(self) -> bool:
        """Spent >= limit: a limit of 0 is reached before anything is spent."""
        return self.spent_usd >= self.limit_usd


class AccessDecision(msgspec.Struct, frozen=True):
    """Whether the customer may go on, the first reason why not, and every limit that was looked at."""

    allowed: bool
    reason: AccessReason
    limits: tuple[Limit, ...] = ()


def effective_budget(tier_fields: Mapping[str, Any] | None, own_fields: Mapping[str, Any]) -> BudgetLimits:
    """A tier's stored fields with the customer's own laid over them, field by field; a null field is not set.

    Where `limits_as_one` is set, one limit of USD holds: the customer's own amount, else the tier's, per period where
    the budget has a duration (whosever it is) or was moved by hand, else in total.
    Both are JSON values as the log keeps them. `InvalidInput` names the first field that cannot be read.
    """
    tier_fields = tier_fields or {}
    fields = {name: _set_field(name, tier_fields, own_fields) for name in SHARED_BUDGET_FIELDS}
    if own_fields.get(LIMITS_AS_ONE):
        fields |= _one_limit(fields, tier_fields, own_fields)
    return BudgetLimits(
        period_limit_usd=_money(fields, "period_limit_usd"),
        total_limit_usd=_money(fields, "total_limit_usd"),
        soft_limit_usd=_money(fields, "soft_limit_usd"),
        model_limits=_model_limits(fields["model_limits"]),
        duration=_duration(fields["budget_duration"], "budget_duration"),
        alignment=alignment_named(fields["budget_alignment"] or "calendar", "budget_alignment"),
        anchor=_instant(fields["budget_anchor"], "budget_anchor"),
        period_start=_instant(own_fields.get("period_start"), "period_start"),
        period_end=_instant(own_fields.get("period_end"), "period_end"),
        requests_per_minute=_count(fields, "requests_per_minute"),
        tokens_per_minute=_count(fields, "tokens_per_minute"),
        parallel_requests_max=_count(fields, "parallel_requests_max"),
    )


def budget_policy(limits: BudgetLimits, zone: ZoneInfo, created_at: datetime) -> PeriodPolicy | None:
    """The periods of this budget; None when it names none and the customer's usage periods hold.

    A period moved by hand anchors the budget, whatever its alignment says: at its start, or, when only an end is
    given, at that end. An end that is not after the start (which was moved past it) is not used. An anchored budget
    without an anchor is anchored where the customer was created.
    """
    if not limits.has_own_period:
        return None
    duration = limits.duration or DEFAULT_BUDGET_DURATION
    if limits.period_start is not None:
        end = limits.period_end
        first_end = end if end is not None and end > limits.period_start else None
        return PeriodPolicy(duration, "anchored", zone, limits.period_start, first_end)
    if limits.period_end is not None:
        return PeriodPolicy(duration, "anchored", zone, limits.period_end)
    if limits.alignment == "anchored":
        return PeriodPolicy(duration, "anchored", zone, limits.anchor or created_at)
    return PeriodPolicy(duration, "calendar", zone)


def decide_access(
    *, known: bool, blocked: bool, limits: BudgetLimits, spending: BudgetSpending, model: str | None = None
) -> AccessDecision:
    """Refuse a blocked customer, then one that reached its period, total or (for the `model` asked about) model limit.

    An unknown or deleted customer is allowed. A soft limit is shown and never refuses. Without a model the limits of
    all models are shown and none of them refuses.
    """
    if not known:
        return AccessDecision(allowed=True, reason="new_customer")
    shown = tuple(_shown_limits(limits, spending, model))
    reason: AccessReason = "blocked" if blocked else _refusal(shown, model)
    return AccessDecision(allowed=reason == "ok", reason=reason, limits=shown)


def _refusal(limits: tuple[Limit, ...], model: str | None) -> AccessReason:
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


def _one_limit(
    fields: Mapping[str, Any], tier_fields: Mapping[str, Any], own_fields: Mapping[str, Any]
) -> dict[str, Any]:
    amounts = (given.get(name) for given in (own_fields, tier_fields) for name in _LIMITS_OF_USD)
    amount = next((amount for amount in amounts if amount is not None), None)
    moved = any(own_fields.get(name) is not None for name in OWN_BUDGET_FIELDS)
    per_period, in_total = _LIMITS_OF_USD
    if moved or fields["budget_duration"] is not None:
        return {per_period: amount, in_total: None}
    return {per_period: None, in_total: amount}


def _set_field(name: str, tier_fields: Mapping[str, Any], own_fields: Mapping[str, Any]) -> Any:
    own = own_fields.get(name)
    return tier_fields.get(name) if own is None else own


def _money(fields: Mapping[str, Any], name: str) -> Decimal | None:
    return None if fields[name] is None else usd(fields[name], name)


def _model_limits(value: Any) -> dict[str, ModelLimit]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidInput("model_limits", "is an object of limits by model")
    return {model: _model_limit(f"model_limits.{model}", limit) for model, limit in value.items()}


def _model_limit(field: str, value: Any) -> ModelLimit:
    if not isinstance(value, Mapping) or value.get("limit_usd") is None:
        raise InvalidInput(field, "is an object with limit_usd, and duration if it has one of its own")
    return ModelLimit(
        usd(value["limit_usd"], f"{field}.limit_usd"), _duration(value.get("duration"), f"{field}.duration")
    )


def _duration(value: Any, field: str) -> Duration | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidInput(field, "is a duration, such as 30d")
    return parse_duration(value, field)


def _instant(value: Any, field: str) -> datetime | None:
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise InvalidInput(field, "is an RFC 3339 instant") from None
    if instant.tzinfo is None:
        raise InvalidInput(field, "has a time zone")
    return instant.astimezone(UTC)


def _count(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields[name]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidInput(name, "is a whole number, 0 or more")
    return value
