"""Routes of usage: reports, current and past periods, budget state, access."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.responses import Response

from api.http.authentication import Reader
from api.http.headers.unknown_cost import UNKNOWN_COST_ANSWER, unknown_cost_header
from api.http.problems import Problem
from api.http.query_instants import optional_bound
from api.http.reading import WAIT_FOR_MIN_POSITION, CustomerId, Reading, reading, time_zone_of
from api.http.state import ApiState, StateOf
from api.native.models.field_types import AsOfQuery
from api.native.models.usage import (
    AccessQuery,
    AccessView,
    AllUsageQuery,
    BudgetStateView,
    CurrentUsageView,
    PastUsageQuery,
    PastUsageView,
    PeriodQuery,
    UsageQuery,
    UsageView,
)
from api.native.views.meters import meter_of
from api.native.views.usage import (
    access_document,
    budget_document,
    current_usage_document,
    past_usage_document,
    reported_period_document,
    usage_document,
)
from domain.scope import Scope
from domain.values.identifiers import checked_id
from domain.values.periods import Interval, zone_named
from projections.queries.api_keys import ApiKeyRecord
from projections.queries.snapshot import Snapshot
from projections.views.budget_state import BudgetState, access, budget_state
from projections.views.charging.subscription_periods import subscription_periods
from projections.views.current_usage import current_usage
from projections.views.customers import customer_history
from projections.views.past_usage import past_usage
from projections.views.usage_report import UsageReportQuestion, usage_report

router = APIRouter(tags=["usage"])
#: Before the id of a subscription, in the name of a period.
_SUBSCRIPTION: Final = "subscription:"
_ONE: Final = "/v1/customers/{customer_id:segment}"


@router.get(
    "/v1/usage",
    response_model=UsageView,
    dependencies=[WAIT_FOR_MIN_POSITION],
    summary="Report usage over all customers",
)
def get_usage(state: StateOf, key: Reader, query: Annotated[AllUsageQuery, FromQuery()]) -> UsageView:
    """Usage of all customers, in windows and groups. Grouped by customer, deactivated customers are left out. Without
    `from`, the current UTC month."""
    customer_id = None if query.customer is None else checked_id("customer", query.customer)
    return _report(state, key, customer_id, query)


@router.get(
    _ONE + "/usage",
    response_model=UsageView,
    dependencies=[WAIT_FOR_MIN_POSITION],
    summary="Report the usage of a customer",
)
def get_customer_usage(
    state: StateOf, key: Reader, customer_id: CustomerId, query: Annotated[UsageQuery, FromQuery()]
) -> UsageView:
    """Usage of one customer between two instants, in windows and groups, over all its lives. 404 when the customer was
    never known."""
    return _report(state, key, customer_id, query)


def _report(state: ApiState, key: ApiKeyRecord, customer_id: str | None, query: UsageQuery) -> UsageView:
    with reading(state, query, key.scope, customer_id, query.timezone) as asked:
        zone = query.timezone or time_zone_of(asked.snapshot, key.scope, customer_id, asked.now)
        names, columns = _groups(asked.snapshot, key.scope, query, asked.now)
        question = UsageReportQuestion(
            customer_id=customer_id,
            start=optional_bound("from", query.from_, zone_named(zone, "timezone").key),
            end=optional_bound("to", query.to, zone),
            window=query.window,
            zone=query.timezone,
            group_by=tuple(columns),
            meter=query.meter,
        )
        report = usage_report(asked.snapshot, key.scope, question, asked.now)
        return usage_document(asked.customer_or_404(report, key.scope, customer_id or ""), names, asked.now)


def _groups(snapshot: Snapshot, scope: Scope, query: UsageQuery, now: datetime) -> tuple[list[str], list[str]]:
    """Return the group names as requested, and the columns they mean.

    A group name of the meter stands for its path into `data`.
    """
    names = [name for part in query.group_by.split(",") if (name := part.strip())] if query.group_by else []
    meter = None if query.meter is None else meter_of(snapshot, scope, query.meter, now)
    of_meter = {} if meter is None else meter.group_by
    return names, [f"property:{of_meter[name]}" if name in of_meter else name for name in names]


@router.get(
    _ONE + "/current-usage",
    response_model=CurrentUsageView,
    dependencies=[WAIT_FOR_MIN_POSITION],
    summary="Show the current usage of a customer",
)
def get_current_usage(
    state: StateOf, key: Reader, customer_id: CustomerId, query: Annotated[PeriodQuery, FromQuery()]
) -> CurrentUsageView:
    """Usage in the open usage period of the customer, in its current life; with `period=budget`, in the open period of
    its budget, with `period=subscription:<id>`, in that of its subscription. 404 when the customer does not exist, 422
    when its budget has no periods, and without such an active subscription."""
    period = _period_named(query.period)
    with reading(state, query, key.scope, customer_id) as asked:
        if period == "usage":
            usage = current_usage(asked.snapshot, key.scope, customer_id, asked.now)
            return current_usage_document(asked.customer_or_404(usage, key.scope, customer_id), asked.now)
        if period == "budget":
            open_period, life = _budget_period(asked, key.scope, customer_id)
        else:
            open_period, life = _subscription_period(asked, key.scope, customer_id, period.removeprefix(_SUBSCRIPTION))
        question = UsageReportQuestion(
            customer_id=customer_id,
            start=open_period.start,
            end=open_period.end,
            group_by=("provider", "model"),
            life=life,
        )
        report = usage_report(asked.snapshot, key.scope, question, asked.now)
        found = asked.customer_or_404(report, key.scope, customer_id)
        return reported_period_document(found, open_period, asked.now)


def _budget_period(asked: Reading, scope: Scope, customer_id: str) -> tuple[Interval, int]:
    """The open period of the customer's budget, and the number of its life."""
    state = budget_state(asked.snapshot, scope, customer_id, asked.now)
    found: BudgetState = asked.customer_or_404(state, scope, customer_id)
    if found.period is None:
        raise Problem.invalid("period", "must not be 'budget' for a customer whose budget has no periods")
    return found.period, found.customer.life.number


def _subscription_period(asked: Reading, scope: Scope, customer_id: str, subscription_id: str) -> tuple[Interval, int]:
    """The open billing period of a subscription, and the number of the customer's life."""
    record = asked.snapshot.customer(scope, customer_id)
    history = None if record is None else customer_history(record, asked.now)
    existing = asked.customer_or_404(history if history is not None and history.exists else None, scope, customer_id)
    periods = subscription_periods(asked.snapshot, scope, existing.record, subscription_id, asked.now)
    found = periods.open()
    if found is None:
        raise Problem.invalid("period", "must name an active subscription of the customer")
    return found, existing.life.number


def _period_named(name: str | None) -> str:
    named = name or "usage"
    if named not in ("usage", "budget") and not named.startswith(_SUBSCRIPTION):
        raise Problem.invalid("period", "must be 'usage', 'budget', or 'subscription:' and an id")
    return named


@router.get(
    _ONE + "/past-usage",
    response_model=PastUsageView,
    dependencies=[WAIT_FOR_MIN_POSITION],
    summary="Show the past usage of a customer",
)
def get_past_usage(
    state: StateOf, key: Reader, customer_id: CustomerId, query: Annotated[PastUsageQuery, FromQuery()]
) -> PastUsageView:
    """Usage periods that have ended, newest first: usage as known at closing, as known now, and the difference. With
    `period=budget`, the periods of its budget, with `period=subscription:<id>`, those of a subscription. 404 when the
    customer does not exist, 422 when its budget has no periods."""
    named, grace = _period_named(query.period), state.engine.settings.period_grace_seconds
    subscription = named.removeprefix(_SUBSCRIPTION) if named.startswith(_SUBSCRIPTION) else None
    with reading(state, query, key.scope, customer_id) as asked:
        if named == "budget":
            _budget_period(asked, key.scope, customer_id)
        usage = past_usage(
            asked.snapshot,
            key.scope,
            customer_id,
            asked.now,
            query.periods,
            grace,
            named == "budget",
            subscription,
        )
        return past_usage_document(asked.customer_or_404(usage, key.scope, customer_id), asked.now)


@router.get(
    _ONE + "/budget",
    response_model=BudgetStateView,
    dependencies=[WAIT_FOR_MIN_POSITION],
    summary="Show the budget of a customer",
)
def get_budget_state(
    state: StateOf, key: Reader, customer_id: CustomerId, query: Annotated[AsOfQuery, FromQuery()]
) -> BudgetStateView:
    """The limits in effect and what is spent of them, in reported cost. Limits set on the customer take precedence over
    those of its tier. 404 when the customer does not exist."""
    with reading(state, query, key.scope, customer_id) as asked:
        found = budget_state(asked.snapshot, key.scope, customer_id, asked.now)
        return budget_document(asked.customer_or_404(found, key.scope, customer_id), asked.now)


@router.get(
    _ONE + "/access",
    response_model=AccessView,
    dependencies=[WAIT_FOR_MIN_POSITION],
    responses=UNKNOWN_COST_ANSWER,
    summary="Check the access of a customer",
)
def get_access(
    state: StateOf, key: Reader, customer_id: CustomerId, query: Annotated[AccessQuery, FromQuery()]
) -> AccessView | Response:
    """Whether the customer may make further requests. Refuses only customers who are blocked or over budget; an unknown
    id is allowed, as a new customer. Also 200 when refused, unless `as` names a dialect that answers otherwise. The
    answer of a dialect has a header where the decision rests on a lower bound of what is spent."""
    dialect = state.dialects.named(query.as_)
    if dialect is None:
        names = ", ".join(one.name for one in state.dialects)
        raise Problem("dialect_unknown", f"as must be one of {names}", field="as", rule="must name a dialect")
    with reading(state, query, key.scope, customer_id) as asked:
        found = access(asked.snapshot, key.scope, customer_id, asked.now, query.model)
        if query.as_of is None and query.at is None:  # a decision, and no question about an earlier one
            state.metrics.access_decided(found.decision)
        answer = dialect.answer_access(found, query.model, state.engine.settings)
        if answer is None:
            return access_document(found, asked.now)
        answer.headers.update(asked.headers() | unknown_cost_header(found.decision.cost_unknown_events))
        return answer
