"""Routes of usage: reports, current and past periods, budget state, access."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.responses import Response

from api.http.authentication import Reader
from api.http.problems import Problem, found_or_404
from api.http.reading import WAIT_FOR_MIN_POSITION, CustomerId, as_of_position, restore_plus
from api.http.state import ApiState, StateOf
from api.http.writing import optional_instant
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
from api.native.views.customers import customer_at
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
from domain.values.durations import Duration
from domain.values.identifiers import checked_id
from domain.values.periods import ANCHOR_LIMIT, ANCHOR_MIN, Interval, PeriodPolicy, period_containing, zone_named
from projections.queries.api_keys import ApiKeyRecord
from projections.queries.snapshot import Snapshot
from projections.views.as_of import snapshot_as_of
from projections.views.budget_state import access, budget_state
from projections.views.current_usage import current_usage
from projections.views.past_usage import past_usage
from projections.views.usage_report import UsageReportQuestion, usage_report

router = APIRouter(tags=["usage"])
_ONE: Final = "/v1/customers/{customer_id:segment}"
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


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
    with state.engine.reads.snapshot() as latest:
        return _report(latest, state, key, customer_id, query)


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
    with state.engine.reads.snapshot() as latest:
        return _report(latest, state, key, customer_id, query)


def _report(
    latest: Snapshot, state: ApiState, key: ApiKeyRecord, customer_id: str | None, query: UsageQuery
) -> UsageView:
    now = state.engine.now()
    snapshot = _as_of(latest, key.scope, customer_id, query, now, query.timezone)
    zone = zone_named(query.timezone or _zone_of(snapshot, key.scope, customer_id, now), "timezone").key
    names, columns = _groups(snapshot, key.scope, query, now)
    report = usage_report(
        snapshot,
        key.scope,
        UsageReportQuestion(
            customer_id=customer_id,
            start=_bound("from", query.from_, zone),
            end=_bound("to", query.to, zone),
            window=query.window,
            zone=query.timezone,
            group_by=tuple(columns),
            meter=query.meter,
        ),
        now,
    )
    return usage_document(_found(report, latest, snapshot, key.scope, customer_id or ""), names)


def _zone_of(snapshot: Snapshot, scope: Scope, customer_id: str | None, now: datetime) -> str:
    """The time zone in which a day given as `from` or `to` begins."""
    view = None if customer_id is None else customer_at(snapshot, scope, customer_id, now)
    return "UTC" if view is None else view.time_zone


def _known_at(snapshot: Snapshot, as_of: str | None, zone: str) -> int | None:
    """The log position of `as_of`: an instant, a day, which stands for its local midnight, or a position."""
    if as_of is not None and _DAY.fullmatch(as_of):
        return snapshot.position_at(local_midnight("as_of", as_of, zone))
    return as_of_position(snapshot, as_of)


def _as_of(
    latest: Snapshot, scope: Scope, customer_id: str | None, query: AsOfQuery, now: datetime, zone: str | None = None
) -> Snapshot:
    """The snapshot that a question is answered from; a day is one in `zone`, by default the customer's."""
    if query.as_of is None:
        return latest
    if zone is None:
        zone = _zone_of(latest, scope, customer_id, now)
    return snapshot_as_of(latest, _known_at(latest, query.as_of, zone_named(zone, "timezone").key))


def _found(answer: Any, latest: Snapshot, snapshot: Snapshot, scope: Scope, customer_id: str) -> Any:
    """Return an answer from `snapshot`; 404 when there is none, which says whether the customer became known later."""
    unknown_then = answer is None and snapshot.customer(scope, customer_id) is None
    if unknown_then and latest.customer(scope, customer_id) is not None:
        raise Problem("not_found", f"customer {customer_id!r} was not yet known then")
    return found_or_404(answer, "customer", customer_id)


def _bound(field: str, text: str | None, zone: str) -> datetime | None:
    """Parse an instant, or a day, which stands for its local midnight."""
    if text is not None and _DAY.fullmatch(text):
        return local_midnight(field, text, zone)
    return None if text is None else optional_instant(field, restore_plus(text))


def local_midnight(field: str, day: str, zone: str) -> datetime:
    """The start of a day in a time zone; its first instant where midnight was skipped. Days have the range of instants
    in fields, so that the arithmetic of periods cannot leave the calendar."""
    try:
        noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=zone_named(zone, "timezone"))
    except ValueError:
        raise Problem.invalid(field, "must be an RFC 3339 instant or a day that exists") from None
    if not ANCHOR_MIN.year <= noon.year < ANCHOR_LIMIT.year:
        raise Problem.invalid(field, f"must be between {ANCHOR_MIN.year} and {ANCHOR_LIMIT.year}")
    return period_containing(PeriodPolicy(Duration(1, "d"), "calendar", zone_named(zone)), noon.astimezone(UTC)).start


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
    its budget. 404 when the customer does not exist, 422 when its budget has no periods."""
    period, now = _period_named(query.period), state.engine.now()
    with state.engine.reads.snapshot() as latest:
        snapshot = _as_of(latest, key.scope, customer_id, query, now)
        if period == "usage":
            usage = current_usage(snapshot, key.scope, customer_id, now)
            return current_usage_document(_found(usage, latest, snapshot, key.scope, customer_id))
        open_period, life = _budget_period(latest, snapshot, key.scope, customer_id, now)
        question = UsageReportQuestion(
            customer_id=customer_id,
            start=open_period.start,
            end=open_period.end,
            group_by=("provider", "model"),
            life=life,
        )
        report = found_or_404(usage_report(snapshot, key.scope, question, now), "customer", customer_id)
        return reported_period_document(report, open_period)


def _budget_period(
    latest: Snapshot, snapshot: Snapshot, scope: Scope, customer_id: str, now: datetime
) -> tuple[Interval, int]:
    """The open period of the customer's budget, and the number of its life."""
    found = _found(budget_state(snapshot, scope, customer_id, now), latest, snapshot, scope, customer_id)
    if found.period is None:
        raise Problem.invalid("period", "must not be 'budget' for a customer whose budget has no periods")
    return found.period, found.customer.life.number


def _period_named(name: str | None) -> str:
    if name not in (None, "usage", "budget"):
        raise Problem.invalid("period", "must be 'usage' or 'budget'")
    return name or "usage"


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
    `period=budget`, the periods of its budget. 404 when the customer does not exist, 422 when its budget has no
    periods."""
    period, now, grace = _period_named(query.period), state.engine.now(), state.engine.settings.period_grace_seconds
    with state.engine.reads.snapshot() as latest:
        snapshot = _as_of(latest, key.scope, customer_id, query, now)
        if period == "budget":
            _budget_period(latest, snapshot, key.scope, customer_id, now)
        usage = past_usage(snapshot, key.scope, customer_id, now, query.periods, grace, period == "budget")
        return past_usage_document(_found(usage, latest, snapshot, key.scope, customer_id))


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
    now = state.engine.now()
    with state.engine.reads.snapshot() as latest:
        snapshot = _as_of(latest, key.scope, customer_id, query, now)
        found = budget_state(snapshot, key.scope, customer_id, now)
        return budget_document(_found(found, latest, snapshot, key.scope, customer_id))


@router.get(
    _ONE + "/access",
    response_model=AccessView,
    dependencies=[WAIT_FOR_MIN_POSITION],
    summary="Check the access of a customer",
)
def get_access(
    state: StateOf, key: Reader, customer_id: CustomerId, query: Annotated[AccessQuery, FromQuery()]
) -> AccessView | Response:
    """Whether the customer may make further requests. Refuses only customers who are blocked or over budget; an unknown
    id is allowed, as a new customer. Also 200 when refused, unless `as` names a dialect that answers otherwise."""
    dialect = state.dialects.named(query.as_)
    if dialect is None:
        names = ", ".join(one.name for one in state.dialects)
        raise Problem("dialect_unknown", f"as must be one of {names}", field="as", rule="must name a dialect")
    with state.engine.reads.snapshot() as snapshot:
        found = access(snapshot, key.scope, customer_id, state.engine.now(), query.model)
    state.metrics.access_decided(found.decision)
    answer = dialect.answer_access(found, query.model, state.engine.settings)
    return access_document(found) if answer is None else answer
