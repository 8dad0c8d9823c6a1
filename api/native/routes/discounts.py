"""Routes of discounts: percent off the prices of a tenant, or of one of its customers."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from api.http.authentication import Administrator, Reader
from api.http.bodies import body_of, body_openapi
from api.http.paging import cursor_number, page, rows_to_read
from api.http.reading import WAIT_FOR_MIN_POSITION, reading
from api.http.state import StateOf
from api.http.writing import ACCEPTED, ReasonGiven, answer_command, optional_instant, provenance_of
from api.native.models.discounts import DiscountGiven, DiscountPage, DiscountQuery, DiscountSetView, DiscountView
from api.native.views.discounts import discount_view
from api.native.views.repricings import effect_view
from domain.prices.commands import SetDiscount
from domain.repricings.repricing_range import RepricingRange
from domain.scope import Scope
from domain.values.money import discount_percentage
from projections.queries.prices import ANY_OWNER, Owners
from projections.queries.snapshot import PAGE_ROWS_MAX, Snapshot

router = APIRouter(tags=["prices"])
_LIST: Final = "discounts"


@router.get(
    "/v1/discounts", response_model=DiscountPage, dependencies=[WAIT_FOR_MIN_POSITION], summary="List discounts"
)
def list_discounts(state: StateOf, key: Reader, query: Annotated[DiscountQuery, FromQuery()]) -> DiscountPage:
    """The discounts of the tenant and of its customers, in the order in which they were set, those that were replaced
    or that ended with a customer among them."""
    after = cursor_number(_LIST, query.cursor) or 0
    with reading(state, query, key.scope) as asked:
        owners = ANY_OWNER if query.customer is None else Owners(query.customer)
        rows = asked.snapshot.discounts(key.scope, after, rows_to_read(query.limit), owners)
        shown, next_cursor = page(rows, query.limit, _LIST, lambda row: row.position)
        return DiscountPage(
            position=asked.position,
            now=asked.now,
            data=[discount_view(discount) for discount in shown],
            next_cursor=next_cursor,
        )


@router.post(
    "/v1/discounts",
    response_model=DiscountSetView,
    status_code=201,
    responses=ACCEPTED,
    openapi_extra=body_openapi(DiscountGiven),
    summary="Set a discount",
)
async def set_discount(
    request: Request,
    state: StateOf,
    key: Administrator,
    given: Annotated[DiscountGiven, Depends(body_of(DiscountGiven))],
    reason: ReasonGiven,
) -> Response:
    """Set the tenant's discount for events from `effective_from` on, or with `customer` that of a customer: percent off
    what the next price in the order of prices gives, which is the tenant's for a customer, and the list price for the
    tenant. Costs that were given with events, and those that events have, stay: `repricing` tells what a re-pricing
    would change of the latter. A discount of 0 ends an own price of
    the same model. A customer's discount ends when the customer is deleted."""
    since = optional_instant("effective_from", given.effective_from)
    command = SetDiscount(
        key.scope,
        provenance_of(key, reason),
        discount_percentage(given.percentage),
        since,
        given.provider,
        given.model,
        customer_id=given.customer,
    )

    models = () if given.model is None else (given.model,)
    customers = () if given.customer is None else (given.customer,)
    priced = RepricingRange(models, (given.provider or "") if models else None, customers, since)

    def show(snapshot: Snapshot) -> DiscountSetView | None:
        view = _standing(snapshot, key.scope, command)
        if view is None:
            return None
        return DiscountSetView(**dict(view), repricing=effect_view(snapshot, key.scope, priced))

    return await answer_command(request, state, command, show, 201, _shown_field)


def _shown_field(field: str) -> str:
    return "customer" if field == "customer_id" else field


def _standing(snapshot: Snapshot, scope: Scope, command: SetDiscount) -> DiscountView | None:
    """The discount of the same owner and model that was set last for the same effective instant."""
    provider = (command.provider or "") if command.model is not None else None
    wanted = (provider, command.model, command.effective_from)
    found, after = None, 0
    owners = Owners(command.customer_id, customers_too=False)
    while rows := snapshot.discounts(scope, after, PAGE_ROWS_MAX, owners):
        for discount in rows:
            if (discount.provider, discount.model, discount.effective_from) == wanted:
                found = discount
        after = rows[-1].position
    return None if found is None else discount_view(found)
