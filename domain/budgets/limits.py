"""The limits of a customer: those of its shared budget and its own, as one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from domain.customers.fields import LIMITS_AS_ONE
from domain.errors import InvalidInput
from domain.values.durations import Duration, parse_duration
from domain.values.money import usd
from domain.values.periods import Alignment, PeriodPolicy, alignment_named

#: Budget fields that both a shared budget (a tier) and a customer can have.
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


#: Budget fields that only a customer can have: a period moved by hand.
OWN_BUDGET_FIELDS: Final = ("period_start", "period_end")


DEFAULT_BUDGET_DURATION: Final = Duration(1, "mo")


_USD_LIMIT_FIELDS: Final = ("period_limit_usd", "total_limit_usd")


class ModelLimit(msgspec.Struct, frozen=True):
    """A limit in USD for one model, per `duration` (None: per period of the budget)."""

    limit_usd: Decimal
    duration: Duration | None = None


class BudgetLimits(msgspec.Struct, frozen=True):
    """The effective limits of one customer: its own fields, else those of its tier. None: no such limit."""

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
        """Whether the budget has periods of its own; otherwise the customer's usage periods apply."""
        return not (self.duration is None and self.period_start is None and self.period_end is None)

    @property
    def ignored_fields(self) -> tuple[str, ...]:
        """The fields that make no sense beside others, and are left out."""
        start, end = self.period_start, self.period_end
        return ("period_end",) if start is not None and end is not None and end <= start else ()

    @property
    def soft_limit_per_period(self) -> bool:
        """Whether the soft limit applies per period; otherwise it applies to the lifetime spending."""
        return self.has_own_period or self.period_limit_usd is not None


def effective_budget(tier_fields: Mapping[str, Any] | None, own_fields: Mapping[str, Any]) -> BudgetLimits:
    """Return the effective limits: field by field the customer's own value, else the tier's; null means not set.

    With `limits_as_one` a single USD limit applies: the customer's own amount, else the tier's. It applies per period
    if the budget has a duration (the customer's or the tier's) or a period moved by hand, else to the lifetime total.
    Both maps hold JSON values as stored in the log. `InvalidInput` names the first field that cannot be parsed.
    """
    tier_fields = tier_fields or {}
    fields = {name: _effective_field(name, tier_fields, own_fields) for name in SHARED_BUDGET_FIELDS}
    if own_fields.get(LIMITS_AS_ONE):
        fields |= _combined_limit(fields, tier_fields, own_fields)
    return msgspec.structs.replace(
        budget_without_amounts(tier_fields, own_fields),
        period_limit_usd=_money(fields, "period_limit_usd"),
        total_limit_usd=_money(fields, "total_limit_usd"),
        soft_limit_usd=_money(fields, "soft_limit_usd"),
        model_limits=_model_limits(fields["model_limits"]),
        requests_per_minute=_count(fields, "requests_per_minute"),
        tokens_per_minute=_count(fields, "tokens_per_minute"),
        parallel_requests_max=_count(fields, "parallel_requests_max"),
    )


def budget_without_amounts(tier_fields: Mapping[str, Any] | None, own_fields: Mapping[str, Any]) -> BudgetLimits:
    """Return what the periods of a budget follow from, without any limit; see `effective_budget`."""
    duration, alignment, anchor = (
        _effective_field(name, tier_fields or {}, own_fields)
        for name in ("budget_duration", "budget_alignment", "budget_anchor")
    )
    return BudgetLimits(
        duration=_duration(duration, "budget_duration"),
        alignment=alignment_named(alignment or "calendar", "budget_alignment"),
        anchor=_instant(anchor, "budget_anchor"),
        period_start=_instant(own_fields.get("period_start"), "period_start"),
        period_end=_instant(own_fields.get("period_end"), "period_end"),
    )


def budget_policy(limits: BudgetLimits, zone: ZoneInfo, created_at: datetime) -> PeriodPolicy | None:
    """Return the period policy of a budget; None when it has none and the customer's usage periods apply.

    A period moved by hand anchors the budget, whatever its alignment: at `period_start`, or at `period_end` if only
    the end is given. An end that is not after the start (because the start was moved past it) is ignored. An anchored
    budget without an anchor is anchored at the creation of the customer.
    """
    if not limits.has_own_period:
        return None
    duration = limits.duration or DEFAULT_BUDGET_DURATION
    if limits.period_start is not None:
        first_end = None if limits.ignored_fields else limits.period_end
        return PeriodPolicy(duration, "anchored", zone, limits.period_start, first_end)
    if limits.period_end is not None:
        return PeriodPolicy(duration, "anchored", zone, limits.period_end)
    if limits.alignment == "anchored":
        return PeriodPolicy(duration, "anchored", zone, limits.anchor or created_at)
    return PeriodPolicy(duration, "calendar", zone)


def _combined_limit(
    fields: Mapping[str, Any], tier_fields: Mapping[str, Any], own_fields: Mapping[str, Any]
) -> dict[str, Any]:
    amounts = (given.get(name) for given in (own_fields, tier_fields) for name in _USD_LIMIT_FIELDS)
    amount = next((amount for amount in amounts if amount is not None), None)
    moved = any(own_fields.get(name) is not None for name in OWN_BUDGET_FIELDS)
    per_period, in_total = _USD_LIMIT_FIELDS
    if moved or fields["budget_duration"] is not None:
        return {per_period: amount, in_total: None}
    return {per_period: None, in_total: amount}


def _effective_field(name: str, tier_fields: Mapping[str, Any], own_fields: Mapping[str, Any]) -> Any:
    own = own_fields.get(name)
    return tier_fields.get(name) if own is None else own


def _money(fields: Mapping[str, Any], name: str) -> Decimal | None:
    return None if fields[name] is None else usd(fields[name], name)


def _model_limits(value: Any) -> dict[str, ModelLimit]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidInput("model_limits", "must be an object of limits by model")
    return {model: _model_limit(f"model_limits.{model}", limit) for model, limit in value.items()}


def _model_limit(field: str, value: Any) -> ModelLimit:
    if not isinstance(value, Mapping) or value.get("limit_usd") is None:
        raise InvalidInput(field, "must be an object of limit_usd and, for a period of its own, duration")
    return ModelLimit(
        usd(value["limit_usd"], f"{field}.limit_usd"), _duration(value.get("duration"), f"{field}.duration")
    )


def _duration(value: Any, field: str) -> Duration | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidInput(field, "must be a duration, such as 30d")
    return parse_duration(value, field)


def _instant(value: Any, field: str) -> datetime | None:
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise InvalidInput(field, "must be an RFC 3339 instant") from None
    if instant.tzinfo is None:
        raise InvalidInput(field, "must have a time zone")
    return instant.astimezone(UTC)


def _count(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields[name]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidInput(name, "must be a whole number, 0 or more")
    return value
