"""Routes of the usage of customers: of the open period of a subscription, and of those that have ended."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.dialects.lago.customers_then import existing_customer
from api.dialects.lago.definitions.asked_usage import AskedUsage, asked_usage
from api.dialects.lago.definitions.metrics import metrics_by_code
from api.dialects.lago.error_shapes import MANDATORY, not_allowed, not_found, validation_refusal
from api.dialects.lago.models.usage import CustomerUsageAnswer, PastUsagePage
from api.dialects.lago.paging import PAGE_PARAMETERS, Page, PageAsked, positive_number
from api.dialects.lago.readings.usage import known_metrics, period_usage
from api.dialects.lago.routes.customers import ONE_CUSTOMER, ExternalCustomerId
from api.http.authentication import Reader
from api.http.folded_answers import json_response
from api.http.headers.unknown_cost import UNKNOWN_COST_ANSWER
from api.http.reading import AS_OF_HEADERS, AskedByHeaders, Reading, reading, time_zone_of
from api.http.state import StateOf
from domain.errors import NotFound
from domain.scope import Scope
from domain.values.periods import zone_named
from projections.views.charging.charges import SubscriptionCharges, customer_charges, ended_charges

router = APIRouter(tags=["customer_usage"])
_SUBSCRIPTION: Final = "external_subscription_id"
#: Periods in one answer, at most: each is measured.
PERIODS_MAX: Final = 100


def _parameters(*named: tuple[str, str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "required": name == _SUBSCRIPTION, "schema": {"type": kind}}
        for name, kind in ((_SUBSCRIPTION, "string"), *named)
    ]


_CURRENT: Final = _parameters(
    ("charge_id", "string"),
    ("charge_code", "string"),
    ("billable_metric_code", "string"),
    ("group", "object"),
    ("apply_taxes", "boolean"),
    ("full_usage", "boolean"),
)
_PAST: Final = _parameters(("billable_metric_code", "string"), ("periods_count", "integer"))


@router.get(
    f"{ONE_CUSTOMER}/current_usage",
    response_model=CustomerUsageAnswer,
    responses=UNKNOWN_COST_ANSWER,
    openapi_extra={"parameters": [*_CURRENT, *AS_OF_HEADERS]},
    summary="Show the current usage of a customer",
)
def find_customer_current_usage(
    request: Request, state: StateOf, key: Reader, external_customer_id: ExternalCustomerId, known: AskedByHeaders
) -> Response:
    """What a subscription has used in its open billing period, and what that costs by the plan as it is, without
    minimums and without the fee of the plan. 404 without the customer, 405 without an active subscription."""
    query = request.query_params
    asked_for = asked_usage(query)
    with reading(state, known, key.scope, external_customer_id) as asked:
        existing_customer(asked, key.scope, external_customer_id)
        grace = state.engine.settings.period_grace_seconds
        charges = _open_charges(asked, key.scope, external_customer_id, query.get(_SUBSCRIPTION), grace)
        if charges is None or charges.plan is None:
            raise not_allowed("no_active_subscription")
        if query.get("full_usage", "").lower() in ("true", "1"):
            raise not_allowed("full_usage_not_allowed")
        metrics = known_metrics(asked.snapshot, key.scope, [charges])
        found = period_usage(key.scope, charges, charges.plan, metrics, asked_for, asked.now)
        if not asked_for.is_all and not found.charges:
            raise not_found("charge")
        zone = zone_named(time_zone_of(asked.snapshot, key.scope, external_customer_id, asked.now))
        body = {"customer_usage": found.shown(zone, found.charges)}
        return json_response(body, asked, cost_unknown_events=found.cost_unknown_events)


@router.get(
    f"{ONE_CUSTOMER}/past_usage",
    response_model=PastUsagePage,
    responses=UNKNOWN_COST_ANSWER,
    openapi_extra={"parameters": [*PAGE_PARAMETERS, *_PAST, *AS_OF_HEADERS]},
    summary="List the past usage of a customer",
)
def find_all_customer_past_usage(
    request: Request,
    state: StateOf,
    key: Reader,
    external_customer_id: ExternalCustomerId,
    page: PageAsked,
    known: AskedByHeaders,
) -> Response:
    """What a subscription used in billing periods that have ended, the last one first, and what that costs as known
    now. A period is there the moment it ends, and nothing of an unknown subscription. Charges without usage are left
    out. 404 without the customer or the metric."""
    query = request.query_params
    subscription_id, metric_code = query.get(_SUBSCRIPTION), query.get("billable_metric_code") or None
    if not subscription_id:
        raise validation_refusal({_SUBSCRIPTION: [MANDATORY]})
    per_page = positive_number(query.get("periods_count"), page.per_page, PERIODS_MAX)
    page = Page(page.number, min(per_page, PERIODS_MAX))
    with reading(state, known, key.scope, external_customer_id) as asked:
        customer = existing_customer(asked, key.scope, external_customer_id)
        if metric_code is not None and not metrics_by_code(asked.snapshot, key.scope, [metric_code], asked.now):
            raise not_found("billable_metric")
        ended = ended_charges(
            asked.snapshot,
            key.scope,
            external_customer_id,
            subscription_id,
            asked.now,
            page.offset,
            page.per_page,
            since=customer.span.start,
        )
        metrics = known_metrics(asked.snapshot, key.scope, ended.periods)
        zone = zone_named(time_zone_of(asked.snapshot, key.scope, external_customer_id, asked.now))
        periods, unknown = [], 0
        for one in ended.periods:
            if one.plan is None:
                continue
            found = period_usage(key.scope, one, one.plan, metrics, AskedUsage(), asked.now)
            used = [each for each in found.charges if each.amount.events or each.amount_cents]
            shown = found.shown(zone, [each for each in used if metric_code in (None, each.metric.code)])
            periods.append({**shown, "customer_usage": shown})
            unknown += found.cost_unknown_events
        return json_response(
            {"usage_periods": periods, "meta": page.meta(ended.total)}, asked, cost_unknown_events=unknown
        )


def _open_charges(
    asked: Reading, scope: Scope, customer_id: str, subscription_id: str | None, grace: int
) -> SubscriptionCharges | None:
    """The charges of the open period of a subscription; None when it is not active, or no subscription is named."""
    if not subscription_id:
        return None
    try:
        found = customer_charges(asked.snapshot, scope, customer_id, asked.now, asked.now, grace, subscription_id)
    except NotFound:
        return None
    return next(iter(found.subscriptions), None) if found is not None else None
