"""Usage, budgets and access as they are shown."""

from __future__ import annotations

from decimal import Decimal

from api.native.models import usage as shapes
from domain.budgets.access import AccessDecision
from domain.values.durations import duration_text
from domain.values.periods import Interval
from projections.views import measures
from projections.views.budget_state import Access, BudgetState
from projections.views.current_usage import CurrentUsage
from projections.views.past_usage import PastPeriod, PastUsage
from projections.views.usage_report import UsageReport, UsageReportRow


def measures_document(found: measures.Measures) -> shapes.Measures:
    return shapes.Measures(
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
    )


def usage_document(report: UsageReport, shown_groups: list[str]) -> shapes.UsageView:
    """`shown_groups` are the names that the caller grouped by, in the order of the report's groups."""
    if report.meter is None:
        data: list[shapes.MeasuredRow] | list[shapes.MeteredRow] = [_measured(row, shown_groups) for row in report.rows]
    else:
        data = [_metered(row, shown_groups) for row in report.rows]
    return shapes.UsageView(
        position=report.position,
        customer=report.customer_id,
        meter=report.meter,
        from_=report.span.start,
        to=report.span.end,
        window=report.window,
        timezone=report.zone,
        group_by=shown_groups,
        data=data,
    )


def _measured(row: UsageReportRow, groups: list[str]) -> shapes.MeasuredRow:
    return shapes.MeasuredRow(
        window_start=row.window.start,
        window_end=row.window.end,
        group=dict(zip(groups, row.group, strict=True)),
        **measures_document(row.measures or measures.Measures()).__dict__,
    )


def _metered(row: UsageReportRow, groups: list[str]) -> shapes.MeteredRow:
    return shapes.MeteredRow(
        window_start=row.window.start,
        window_end=row.window.end,
        group=dict(zip(groups, row.group, strict=True)),
        value=row.value,
    )


def period_document(period: Interval) -> shapes.PeriodView:
    return shapes.PeriodView(start=period.start, end=period.end)


def current_usage_document(usage: CurrentUsage) -> shapes.CurrentUsageView:
    return shapes.CurrentUsageView(
        position=usage.position,
        customer=usage.customer_id,
        period=period_document(usage.period),
        usage=measures_document(usage.usage),
        by_model=[
            shapes.ModelUsage(provider=one.provider, model=one.model, **measures_document(one.usage).__dict__)
            for one in usage.by_model
        ],
    )


def reported_period_document(report: UsageReport, period: Interval) -> shapes.CurrentUsageView:
    """The same from a report over a period, grouped by provider and model."""
    total = measures.Measures()
    for row in report.rows:
        total = total.plus(row.measures or measures.Measures())
    return shapes.CurrentUsageView(
        position=report.position,
        customer=report.customer_id or "",
        period=period_document(period),
        usage=measures_document(total),
        by_model=[
            shapes.ModelUsage(
                provider=row.group[0],
                model=row.group[1],
                **measures_document(row.measures or measures.Measures()).__dict__,
            )
            for row in report.rows
        ],
    )


def past_usage_document(usage: PastUsage) -> shapes.PastUsageView:
    return shapes.PastUsageView(
        position=usage.position, customer=usage.customer_id, periods=[_past_period(one) for one in usage.periods]
    )


def _past_period(past: PastPeriod) -> shapes.PastPeriod:
    return shapes.PastPeriod(
        start=past.period.start,
        end=past.period.end,
        closed=past.closed,
        at_closing=None if past.at_closing is None else measures_document(past.at_closing),
        now=measures_document(past.now),
        difference=None if past.difference is None else measures_document(past.difference),
    )


def budget_document(state: BudgetState) -> shapes.BudgetStateView:
    limits, spending = state.limits, state.spending
    return shapes.BudgetStateView(
        position=state.position,
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
    )


def _budget_period(state: BudgetState) -> shapes.BudgetPeriod | None:
    if state.period is None:
        return None
    return shapes.BudgetPeriod(
        start=state.period.start,
        end=state.period.end,
        duration=None if state.policy is None else duration_text(state.policy.duration),
        alignment="calendar" if state.policy is None else state.policy.alignment,
    )


def _model_limits(state: BudgetState) -> list[shapes.ModelLimitView]:
    shown = []
    for model, limit in sorted(state.limits.model_limits.items()):
        spent_usd = state.spending.by_model_usd.get(model, Decimal(0))
        shown.append(
            shapes.ModelLimitView(
                model=model,
                limit_usd=limit.limit_usd,
                spent_usd=spent_usd,
                remaining_usd=max(Decimal(0), limit.limit_usd - spent_usd),
                duration=None if limit.duration is None else duration_text(limit.duration),
                resets_at=state.spending.model_resets_at.get(model),
            )
        )
    return shown


def _remaining(limit_usd: Decimal | None, spent_usd: Decimal) -> Decimal | None:
    """Never below zero."""
    return None if limit_usd is None else max(Decimal(0), limit_usd - spent_usd)


def access_document(access: Access) -> shapes.AccessView:
    decision: AccessDecision = access.decision
    return shapes.AccessView(
        position=access.position,
        customer=access.customer_id,
        allowed=decision.allowed,
        reason=decision.reason,
        limits=[
            shapes.LimitView(
                name=limit.name,
                limit=limit.limit_usd,
                spent=limit.spent_usd,
                remaining=limit.remaining_usd,
                resets_at=limit.resets_at,
            )
            for limit in decision.limits
        ],
        requests_per_minute=access.limits.requests_per_minute,
        tokens_per_minute=access.limits.tokens_per_minute,
        parallel_requests_max=access.limits.parallel_requests_max,
    )
