"""Routes of subscriptions: create, change plan, list, find, update, terminate."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from api.dialects.lago.customers_then import customer_then, existing_customer
from api.dialects.lago.definitions.metrics import metrics_by_code
from api.dialects.lago.definitions.subscribing import (
    SHOWN_FIELDS,
    check_end,
    commands_to_subscribe,
    stored_fields,
)
from api.dialects.lago.definitions.terms import (
    ACTIVE,
    PENDING,
    TERMINATED,
    AskedTerms,
    SubscriptionTerm,
    found_by_status,
    last_life,
    listed_terms,
    terms_named,
)
from api.dialects.lago.error_shapes import ALREADY_EXISTS, INVALID, not_found, validation_refusal
from api.dialects.lago.formats import shown_instant
from api.dialects.lago.keys import provenance_of
from api.dialects.lago.models.subscriptions import (
    SubscriptionAnswer,
    SubscriptionExtendedAnswer,
    SubscriptionInput,
    SubscriptionPatch,
    SubscriptionsPage,
)
from api.dialects.lago.paging import PAGE_PARAMETERS, Page, PageAsked
from api.dialects.lago.paths import BASE
from api.dialects.lago.readings.counts import Counts
from api.dialects.lago.readings.subscriptions import around_terms
from api.dialects.lago.request_reading import wrapped_body, wrapped_openapi
from api.dialects.lago.routes.customers import ONE_CUSTOMER, ExternalCustomerId
from api.dialects.lago.views.customers import BILLING_ENTITY_DEFAULT
from api.dialects.lago.views.plans import plan_object
from api.dialects.lago.views.subscriptions import subscription_object
from api.dialects.lago.writing import answer_command, decided_again
from api.http.authentication import Administrator, Reader
from api.http.folded_answers import json_response
from api.http.middleware.raw_paths import SEGMENTS
from api.http.reading import AS_OF_HEADERS, AskedAsOf, AskedByHeaders, Reading, reading
from api.http.state import ApiState, StateOf
from api.http.writing import renaming_fields
from consumers.commands.handler import CommandResult
from domain.command import Command
from domain.customers.commands import CreateCustomer
from domain.errors import AlreadyExists, NotFound
from domain.scope import Scope
from domain.subscriptions.commands import TerminateSubscription, UpdateSubscription
from projections.views.charging.plans import plan_view

router = APIRouter(tags=["subscriptions"])
_ALL: Final = f"{BASE}/subscriptions"
#: Its id may have slashes and dots that are not escaped.
_ONE: Final = f"{_ALL}/{{external_id:{SEGMENTS}}}"
_NAME: Final = "subscription"
_STATUS: Final[list[dict[str, Any]]] = [
    {
        "name": "status",
        "in": "query",
        "required": False,
        "description": "By default active.",
        "schema": {"type": "string"},
    }
]
_FILTERS: Final[list[dict[str, Any]]] = [
    {"name": name, "in": "query", "required": False, "schema": schema}
    for name, schema in (
        ("plan_code", {"type": "string"}),
        ("status[]", {"type": "array", "items": {"type": "string"}}),
        ("currency", {"type": "string"}),
        ("billing_entity_codes[]", {"type": "array", "items": {"type": "string"}}),
    )
]
_CUSTOMER: Final = {"name": "external_customer_id", "in": "query", "required": False, "schema": {"type": "string"}}


async def _status(request: Request) -> str:
    return request.query_params.get("status") or ACTIVE


StatusAsked = Annotated[str, Depends(_status)]


@router.post(
    _ALL,
    response_model=SubscriptionExtendedAnswer,
    openapi_extra=wrapped_openapi(_NAME, SubscriptionInput),
    summary="Create a subscription, or change its plan",
)
async def create_subscription(
    state: StateOf,
    key: Administrator,
    given: Annotated[SubscriptionInput, Depends(wrapped_body(_NAME, SubscriptionInput))],
) -> Response:
    """Subscribe a customer, which is created if it is unknown. With an `external_id` that the customer has: another
    plan takes effect at once when it does not cost less in a year, else when the current period ends; the same plan
    changes nothing. 404 without such a plan, 422 when another customer has the `external_id`."""

    def subscribe() -> Sequence[CommandResult[Any]]:
        try:
            return decided_again(state, subscribe_once)
        except AlreadyExists:
            raise validation_refusal({"external_id": [ALREADY_EXISTS]}) from None

    def subscribe_once() -> Sequence[CommandResult[Any]]:
        with reading(state, AskedAsOf(), key.scope) as asked:
            commands = commands_to_subscribe(asked, key.scope, provenance_of(key), given)
            ended = terms_named(asked.snapshot, key.scope, given.external_id)
            is_known = customer_then(asked, key.scope, given.external_customer_id) is not None
        if not is_known:
            _create_customer(state, CreateCustomer(key.scope, provenance_of(key), given.external_customer_id, {}))
        try:
            return _handled(state, commands)
        except AlreadyExists:
            if not ended or last_life(ended, state.engine.now()):
                raise
        # The deletion of its customer has ended it, which the subscription itself was not told.
        end = TerminateSubscription(key.scope, provenance_of(key), given.external_id, effective_at=ended[-1].life.end)
        return _handled(state, [end, *commands])

    def show(asked: Reading) -> dict[str, Any]:
        life = last_life(terms_named(asked.snapshot, key.scope, given.external_id), asked.now)
        shown = found_by_status(life, ACTIVE, asked.now) or found_by_status(life, PENDING, asked.now)
        return _extended(asked, key.scope, shown)

    return await answer_command(state, key, subscribe, show)


@router.get(
    _ALL,
    response_model=SubscriptionsPage,
    openapi_extra={"parameters": [*PAGE_PARAMETERS, _CUSTOMER, *_FILTERS, *AS_OF_HEADERS]},
    summary="List subscriptions",
)
def find_all_subscriptions(
    request: Request, state: StateOf, key: Reader, page: PageAsked, known: AskedByHeaders
) -> Response:
    """List subscriptions, active ones by default, the last created first. Without a customer all subscriptions are
    looked at."""
    return _list(request, state, key.scope, page, known, request.query_params.get("external_customer_id"))


@router.get(
    f"{ONE_CUSTOMER}/subscriptions",
    response_model=SubscriptionsPage,
    openapi_extra={"parameters": [*PAGE_PARAMETERS, *_FILTERS, *AS_OF_HEADERS]},
    summary="List the subscriptions of a customer",
)
def find_all_customer_subscriptions(
    request: Request,
    state: StateOf,
    key: Reader,
    external_customer_id: ExternalCustomerId,
    page: PageAsked,
    known: AskedByHeaders,
) -> Response:
    """List the subscriptions of a customer, active ones by default, the last created first. 404 for an unknown one."""
    with reading(state, known, key.scope) as asked:
        existing_customer(asked, key.scope, external_customer_id)
    return _list(request, state, key.scope, page, known, external_customer_id)


@router.get(
    _ONE,
    response_model=SubscriptionExtendedAnswer,
    openapi_extra={"parameters": [*_STATUS, *AS_OF_HEADERS]},
    summary="Find a subscription",
)
def find_subscription(
    state: StateOf, key: Reader, external_id: str, status: StatusAsked, known: AskedByHeaders
) -> Response:
    """Show a subscription, an active one unless `status` asks for another. 404 when there is none."""
    with reading(state, known, key.scope) as asked:
        found = _existing(asked, key.scope, external_id, status)
        return json_response(_extended(asked, key.scope, found), asked)


@router.put(
    _ONE,
    response_model=SubscriptionExtendedAnswer,
    openapi_extra={"parameters": _STATUS, **wrapped_openapi(_NAME, SubscriptionPatch)},
    summary="Update a subscription",
)
async def update_subscription(
    state: StateOf,
    key: Administrator,
    external_id: str,
    status: StatusAsked,
    given: Annotated[SubscriptionPatch, Depends(wrapped_body(_NAME, SubscriptionPatch))],
) -> Response:
    """Change the name, the end and what the engine only keeps; null clears. Its start cannot change. 404 when there is
    none with the status."""

    def change() -> Sequence[CommandResult[Any]]:
        with reading(state, AskedAsOf(), key.scope) as asked:
            life = _existing(asked, key.scope, external_id, status).life
            now = asked.now
        check_end(given.ending_at, life.start, now)
        if given.subscription_at is not None and _whole(given.subscription_at) != _whole(life.start):
            raise validation_refusal({"subscription_at": [INVALID]})
        kept = dict(life.dialect_fields)
        changes = stored_fields(given, kept)
        read = {"dialect_fields": kept}
        at = life.start if now < life.start else None
        return _handled(
            state, [UpdateSubscription(key.scope, provenance_of(key), external_id, changes, read, effective_at=at)]
        )

    def show(asked: Reading) -> dict[str, Any]:
        return _extended(asked, key.scope, _existing(asked, key.scope, external_id, status))

    return await answer_command(state, key, lambda: decided_again(state, change), show)


@router.delete(
    _ONE, response_model=SubscriptionAnswer, openapi_extra={"parameters": _STATUS}, summary="Terminate a subscription"
)
async def destroy_subscription(state: StateOf, key: Administrator, external_id: str, status: StatusAsked) -> Response:
    """End an active subscription now. With `status=pending` one that has not begun is cancelled, or a change of plan
    that lies ahead. 404 when there is none with the status."""
    before: list[dict[str, Any]] = []

    def end() -> Sequence[CommandResult[Any]]:
        with reading(state, AskedAsOf(), key.scope) as asked:
            found = _existing(asked, key.scope, external_id, status)
            if status not in (ACTIVE, PENDING):
                raise not_found(_NAME)
            before.append(_object(asked, key.scope, found, asked.now if status == PENDING else None))
        if status == PENDING and found.previous is not None:
            plan, at = {"plan": found.previous.plan}, found.term.start
            return _handled(
                state, [UpdateSubscription(key.scope, provenance_of(key), external_id, plan, effective_at=at)]
            )
        return _handled(state, [TerminateSubscription(key.scope, provenance_of(key), external_id)])

    def show(asked: Reading) -> dict[str, Any]:
        terms = terms_named(asked.snapshot, key.scope, external_id)
        found = None if status == PENDING else found_by_status(terms, TERMINATED, asked.now)
        if found is not None:
            return {_NAME: _object(asked, key.scope, found)}
        # Of what was cancelled, or ended the moment it began, nothing is left.
        ended = {} if status == PENDING else {"status": TERMINATED, "terminated_at": shown_instant(asked.now)}
        return {_NAME: before[0] | ended}

    return await answer_command(state, key, end, show)


def _list(
    request: Request, state: ApiState, scope: Scope, page: Page, known: AskedAsOf, customer_id: str | None
) -> Response:
    query = request.query_params
    statuses = set(query.getlist("status[]")) or {ACTIVE}
    with reading(state, known, scope) as asked:
        wanted = AskedTerms(customer_id, _plans(asked, scope, query), statuses)
        total, shown = listed_terms(asked.snapshot, scope, wanted, asked.now, page.offset, page.per_page)
        around = around_terms(asked, scope, shown)
        listed = [subscription_object(scope, one, beside, asked.now) for one, beside in zip(shown, around, strict=True)]
        return json_response({"subscriptions": listed, "meta": page.meta(total)}, asked)


def _plans(asked: Reading, scope: Scope, query: QueryParams) -> Collection[str] | None:
    """The plans that a list asks for by code or currency; None for all. There is one billing entity, the default."""
    code, currency = query.get("plan_code"), query.get("currency")
    if BILLING_ENTITY_DEFAULT not in (query.getlist("billing_entity_codes[]") or [BILLING_ENTITY_DEFAULT]):
        return ()
    if currency is None:
        return None if code is None else (code,)
    plans = asked.snapshot.all_facts(scope, "plan")
    views = (plan_view(name, facts, asked.now, reaching_back=True) for name, facts in plans)
    return {one.code for one in views if one is not None and one.currency == currency and code in (None, one.code)}


def _existing(asked: Reading, scope: Scope, external_id: str, status: str) -> SubscriptionTerm:
    """The object of an external id with a status; 404 `subscription_not_found` when there is none."""
    found = found_by_status(terms_named(asked.snapshot, scope, external_id), status, asked.now)
    if found is None:
        raise not_found(_NAME)
    return found


def _object(asked: Reading, scope: Scope, one: SubscriptionTerm, canceled_at: datetime | None = None) -> dict[str, Any]:
    (around,) = around_terms(asked, scope, [one])
    return subscription_object(scope, one, around, asked.now, canceled_at)


def _extended(asked: Reading, scope: Scope, one: SubscriptionTerm | None) -> dict[str, Any]:
    """A subscription with its plan; 404 when it has ended meanwhile."""
    if one is None:
        raise not_found(_NAME)
    (around,) = around_terms(asked, scope, [one])
    shown = subscription_object(scope, one, around, asked.now)
    if around.plan is None:
        return {_NAME: shown}
    metrics = metrics_by_code(asked.snapshot, scope, (charge.meter for charge in around.plan.charges), asked.now)
    counts = Counts(asked, scope).of_plan(around.plan.code)
    return {_NAME: {**shown, "plan": plan_object(scope, around.plan, metrics) | counts}}


def _create_customer(state: ApiState, command: CreateCustomer) -> None:
    try:
        with renaming_fields(lambda field: "external_customer_id"):
            state.engine.commands.handle(command)
    except AlreadyExists:  # by another request since
        return


def _handled(state: ApiState, commands: Sequence[Command[Any]]) -> Sequence[CommandResult[Any]]:
    handle: Callable[[Command[Any]], CommandResult[Any]] = state.engine.commands.handle
    try:
        with renaming_fields(_shown_field):
            return [handle(command) for command in commands]
    except NotFound:
        raise not_found(_NAME) from None


def _shown_field(field: str) -> str:
    return SHOWN_FIELDS.get(field, field)


def _whole(instant: datetime) -> datetime:
    return instant.replace(microsecond=0)
