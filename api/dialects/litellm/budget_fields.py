"""Conversion of budget fields between LiteLLM and the engine, in both directions.

`max_budget` with a duration is the native period limit, without one the total limit. A member without a native field,
or with another native spelling, is also stored as written in `dialect_fields.litellm`. It is shown from there as long
as it means the same as the native fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from api.dialects.litellm.durations import (
    NO_PERIODS,
    aligned_periods,
    duration_of,
    native_text,
    periods_ending_at,
)
from domain.budgets.limits import BudgetLimits
from domain.errors import InvalidInput
from domain.values.durations import duration_text, parse_duration
from domain.values.money import money_text, usd

DIALECT: Final = "litellm"
DIALECT_FIELDS: Final = "dialect_fields"
#: The members of a budget. A new customer with any of them gets a budget of its own.
BUDGET_MEMBERS: Final[tuple[str, ...]] = (
    "max_budget",
    "soft_budget",
    "max_parallel_requests",
    "tpm_limit",
    "rpm_limit",
    "tpd_limit",
    "budget_duration",
    "model_max_budget",
    "budget_reset_at",
)
_COUNTS: Final = {
    "tpm_limit": "tokens_per_minute",
    "rpm_limit": "requests_per_minute",
    "max_parallel_requests": "parallel_requests_max",
}
#: The native fields of the period and of the limit in it, which change together.
PERIOD_FIELDS: Final = ("period_limit_usd", "total_limit_usd", *NO_PERIODS)
ZERO: Final = Decimal(0)
NO_FIELDS: Final[Mapping[str, Any]] = MappingProxyType({})


class BadDuration(Exception):
    """A duration that LiteLLM does not know."""

    def __init__(self, text: str) -> None:
        super().__init__(f"Invalid budget_duration '{text}'. Use a format like '1h', '24h', '7d', or '30d'.")


def native_changes(
    given: Mapping[str, Any],
    current: Mapping[str, Any],
    now: datetime,
    any_duration: bool,
    inherited: Mapping[str, Any] = NO_FIELDS,
) -> dict[str, Any]:
    """Return the native changes that these members (null clears) make to a budget with the native fields `current`.

    `inherited`: for the own limits of a customer, the fields of its tier, whose duration holds when it has none itself.
    `any_duration`: store and show an unknown duration and treat it as none, as older releases do. Otherwise an unknown
    duration raises `BadDuration`.
    """
    kept: dict[str, Any] = {}
    changes: dict[str, Any] = {}
    if "budget_duration" in given or given.get("budget_reset_at") is not None:
        changes |= _periods(given, current, inherited, kept, now, any_duration)
    if changes or "max_budget" in given:
        changes |= _limits(given, current, inherited, kept, changes)
    if "soft_budget" in given:
        changes["soft_limit_usd"] = _amount(given["soft_budget"], kept, "soft_budget")
    for name, native in _COUNTS.items():
        if name in given:
            changes[native] = given[name]
    if "tpd_limit" in given:
        kept["tpd_limit"] = given["tpd_limit"]
    if "model_max_budget" in given:
        kept["model_max_budget"] = _plain_models(given["model_max_budget"])
        changes["model_limits"] = _model_limits(kept["model_max_budget"], any_duration)
    return changes | dialect_only_change(current, kept)


def dialect_only_fields(current: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return those of the stored fields that only this dialect knows."""
    found: Mapping[str, Any] = (current.get(DIALECT_FIELDS) or {}).get(DIALECT) or {}
    return found


def dialect_only_change(current: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return the change that stores the members `kept` of this dialect (None: no longer); empty without any."""
    before = dialect_only_fields(current)
    told = {name: value for name, value in kept.items() if value is not None or name in before}
    return {DIALECT_FIELDS: {DIALECT: told}} if told else {}


def with_change(changes: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return `changes` with another change, which takes precedence; what they store of this dialect is joined."""
    joined = {**changes, **change}
    if DIALECT_FIELDS in joined:
        joined[DIALECT_FIELDS] = {DIALECT: {**dialect_only_fields(changes), **dialect_only_fields(change)}}
    return joined


def _periods(
    given: Mapping[str, Any],
    current: Mapping[str, Any],
    inherited: Mapping[str, Any],
    kept: dict[str, Any],
    now: datetime,
    any_duration: bool,
) -> dict[str, Any]:
    text = given["budget_duration"] if "budget_duration" in given else _duration(current, inherited)
    if text is None:
        _refuse_lone_reset(given)
        kept["budget_duration"] = None
        return dict(NO_PERIODS)
    duration = duration_of(text)
    if duration is None and "budget_duration" not in given:
        duration = parse_duration(text)  # set natively, and not a duration of LiteLLM
    if duration is None:
        if not any_duration:
            raise BadDuration(text)
        _refuse_lone_reset(given)
        kept["budget_duration"] = text
        return dict(NO_PERIODS)
    if "budget_duration" in given:
        kept["budget_duration"] = text
    reset_at = given.get("budget_reset_at")
    found = aligned_periods(duration, now) if reset_at is None else periods_ending_at(duration, reset_at)
    same = (current.get("budget_duration"), current.get("budget_alignment")) == (found.budget_duration, "anchored")
    if reset_at is None and same and found.budget_alignment == "anchored":
        return {}  # setting the same duration again must not move the anchor
    return found.changes()


def _refuse_lone_reset(given: Mapping[str, Any]) -> None:
    """Raise `InvalidInput` for a reset of a budget without periods, which nothing could honour."""
    if given.get("budget_reset_at") is not None:
        raise InvalidInput("budget_reset_at", "needs a budget_duration: without one a budget has no periods to reset")


def _duration(current: Mapping[str, Any], inherited: Mapping[str, Any]) -> str | None:
    """The native duration in effect."""
    own: str | None = current.get("budget_duration")
    return inherited.get("budget_duration") if own is None else own


def _limits(
    given: Mapping[str, Any],
    current: Mapping[str, Any],
    inherited: Mapping[str, Any],
    kept: dict[str, Any],
    changes: Mapping[str, Any],
) -> dict[str, Any]:
    """Set the limit per period or in total, depending on whether a duration holds after the change."""
    if "max_budget" in given:
        amount = _amount(given["max_budget"], kept, "max_budget")
    else:
        before = current.get("period_limit_usd"), current.get("total_limit_usd")
        amount = before[1] if before[0] is None else before[0]
    if _duration({**current, **changes}, inherited) is None:
        return {"total_limit_usd": amount, "period_limit_usd": None}
    return {"period_limit_usd": amount, "total_limit_usd": None}


def _amount(amount: Decimal | None, kept: dict[str, Any], name: str) -> str | None:
    """Convert a limit. A negative one becomes 0, which also refuses everything, and is shown as given."""
    kept[name] = None
    if amount is None:
        return None
    text = _amount_text(amount, name)
    if text.startswith("-"):
        kept[name] = text
        return "0"
    return text


def _amount_text(amount: Decimal, name: str) -> str:
    """Format USD of either sign; `InvalidInput` when its size breaks the rule for amounts."""
    if not amount.is_finite():
        raise InvalidInput(name, "must be a finite number")
    return money_text(usd(amount.copy_abs(), name).copy_sign(amount))


def _plain_models(given: Mapping[str, Mapping[str, Any]] | None) -> dict[str, Any] | None:
    if given is None:
        return None
    return {
        model: {
            name: _amount_text(value, f"model_max_budget.{model}.{name}") if isinstance(value, Decimal) else value
            for name, value in limits.items()
            if value is not None
        }
        for model, limits in given.items()
    }


def _model_limits(models: Mapping[str, Any] | None, any_duration: bool) -> dict[str, Any] | None:
    """The native model limits: of the models that have a `max_budget`."""
    if models is None:
        return None
    found: dict[str, Any] = {}
    for model, limits in models.items():
        text = limits.get("budget_duration")
        duration = None if text is None else duration_of(text)
        if text is not None and duration is None and not any_duration:
            raise BadDuration(text)
        if limits.get("max_budget") is not None:
            native = None if duration is None else native_text(duration)
            limit = max(ZERO, Decimal(limits["max_budget"]))
            found[model] = {"limit_usd": money_text(limit), "duration": native}
    return found or None


def shown_limits(limits: BudgetLimits, kept: Mapping[str, Any]) -> dict[str, Any]:
    """Convert native limits to the members of a budget row. `kept`: the stored fields of this dialect."""
    maximum = limits.total_limit_usd if limits.period_limit_usd is None else limits.period_limit_usd
    return {
        "soft_budget": _shown_amount(limits.soft_limit_usd, kept.get("soft_budget")),
        "max_budget": _shown_amount(maximum, kept.get("max_budget")),
        "max_parallel_requests": limits.parallel_requests_max,
        "tpm_limit": limits.tokens_per_minute,
        "rpm_limit": limits.requests_per_minute,
        "tpd_limit": kept.get("tpd_limit"),
        "model_max_budget": _shown_models(limits, kept.get("model_max_budget")),
        "budget_duration": _shown_duration(limits, kept.get("budget_duration")),
    }


def _shown_amount(amount: Decimal | None, as_given: str | None) -> float | None:
    if as_given is not None and amount == ZERO:
        return float(as_given)
    return None if amount is None else float(amount)


def _shown_duration(limits: BudgetLimits, as_given: str | None) -> str | None:
    """The duration as it was written, as long as it means the stored one; else the stored one."""
    if as_given is not None:
        duration = duration_of(as_given)
        meant = None if duration is None else native_text(duration)
        if meant == (None if limits.duration is None else duration_text(limits.duration)):
            return as_given
    return None if limits.duration is None else duration_text(limits.duration)


def _shown_models(limits: BudgetLimits, as_given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    stored = {
        model: {
            "limit_usd": money_text(limit.limit_usd),
            "duration": None if limit.duration is None else duration_text(limit.duration),
        }
        for model, limit in limits.model_limits.items()
    }
    if as_given is not None and (_model_limits(as_given, any_duration=True) or {}) == stored:
        return {model: _as_float(limits) for model, limits in as_given.items()}
    if not stored:
        return None
    return {
        model: _as_float({"max_budget": limit["limit_usd"], "budget_duration": limit["duration"]})
        for model, limit in stored.items()
    }


def _as_float(limits: Mapping[str, Any]) -> dict[str, Any]:
    return {name: float(value) if name == "max_budget" else value for name, value in limits.items()}
