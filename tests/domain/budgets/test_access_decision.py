"""Access decisions, effective limits and the state of each limit."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.budgets.access_decision import AccessDecision, BudgetSpending, Limit, decide_access
from domain.budgets.limits import BudgetLimits, ModelLimit, budget_policy, effective_budget
from domain.errors import InvalidInput
from domain.values.durations import Duration
from domain.values.periods import PeriodPolicy, zone_named

RESET = datetime(2026, 12, 1, tzinfo=UTC)
CREATED = datetime(2026, 11, 5, 8, tzinfo=UTC)
BERLIN = zone_named("Europe/Berlin")
money = st.decimals(0, 100, places=2)
optional_money = st.none() | money


def decided(limits: BudgetLimits, spending: BudgetSpending | None = None, model: str | None = None) -> AccessDecision:
    return decide_access(known=True, blocked=False, limits=limits, spending=spending or BudgetSpending(), model=model)


def test_an_unknown_customer_is_allowed() -> None:
    decision = decide_access(known=False, blocked=True, limits=BudgetLimits(), spending=BudgetSpending())
    assert decision == AccessDecision(allowed=True, reason="new_customer")


def test_a_customer_without_limits_is_allowed() -> None:
    assert decided(BudgetLimits()) == AccessDecision(allowed=True, reason="ok")


def test_events_of_unknown_cost_refuse_nobody_and_count_once_in_all_limits_and_by_limit() -> None:
    limits = BudgetLimits(
        period_limit_usd=Decimal(10),
        soft_limit_usd=Decimal(2),
        model_limits={"a": ModelLimit(Decimal(4)), "b": ModelLimit(Decimal(4))},
    )
    unknown = {
        frozenset({"total"}): 1,
        frozenset({"total", "period"}): 2,
        frozenset({"total", "period", "model:a"}): 4,
        frozenset({"total", "model:a"}): 8,
    }
    decision = decided(limits, BudgetSpending(unknown_events=unknown))
    assert (decision.allowed, decision.reason) == (True, "ok")
    counts = {limit.name: limit.cost_unknown_events for limit in decision.limits}
    assert counts == {"period": 6, "soft": 6, "model:a": 12, "model:b": 0}
    assert decision.cost_unknown_events == 14
    assert decided(limits, BudgetSpending(unknown_events=unknown), "b").cost_unknown_events == 6
    total_alone = BudgetLimits(total_limit_usd=Decimal(1))
    assert decided(total_alone, BudgetSpending(unknown_events=unknown)).cost_unknown_events == 15
    assert decided(BudgetLimits(), BudgetSpending(unknown_events=unknown)).cost_unknown_events == 0


def test_a_blocked_customer_is_refused_before_anything_else_and_still_sees_its_limits() -> None:
    limits = BudgetLimits(period_limit_usd=Decimal(0))
    decision = decide_access(known=True, blocked=True, limits=limits, spending=BudgetSpending())
    shown = (Limit("period", Decimal(0), Decimal(0), Decimal(0)),)
    assert decision == AccessDecision(allowed=False, reason="blocked", limits=shown)


def test_every_limit_is_shown_with_what_is_left_and_when_it_resets() -> None:
    limits = BudgetLimits(
        period_limit_usd=Decimal(10),
        total_limit_usd=Decimal(100),
        soft_limit_usd=Decimal(2),
        model_limits={"b": ModelLimit(Decimal(4)), "a": ModelLimit(Decimal(5))},
    )
    spending = BudgetSpending(Decimal(3), Decimal(40), {"b": Decimal(1)}, RESET, {"b": RESET})
    assert decided(limits, spending) == AccessDecision(
        allowed=True,
        reason="ok",
        limits=(
            Limit("period", Decimal(10), Decimal(3), Decimal(7), RESET),
            Limit("total", Decimal(100), Decimal(40), Decimal(60)),
            Limit("soft", Decimal(2), Decimal(3), Decimal(0), RESET),
            Limit("model:a", Decimal(5), Decimal(0), Decimal(5)),
            Limit("model:b", Decimal(4), Decimal(1), Decimal(3), RESET),
        ),
    )


@given(money, money, optional_money, optional_money, optional_money)
def test_refused_as_soon_as_spending_reaches_a_hard_limit(
    period_usd: Decimal, total_usd: Decimal, period: Decimal | None, total: Decimal | None, soft: Decimal | None
) -> None:
    limits = BudgetLimits(period_limit_usd=period, total_limit_usd=total, soft_limit_usd=soft)
    decision = decided(limits, BudgetSpending(period_usd, total_usd))
    over_period = period is not None and period_usd >= period
    over_total = total is not None and total_usd >= total
    assert decision.allowed == (not over_period and not over_total)
    assert decision.reason == ("period_limit" if over_period else "total_limit" if over_total else "ok")
    assert all(limit.remaining_usd == max(Decimal(0), limit.limit_usd - limit.spent_usd) for limit in decision.limits)


def test_a_limit_of_zero_refuses_everything() -> None:
    assert decided(BudgetLimits(total_limit_usd=Decimal(0))).reason == "total_limit"


def test_one_picodollar_below_a_limit_is_allowed() -> None:
    limits = BudgetLimits(period_limit_usd=Decimal(1))
    assert decided(limits, BudgetSpending(Decimal("0.999999999999"))).allowed
    assert not decided(limits, BudgetSpending(Decimal("1.000000000000"))).allowed


def test_a_model_limit_refuses_that_model_only() -> None:
    limits = BudgetLimits(model_limits={"gpt": ModelLimit(Decimal(1)), "claude": ModelLimit(Decimal(9))})
    spending = BudgetSpending(by_model_usd={"gpt": Decimal(1), "claude": Decimal(1)})
    reached = Limit("model:gpt", Decimal(1), Decimal(1), Decimal(0))
    open_limit = Limit("model:claude", Decimal(9), Decimal(1), Decimal(8))
    assert decided(limits, spending, "gpt") == AccessDecision(allowed=False, reason="model_limit", limits=(reached,))
    assert decided(limits, spending, "claude") == AccessDecision(allowed=True, reason="ok", limits=(open_limit,))
    assert decided(limits, spending, "other") == AccessDecision(allowed=True, reason="ok")
    assert decided(limits, spending) == AccessDecision(allowed=True, reason="ok", limits=(open_limit, reached))


@pytest.mark.parametrize(
    ("fields", "spent"),
    [
        ({"soft_limit_usd": "2", "budget_duration": "1d"}, 3),
        ({"soft_limit_usd": "2", "period_limit_usd": "50"}, 3),
        ({"soft_limit_usd": "2"}, 40),
        ({"soft_limit_usd": "2", "total_limit_usd": "50"}, 40),
    ],
)
def test_a_soft_limit_applies_to_the_period_if_there_is_one_else_to_all_spending(
    fields: dict[str, Any], spent: int
) -> None:
    decision = decided(effective_budget(None, fields), BudgetSpending(Decimal(3), Decimal(40), period_resets_at=RESET))
    assert decision.allowed
    assert [limit.spent_usd for limit in decision.limits if limit.name == "soft"] == [Decimal(spent)]


def test_own_fields_override_those_of_the_tier_and_null_means_not_set() -> None:
    tier = {
        "name": "gold",
        "period_limit_usd": "10",
        "total_limit_usd": "100",
        "model_limits": {"gpt": {"limit_usd": "1", "duration": "1d"}},
        "budget_duration": "1mo",
        "requests_per_minute": 60,
        "period_start": "2026-01-01T00:00:00.000000Z",
    }
    own = {
        "period_limit_usd": "25",
        "total_limit_usd": None,
        "budget_alignment": "anchored",
        "budget_anchor": "2026-01-31T12:00:00.000000Z",
        "tokens_per_minute": 0,
        "period_end": "2026-02-01T00:00:00.000000Z",
        "currency": "USD",
    }
    assert effective_budget(tier, own) == BudgetLimits(
        period_limit_usd=Decimal(25),
        total_limit_usd=Decimal(100),
        model_limits={"gpt": ModelLimit(Decimal(1), Duration(1, "d"))},
        duration=Duration(1, "mo"),
        alignment="anchored",
        anchor=datetime(2026, 1, 31, 12, tzinfo=UTC),
        period_end=datetime(2026, 2, 1, tzinfo=UTC),
        requests_per_minute=60,
        tokens_per_minute=0,
    )


@pytest.mark.parametrize(
    ("tier", "own", "period", "total"),
    [
        ({"period_limit_usd": "2", "budget_duration": "1d"}, {"total_limit_usd": "7"}, 7, None),
        ({"total_limit_usd": "2"}, {"period_limit_usd": "7"}, None, 7),
        ({"total_limit_usd": "2"}, {"period_limit_usd": "7", "budget_duration": "1d"}, 7, None),
        ({"total_limit_usd": "2"}, {"budget_duration": "1d"}, 2, None),
        ({"total_limit_usd": "2"}, {"period_end": "2026-12-01T00:00:00.000000Z"}, 2, None),
        ({"period_limit_usd": "2", "budget_duration": "1d"}, {"budget_duration": "1w"}, 2, None),
        ({"period_limit_usd": "2", "total_limit_usd": "9", "budget_duration": "1d"}, {"total_limit_usd": "7"}, 7, None),
        (None, {"period_limit_usd": "7"}, None, 7),
        ({"budget_duration": "1d"}, {}, None, None),
    ],
)
def test_limits_as_one_apply_per_period_if_there_is_one_else_in_total(
    tier: dict[str, Any] | None, own: dict[str, Any], period: int | None, total: int | None
) -> None:
    limits = effective_budget(tier, {**own, "limits_as_one": True})
    assert (limits.period_limit_usd, limits.total_limit_usd) == (period, total)


def test_without_any_field_there_is_no_limit() -> None:
    assert effective_budget(None, {}) == effective_budget({}, {"period_limit_usd": None}) == BudgetLimits()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"period_limit_usd": "-1"}, "period_limit_usd"),
        ({"budget_duration": "1 month"}, "budget_duration"),
        ({"budget_duration": 30}, "budget_duration"),
        ({"budget_alignment": "rolling"}, "budget_alignment"),
        ({"budget_anchor": "yesterday"}, "budget_anchor"),
        ({"period_start": "2026-01-01T00:00:00"}, "period_start"),
        ({"period_end": 5}, "period_end"),
        ({"requests_per_minute": -1}, "requests_per_minute"),
        ({"tokens_per_minute": 1.5}, "tokens_per_minute"),
        ({"parallel_requests_max": True}, "parallel_requests_max"),
        ({"model_limits": ["gpt"]}, "model_limits"),
        ({"model_limits": {"gpt": {}}}, "model_limits.gpt"),
        ({"model_limits": {"gpt": {"limit_usd": "NaN"}}}, "model_limits.gpt.limit_usd"),
        ({"model_limits": {"gpt": {"limit_usd": "1", "duration": "0d"}}}, "model_limits.gpt.duration"),
    ],
)
def test_a_field_that_cannot_be_parsed_is_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        effective_budget(None, fields)
    assert refused.value.field == field


def test_an_end_that_is_not_after_its_start_is_left_out_and_named() -> None:
    ended = {"period_end": "2026-12-01T00:00:00.000000Z"}
    started = {"period_start": "2026-12-01T00:00:00.000000Z"}
    assert [effective_budget(None, fields).ignored_fields for fields in (ended, started, {**ended, **started})] == [
        (),
        (),
        ("period_end",),
    ]


@pytest.mark.parametrize(
    ("fields", "policy"),
    [
        ({"period_limit_usd": "5"}, None),
        ({"budget_duration": "1w"}, PeriodPolicy(Duration(1, "w"), "calendar", BERLIN)),
        (
            {"budget_duration": "1w", "budget_alignment": "anchored"},
            PeriodPolicy(Duration(1, "w"), "anchored", BERLIN, CREATED),
        ),
        (
            {"budget_duration": "1w", "budget_alignment": "anchored", "budget_anchor": "2026-12-01T00:00:00.000000Z"},
            PeriodPolicy(Duration(1, "w"), "anchored", BERLIN, RESET),
        ),
        (
            {"period_start": "2026-11-05T08:00:00.000000Z", "period_end": "2026-12-01T00:00:00.000000Z"},
            PeriodPolicy(Duration(1, "mo"), "anchored", BERLIN, CREATED, RESET),
        ),
        (
            {"period_start": "2026-12-01T00:00:00.000000Z", "period_end": "2026-12-01T00:00:00.000000Z"},
            PeriodPolicy(Duration(1, "mo"), "anchored", BERLIN, RESET),
        ),
        (
            {"budget_duration": "30d", "period_end": "2026-12-01T00:00:00.000000Z"},
            PeriodPolicy(Duration(30, "d"), "anchored", BERLIN, RESET),
        ),
    ],
)
def test_a_budget_without_periods_of_its_own_has_the_usage_periods(
    fields: dict[str, Any], policy: PeriodPolicy | None
) -> None:
    assert budget_policy(effective_budget(None, fields), BERLIN, CREATED) == policy
