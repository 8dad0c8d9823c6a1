"""Usage, budget state and access as the native API shows them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from api.native.models import usage as models
from domain.budgets.access_decision import PERIOD, TOTAL, AccessDecision, model_limit_name
from domain.values.durations import duration_text
from domain.values.periods import Interval
from projections.views import measures
from projections.views.budget_state import Access, BudgetState
from projections.views.current_usage import CurrentUsage
from projections.views.past_usage import PastPeriod, PastUsage
from projections.views.usage_report import UsageReport, UsageReportRow


def measures_document(found: measures.Measures) -> models.Measures:
    """Convert sums of usage to their response."""
    return models.Measures(
        requests=found.requests,
        input_tokens=found.input_tokens,
        cached_input_tokens=found.cached_input_tokens,
        cache_write_tokens=found.cache_write_tokens,
        output_tokens=found.output_tokens,
        reasoning_tokens=found.reasoning_tokens,
        total_tokens=found.total_tokens,
        cost_usd=found.cost_usd,
        reported_cost_usd=found.reported_cost_usd,
        cost_unknown_events=found.cost_unknown_events,
        units=dict(found.units),
    )


def usage_document(report: UsageReport, shown_groups: list[str], now: datetime) -> models.UsageView:
    """Convert a usage report to its response.

    `shown_groups` are the names that the caller grouped by, in the order of the report's groups.
    """
    if report.meter is None:
        data: list[models.MeasuredRow] | list[models.MeteredRow] = [_measured(row, shown_groups) for row in report.rows]
    else:
        data = [_metered(row, shown_groups) for row in report.rows]
    return models.UsageView(
        position=report.position,
        now=now,
        customer=report.customer_id,
        meter=report.meter,
        from_=report.span.start,
        to=report.span.end,
        window=report.window,
        timezone=report.zone,
        group_by=shown_groups,
        data=data,
    )


def _measured(row: UsageReportRow, groups: list[str]) -> models.MeasuredRow:
    return models.MeasuredRow(
        window_start=row.window.start,
        window_end=row.window.end,
        group=dict(zip(groups, row.group, strict=True)),
        **measures_document(row.measures or measures.Measures()).__dict__,
    )


def _metered(row: UsageReportRow, groups: list[str]) -> models.MeteredRow:
    return models.MeteredRow(
        window_start=row.window.start,
        window_end=row.window.end,
        group=dict(zip(groups, row.group, strict=True)),
        value=row.value,
        cost_unknown_events=row.cost_unknown_events,
    )


def period_document(period: Interval) -> models.PeriodView:
    """Convert a period to its response."""
    return models.PeriodView(start=period.start, end=period.end)


def current_usage_document(usage: CurrentUsage, now: datetime) -> models.CurrentUsageView:
    """Convert the usage of the open usage period to its response."""
    return models.CurrentUsageView(
        position=usage.position,
        now=now,
        customer=usage.customer_id,
        period=period_document(usage.period),
        usage=measures_document(usage.usage),
        by_model=[
            models.ModelUsage(provider=one.provider, model=one.model, **measures_document(one.usage).__dict__)
            for one in usage.by_model
        ],
    )


def reported_period_document(report: UsageReport, period: Interval, now: datetime) -> models.CurrentUsageView:
    """Make the response of current usage from a report over `period`, grouped by provider and model."""
    total = measures.Measures()
    for row in report.rows:
        total = total.plus(row.measures or measures.Measures())
    return models.CurrentUsageView(
        position=report.position,
        now=now,
        customer=report.customer_id or "",
        period=period_document(period),
        usage=measures_document(total),
        by_model=[
            models.ModelUsage(
                provider=row.group[0],
                model=row.group[1],
                **measures_document(row.measures or measures.Measures()).__dict__,
            )
            for row in report.rows
        ],
    )


def past_usage_document(usage: PastUsage, now: datetime) -> models.PastUsageView:
    """Convert the usage of past periods to its response."""
    return models.PastUsageView(
        position=usage.position,
        now=now,
        customer=usage.customer_id,
        periods=[_past_period(one) for one in usage.periods],
    )


def _past_period(past: PastPeriod) -> models.PastPeriod:
    return models.PastPeriod(
        start=past.period.start,
        end=past.period.end,
        closed=past.closed,
        at_closing=None if past.at_closing is None else measures_document(past.at_closing),
        now=measures_document(past.now),
        difference=None if past.difference is None else measures_document(past.difference),
        restated=past.restated,
        period_at_closing=None if past.period_at_closing is None else period_document(past.period_at_closing),
    )


def budget_document(state: BudgetState, now: datetime) -> models.BudgetStateView:
    """Convert the state of a customer's budget to its response."""
    limits, spending = state.limits, state.spending
    unknown = spending.cost_unknown_events(TOTAL)
    return models.BudgetStateView(
        position=state.position,
        now=now,
        customer=state.customer.customer_id,
        budget_id=state.customer.budget_id,
        currency=state.customer.currency,
        period=_budget_period(state),
        period_limit_usd=limits.period_limit_usd,
        period_spent_usd=spending.period_usd,
        period_remaining_usd=_remaining(limits.period_limit_usd, spending.period_usd),
        total_limit_usd=limits.total_limit_usd,
        total_spent_usd=spending.total_usd,
        total_remaining_usd=_remaining(limits.total_limit_usd, spending.total_usd),
        soft_limit_usd=limits.soft_limit_usd,
        soft_limit_reached=state.soft_limit_reached,
        model_limits=_model_limits(state),
        requests_per_minute=limits.requests_per_minute,
        tokens_per_minute=limits.tokens_per_minute,
        parallel_requests_max=limits.parallel_requests_max,
        resets_at=spending.period_resets_at,
        ignored_fields=list(limits.ignored_fields),
        cost_unknown_events=unknown,
        period_cost_unknown_events=spending.cost_unknown_events(PERIOD),
        spend_is_lower_bound=unknown > 0,
    )


def _budget_period(state: BudgetState) -> models.BudgetPeriod | None:
    if state.period is None:
        return None
    return models.BudgetPeriod(
        start=state.period.start,
        end=state.period.end,
        duration=None if state.policy is None else duration_text(state.policy.duration),
        alignment="calendar" if state.policy is None else state.policy.alignment,
    )


def _model_limits(state: BudgetState) -> list[models.ModelLimitView]:
    shown = []
    for model, limit in sorted(state.limits.model_limits.items()):
        spent_usd = state.spending.by_model_usd.get(model, Decimal(0))
        unknown = state.spending.cost_unknown_events(model_limit_name(model))
        shown.append(
            models.ModelLimitView(
                model=model,
                limit_usd=limit.limit_usd,
                spent_usd=spent_usd,
                remaining_usd=max(Decimal(0), limit.limit_usd - spent_usd),
                duration=None if limit.duration is None else duration_text(limit.duration),
                resets_at=state.spending.model_resets_at.get(model),
                cost_unknown_events=unknown,
                spend_is_lower_bound=unknown > 0,
            )
        )
    return shown


def _remaining(limit_usd: Decimal | None, spent_usd: Decimal) -> Decimal | None:
    """What is left of a limit, never negative; None without a limit."""
    return None if limit_usd is None else max(Decimal(0), limit_usd - spent_usd)


def access_document(access: Access, now: datetime) -> models.AccessView:
    """Convert an access decision to its response."""
    decision: AccessDecision = access.decision
    return models.AccessView(
        position=access.position,
        now=now,
        customer=access.customer_id,
        allowed=decision.allowed,
        reason=decision.reason,
        reason_text=_reason_text(decision),
        cost_unknown_events=decision.cost_unknown_events,
        spend_is_lower_bound=decision.cost_unknown_events > 0,
        limits=[
            models.LimitView(
                name=limit.name,
                limit=limit.limit_usd,
                spent=limit.spent_usd,
                remaining=limit.remaining_usd,
                resets_at=limit.resets_at,
                cost_unknown_events=limit.cost_unknown_events,
                spend_is_lower_bound=limit.cost_unknown_events > 0,
            )
            for limit in decision.limits
        ],
        requests_per_minute=access.limits.requests_per_minute,
        tokens_per_minute=access.limits.tokens_per_minute,
        parallel_requests_max=access.limits.parallel_requests_max,
    )


def _reason_text(decision: AccessDecision) -> str | None:
    """What a decision that rests on a lower bound means; None for any other."""
    count = decision.cost_unknown_events
    if not count:
        return None
    known = f"The cost of {count:,} {'event' if count == 1 else 'events'} is unknown: at least the sum shown is spent."
    if decision.allowed:
        return f"{known} The cost that is known reaches no limit that refuses."
    return known if decision.reason == "blocked" else f"{known} The cost that is known reaches the limit by itself."
