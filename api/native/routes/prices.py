"""Routes of prices: list prices, a tenant's own, and those of its customers; the last ones take precedence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from api.http.authentication import Administrator, Operator, Reader
from api.http.bodies import body_of, body_openapi
from api.http.paging import CURSOR_NUMBER_MAX, cursor_values, page, rows_to_read
from api.http.reading import WAIT_FOR_MIN_POSITION, reading
from api.http.state import StateOf
from api.http.writing import ACCEPTED, ReasonGiven, answer_command, optional_instant, provenance_of
from api.native.models.prices import (
    PriceGiven,
    PricePage,
    PriceQuery,
    PriceSetView,
    PriceView,
    RateGiven,
    RefreshGiven,
    RefreshView,
    UnitPricesGiven,
)
from api.native.views.prices import change_view, price_view
from api.native.views.repricings import effect_view
from consumers.prices.library import PRICE_LIBRARY
from domain.prices.commands import SetPrice
from domain.prices.own_price import OwnPrice
from domain.prices.price_list import Rates, RateTier, UnitRate, VariantRule
from domain.prices.schedule import PriceTier, UnitPrices
from domain.repricings.repricing_range import RepricingRange
from domain.scope import Scope
from domain.values.money import unit_price
from projections.queries.prices import ANY_OWNER, Owners, PriceCursor, PriceRecord
from projections.queries.snapshot import PAGE_ROWS_MAX, Snapshot

router = APIRouter(tags=["prices"])
_LIST: Final = "prices"
#: A log position, behind which the next page begins, or a place between prices at one position.
_CURSOR: Final[Any] = Annotated[int, msgspec.Meta(ge=0, lt=CURSOR_NUMBER_MAX)] | PriceCursor


@router.get("/v1/prices", response_model=PricePage, dependencies=[WAIT_FOR_MIN_POSITION], summary="List prices")
def list_prices(state: StateOf, key: Reader, query: Annotated[PriceQuery, FromQuery()]) -> PricePage:
    """The tenant's own prices, those of its customers, and the list prices of the models that its usage met, in the
    order in which it came to know them. Of several with the same `effective_from` the last one holds."""
    after = _place(cursor_values(_LIST, query.cursor, _CURSOR))
    with reading(state, query, key.scope) as asked:
        owners = ANY_OWNER if query.customer is None else Owners(query.customer)
        rows = asked.snapshot.prices(key.scope, query.provider, query.model, after, rows_to_read(query.limit), owners)
        shown, next_cursor = page(rows, query.limit, _LIST, lambda _: _cursor(rows, query.limit, after))
        return PricePage(
            position=asked.position,
            now=asked.now,
            data=[price_view(price) for price in shown],
            next_cursor=next_cursor,
        )


def _place(cursor: int | PriceCursor | None) -> PriceCursor | None:
    return PriceCursor(cursor + 1, 0) if isinstance(cursor, int) else cursor


def _cursor(rows: Sequence[PriceRecord], limit: int, after: PriceCursor | None) -> int | PriceCursor:
    """The cursor behind the first `limit` of these rows, which follow the place `after`."""
    shown, behind = rows[:limit], rows[limit:]
    if behind and behind[0].position > shown[-1].position:
        return shown[-1].position
    return _place_behind(shown, after)


def _place_behind(rows: Sequence[PriceRecord], after: PriceCursor | None) -> PriceCursor:
    """The place behind the last of these rows, which follow the place `after`."""
    position = rows[-1].position
    here = sum(price.position == position for price in rows)
    return PriceCursor(position, here + (after.rows if after is not None and after.position == position else 0))


@router.post(
    "/v1/prices",
    response_model=PriceSetView,
    status_code=201,
    responses=ACCEPTED,
    openapi_extra=body_openapi(PriceGiven),
    summary="Set the price of a model",
)
async def set_price(
    request: Request,
    state: StateOf,
    key: Administrator,
    given: Annotated[PriceGiven, Depends(body_of(PriceGiven))],
    reason: ReasonGiven,
) -> Response:
    """Set the tenant's own price of a model for events from `effective_from` on, or with `customer` the price for that
    customer: of the common units in `unit_prices`, of any unit in `rates`, or both. Events of unknown cost get a cost
    by it at once; events that have a cost keep it: `repricing` tells what a re-pricing of them would change. A
    customer's price ends when the customer is deleted."""
    price = _price_of(given)
    by = provenance_of(key, reason)
    command = SetPrice(key.scope, by, given.provider, given.model, price, customer_id=given.customer)

    customers = () if given.customer is None else (given.customer,)
    priced = RepricingRange((given.model,), given.provider, customers, price.effective_from)

    def show(snapshot: Snapshot) -> PriceSetView | None:
        view = _standing(snapshot, key.scope, given, price.effective_from)
        if view is None:
            return None
        return PriceSetView(**dict(view), repricing=effect_view(snapshot, key.scope, priced))

    return await answer_command(request, state, command, show, 201, _shown_field)


@router.post(
    "/v1/prices/refresh",
    response_model=RefreshView,
    openapi_extra=body_openapi(RefreshGiven),
    summary="Refresh list prices",
)
def refresh_prices(
    state: StateOf, key: Operator, given: Annotated[RefreshGiven, Depends(body_of(RefreshGiven))]
) -> RefreshView:
    """Look up the list prices of all models in use in the installed price library, and list those that differ. They
    hold for events that are counted from then on; events that have a cost keep it. The engine does this at its start
    and daily. Needs an admin key of default/prod."""
    found = state.engine.refresh_prices(dry_run=given.dry_run)
    return RefreshView(
        dry_run=given.dry_run,
        library=PRICE_LIBRARY,
        checked=found.checked,
        changed=found.changed,
        position=found.position,
        changes=[change_view(change) for change in found.changes],
    )


def _shown_field(field: str) -> str:
    if field == "customer_id":
        return "customer"
    return f"unit_prices.{field}" if field in UnitPricesGiven.model_fields else field


def _standing(snapshot: Snapshot, scope: Scope, given: PriceGiven, effective_from: datetime | None) -> PriceView | None:
    """The price of the same owner that was set last for this effective instant."""
    found, after = None, None
    owners = Owners(given.customer, customers_too=False)
    while rows := snapshot.prices(scope, given.provider, given.model, after, PAGE_ROWS_MAX, owners):
        for price in rows:
            if price.scope is not None and price.prices.standard[0].start == effective_from:
                found = price
        after = _place_behind(rows, after)
    return None if found is None else price_view(found)


def _price_of(given: PriceGiven) -> OwnPrice:
    tiers = tuple(
        PriceTier(tier.input_tokens_above, _prices_of(tier.unit_prices, f"tiers.{index}.unit_prices"))
        for index, tier in enumerate(given.tiers)
    )
    return OwnPrice(
        optional_instant("effective_from", given.effective_from),
        None if given.unit_prices is None else _prices_of(given.unit_prices, "unit_prices"),
        tiers,
        _rates_of(given.rates, "rates"),
        tuple(
            VariantRule(variant.when, _rates_of(variant.rates, f"variants.{index}.rates"))
            for index, variant in enumerate(given.variants)
        ),
    )


def _rates_of(given: Mapping[str, RateGiven], path: str) -> Rates:
    return {unit: _rate_of(rate, f"{path}.{unit}") for unit, rate in given.items()}


def _rate_of(given: RateGiven, path: str) -> UnitRate:
    tiers = tuple(
        RateTier(tier.input_tokens_above, unit_price(tier.price, f"{path}.tiers.{index}.price"))
        for index, tier in enumerate(given.tiers)
    )
    return UnitRate(unit_price(given.price, f"{path}.price"), tiers, given.per)


def _prices_of(given: UnitPricesGiven, path: str) -> UnitPrices:
    prices = {
        name: None if value is None else unit_price(value, f"{path}.{name}")
        for name, value in given.model_dump().items()
        if value is not None or name not in ("input", "output")
    }
    if "input" not in prices or "output" not in prices:
        missing = "input" if "input" not in prices else "output"
        unit_price("", f"{path}.{missing}")  # raises, with the rule for a price
    return UnitPrices(**prices)  # type: ignore[arg-type]
