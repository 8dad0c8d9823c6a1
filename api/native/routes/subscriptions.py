"""Routes of subscriptions: which plan a customer has, from when on; and of the charges that follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from api.http.authentication import Administrator, Reader
from api.http.bodies import MERGE_PATCH, body_of, body_openapi
from api.http.paging import cursor_text, cursor_values, rows_to_read
from api.http.problems import found_or_404
from api.http.query_instants import optional_bound
from api.http.reading import WAIT_FOR_MIN_POSITION, CustomerId, reading, time_zone_of
from api.http.state import ApiState, StateOf
from api.http.writing import ACCEPTED, DeletedAt, ReasonGiven, answer_command, optional_instant, provenance_of
from api.native.models.charging.subscriptions import (
    ChargesQuery,
    ChargesView,
    SubscriptionGiven,
    SubscriptionPage,
    SubscriptionPatch,
    SubscriptionsQuery,
    SubscriptionView,
)
from api.native.models.field_types import AsOfQuery
from api.native.request_fields import without_nulls
from api.native.views.plans import charges_document, subscription_document
from domain.scope import Scope
from domain.subscriptions.commands import CreateSubscription, TerminateSubscription, UpdateSubscription
from domain.values.identifiers import checked_id
from projections.queries.snapshot import Snapshot
from projections.views.charging.coupon_amounts import charges_after_coupons
from projections.views.charging.subscriptions import shown_lives, subscription_ids

router = APIRouter(tags=["subscriptions"])
_LIST: Final = "subscriptions"
_ONE: Final = "/v1/subscriptions/{subscription_id:segment}"


@router.get(
    "/v1/subscriptions",
    response_model=SubscriptionPage,
    dependencies=[WAIT_FOR_MIN_POSITION],
    summary="List subscriptions",
)
def list_subscriptions(
    state: StateOf, key: Reader, query: Annotated[SubscriptionsQuery, FromQuery()]
) -> SubscriptionPage:
    """Subscriptions of all customers or of one, ended ones included, ordered by id."""
    after = cursor_values(_LIST, query.cursor, str)
    customer_id = None if query.customer is None else checked_id("customer", query.customer)
    with reading(state, query, key.scope) as asked:
        ids = subscription_ids(asked.snapshot, key.scope, customer_id, after, rows_to_read(query.limit))
        listed = _subscriptions(asked.snapshot, key.scope, ids[: query.limit], asked.now)
        return SubscriptionPage(
            position=asked.position,
            now=asked.now,
            data=[one for one in listed if customer_id in (None, one.customer)],
            next_cursor=cursor_text(_LIST, ids[query.limit - 1]) if len(ids) > query.limit else None,
        )


@router.post(
    "/v1/subscriptions",
    response_model=SubscriptionView,
    status_code=201,
    responses=ACCEPTED,
    openapi_extra=body_openapi(SubscriptionGiven),
    summary="Subscribe a customer to a plan",
)
async def create_subscription(
    request: Request,
    state: StateOf,
    key: Administrator,
    given: Annotated[SubscriptionGiven, Depends(body_of(SubscriptionGiven))],
    reason: ReasonGiven,
) -> Response:
    """Subscribe a customer, known or not, to a plan, from `effective_at` on. 409 when the id is in use, 422 without
    such a plan."""
    effective_at = optional_instant("effective_at", given.effective_at)
    fields = without_nulls(given.model_dump(exclude_unset=True, exclude={"id", "effective_at"}))
    command = CreateSubscription(key.scope, provenance_of(key, reason), given.id, fields, effective_at=effective_at)
    return await answer_command(request, state, command, _show(state, key.scope, given.id), 201)


@router.get(_ONE, response_model=SubscriptionView, dependencies=[WAIT_FOR_MIN_POSITION], summary="Show a subscription")
def get_subscription(
    state: StateOf, key: Reader, subscription_id: str, query: Annotated[AsOfQuery, FromQuery()]
) -> SubscriptionView:
    """Show a subscription, an ended one too. 404 when there never was one with this id."""
    with reading(state, query, key.scope) as asked:
        found = _subscriptions(asked.snapshot, key.scope, [subscription_id], asked.now)
        view: SubscriptionView = found_or_404(next(iter(found), None), "subscription", subscription_id)
        return view


@router.patch(
    _ONE,
    response_model=SubscriptionView,
    responses=ACCEPTED,
    openapi_extra=body_openapi(SubscriptionPatch, MERGE_PATCH),
    summary="Change a subscription",
)
async def change_subscription(
    request: Request,
    state: StateOf,
    key: Administrator,
    subscription_id: str,
    patch: Annotated[SubscriptionPatch, Depends(body_of(SubscriptionPatch, MERGE_PATCH))],
    reason: ReasonGiven,
) -> Response:
    """A merge patch of name, plan and end. A change of plan ends the period, now or at `effective_at`, and begins one.
    404 when there is no such subscription, 422 without such a plan."""
    changes = patch.model_dump(exclude_unset=True, exclude={"effective_at"})
    effective_at = optional_instant("effective_at", patch.effective_at)
    command = UpdateSubscription(
        key.scope, provenance_of(key, reason), subscription_id, changes, effective_at=effective_at
    )
    return await answer_command(request, state, command, _show(state, key.scope, subscription_id))


@router.delete(_ONE, status_code=204, responses=ACCEPTED, summary="Terminate a subscription")
async def terminate_subscription(
    request: Request,
    state: StateOf,
    key: Administrator,
    subscription_id: str,
    reason: ReasonGiven,
    effective_at: DeletedAt,
) -> Response:
    """End a subscription, now or at a past `effective_at`; `ends_at` of a change ends it in the future. What it cost
    stays, and its id may be used again. 404 when there is no such subscription."""
    command = TerminateSubscription(key.scope, provenance_of(key, reason), subscription_id, effective_at=effective_at)
    return await answer_command(request, state, command)


@router.get(
    "/v1/customers/{customer_id:segment}/charges",
    response_model=ChargesView,
    dependencies=[WAIT_FOR_MIN_POSITION],
    summary="Show the charges of a customer",
)
def get_charges(
    state: StateOf, key: Reader, customer_id: CustomerId, query: Annotated[ChargesQuery, FromQuery()]
) -> ChargesView:
    """What usage costs a customer by its plans, in the open billing periods or in those that contain `period`, and what
    its coupons take off. 404 when the customer was never known, or never had the subscription."""
    with reading(state, query, key.scope, customer_id) as asked:
        zone = time_zone_of(asked.snapshot, key.scope, customer_id, asked.now)
        at = optional_bound("period", query.period, zone) or asked.now
        grace = state.engine.settings.period_grace_seconds
        found = charges_after_coupons(asked.snapshot, key.scope, customer_id, asked.now, at, grace, query.subscription)
        return charges_document(asked.customer_or_404(found, key.scope, customer_id), asked.now, zone)


def _subscriptions(snapshot: Snapshot, scope: Scope, ids: Sequence[str], now: datetime) -> list[SubscriptionView]:
    position = snapshot.point().position
    return [subscription_document(life, position, now) for life in shown_lives(snapshot, scope, ids, now)]


def _show(state: ApiState, scope: Scope, subscription_id: str) -> Callable[[Snapshot], SubscriptionView | None]:
    return lambda snapshot: next(iter(_subscriptions(snapshot, scope, [subscription_id], state.engine.now())), None)
