"""The fields of a budget: from LiteLLM's to the native ones and back.

`max_budget` with a duration is the native period limit, without one the total limit. What the engine has no field for,
or keeps in another spelling, is kept beside it in `dialect_fields.litellm` and shown while it still says the same.
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
from domain.budgets.access import BudgetLimits
from domain.errors import InvalidInput
from domain.values.durations import duration_text, parse_duration
from domain.values.money import money_text, usd

DIALECT: Final = "litellm"
DIALECT_FIELDS: Final = "dialect_fields"
#: The members that make a budget; with one of them a new customer gets a budget of its own.
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
#: The native fields of the period and the limit in it, which change together.
PERIOD_FIELDS: Final = ("period_limit_usd", "total_limit_usd", *NO_PERIODS)
ZERO: Final = Decimal(0)
NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class BadDuration(Exception):
    """A duration that LiteLLM does not know."""

    def __init__(self, text: str) -> None:
        super().__init__(f"Invalid budget_duration '{text}'. Use a format like '1h', '24h', '7d', or '30d'.")


def native_changes(
    given: Mapping[str, Any],
    current: Mapping[str, Any],
    now: datetime,
    any_duration: bool,
    under: Mapping[str, Any] = NOTHING,
) -> dict[str, Any]:
    """The native changes that these members (null clears) make to a budget with the native fields `current`.

    `under`: the fields of the budget over which those of a customer are laid: its duration holds where there is no own.
    `any_duration`: an unknown duration is kept and shown, and means none, as in older releases; else `BadDuration`.
    """
    kept = dict(own_fields(current))
    changes: dict[str, Any] = {}
    if "budget_duration" in given or given.get("budget_reset_at") is not None:
        changes |= _periods(given, current, under, kept, now, any_duration)
    if changes or "max_budget" in given:
        changes |= _limits(given, current, under, kept, changes)
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
    return changes | with_own_fields(current, kept)


def own_fields(current: Mapping[str, Any]) -> Mapping[str, Any]:
    """What of the stored fields only this dialect knows."""
    found: Mapping[str, Any] = (current.get(DIALECT_FIELDS) or {}).get(DIALECT) or {}
    return found


def with_own_fields(current: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    """The change that stores these as what only this dialect knows; none when they are stored already."""
    kept = {name: value for name, value in kept.items() if value is not None}
    if kept == own_fields(current):
        return {}
    others = {name: value for name, value in (current.get(DIALECT_FIELDS) or {}).items() if name != DIALECT}
    whole = {**others, **({DIALECT: kept} if kept else {})}
    return {DIALECT_FIELDS: whole or None}


def _periods(
    given: Mapping[str, Any],
    current: Mapping[str, Any],
    under: Mapping[str, Any],
    kept: dict[str, Any],
    now: datetime,
    any_duration: bool,
) -> dict[str, Any]:
    text = given["budget_duration"] if "budget_duration" in given else _duration(current, under)
    if text is None:
        kept["budget_duration"] = None
        return dict(NO_PERIODS)
    duration = duration_of(text)
    if duration is None and "budget_duration" not in given:
        duration = parse_duration(text)  # a native one that is none of LiteLLM's
    if duration is None:
        if not any_duration:
            raise BadDuration(text)
        kept["budget_duration"] = text
        return dict(NO_PERIODS)
    if "budget_duration" in given:
        kept["budget_duration"] = text
    reset_at = given.get("budget_reset_at")
    found = aligned_periods(duration, now) if reset_at is None else periods_ending_at(duration, reset_at)
    same = (current.get("budget_duration"), current.get("budget_alignment")) == (found.budget_duration, "anchored")
    if reset_at is None and same and found.budget_alignment == "anchored":
        return {}  # the same again moves no anchor
    return found.changes()


def _duration(current: Mapping[str, Any], under: Mapping[str, Any]) -> str | None:
    """The native duration that holds."""
    own: str | None = current.get("budget_duration")
    return under.get("budget_duration") if own is None else own


def _limits(
    given: Mapping[str, Any],
    current: Mapping[str, Any],
    under: Mapping[str, Any],
    kept: dict[str, Any],
    changes: Mapping[str, Any],
) -> dict[str, Any]:
    """The limit stands where the duration says that holds afterwards: per period, or in total."""
    if "max_budget" in given:
        amount = _amount(given["max_budget"], kept, "max_budget")
    else:
        before = current.get("period_limit_usd"), current.get("total_limit_usd")
        amount = before[1] if before[0] is None else before[0]
    if _duration({**current, **changes}, under) is None:
        return {"total_limit_usd": amount, "period_limit_usd": None}
    return {"period_limit_usd": amount, "total_limit_usd": None}


def _amount(amount: Decimal | None, kept: dict[str, Any], name: str) -> str | None:
    """A limit below zero refuses everything, as one of zero does; it is shown as it was given."""
    kept[name] = None
    if amount is None:
        return None
    text = _amount_text(amount, name)
    if text.startswith("-"):
        kept[name] = text
        return "0"
    return text


def _amount_text(amount: Decimal, name: str) -> str:
    """USD of either sign; `InvalidInput` where its size breaks the rule of amounts."""
    if not amount.is_finite():
        raise InvalidInput(name, "is a finite number")
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
    """The native limits of those that have a maximum."""
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


# -- and back


def shown_limits(limits: BudgetLimits, kept: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a budget row that tell its limits. `kept`: what only this dialect knows of it."""
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
    """As it was written, while it still means what is stored."""
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
