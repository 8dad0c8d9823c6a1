"""The route of checkout URLs: pages of a payment provider on which a customer leaves its payment details."""

from __future__ import annotations

from typing import Any

from anyio import to_thread
from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from api.dialects.lago.customers_then import existing_customer
from api.dialects.lago.error_shapes import not_found, provider_limited, third_party_failure, validation_refusal
from api.dialects.lago.keys import provenance_of
from api.dialects.lago.models.checkout_urls import CheckoutUrlAnswer
from api.dialects.lago.payment_links import provider_code, wanted_url
from api.dialects.lago.routes.customers import ONE_CUSTOMER, ExternalCustomerId
from api.dialects.lago.views.customers import customer_lago_id
from api.http.authentication import Administrator
from api.http.problems import Problem
from api.http.reading import POSITION_HEADER, AskedAsOf, reading
from api.http.state import ApiState, StateOf
from consumers.payments.checkouts import Busy, CheckoutLink, NoLink, NotLinked, WantedLink
from consumers.payments.provider import ProviderRefused
from domain.errors import NotFound
from projections.queries.api_keys import ApiKeyRecord

router = APIRouter(tags=["customers"])


@router.post(
    f"{ONE_CUSTOMER}/checkout_url",
    response_model=CheckoutUrlAnswer,
    summary="Generate the URL of a page for payment details",
)
async def generate_customer_checkout_url(
    state: StateOf, key: Administrator, external_customer_id: ExternalCustomerId
) -> Response:
    """Ask the customer's payment provider for a page on which the customer leaves its payment details. A customer to be
    synchronized with the provider is created there first. 404 when the customer does not exist, 422 when it has no
    provider or the provider refuses, 503 when the provider gives no answer in time. A body is not read."""
    shown, wanted = await to_thread.run_sync(_wanted, state, key, external_customer_id)
    try:
        outcome = await state.engine.checkouts.link(wanted)
    except NotFound:  # deleted meanwhile
        raise not_found("customer") from None
    if not isinstance(outcome, CheckoutLink):
        raise _refusal(state, wanted.provider or "", outcome)
    headers = {}
    if outcome.position is not None:
        await state.fold.folded(outcome.position)
        headers[POSITION_HEADER] = str(outcome.position)
    url = {**shown, "checkout_url": outcome.url}
    # Documents of before 2024 have the members at the top, later ones have them wrapped.
    return JSONResponse({"customer": url, **url}, 200, headers)


def _wanted(state: ApiState, key: ApiKeyRecord, external_id: str) -> tuple[dict[str, Any], WantedLink]:
    with reading(state, AskedAsOf(), key.scope) as asked:
        history = existing_customer(asked, key.scope, external_id)
    success_url = state.engine.settings.checkout_success_url
    wanted = wanted_url(key.scope, history, provenance_of(key), success_url)
    code = provider_code(history)
    shown = {
        "lago_customer_id": customer_lago_id(key.scope, history),
        "external_customer_id": external_id,
        "payment_provider": wanted.provider,
        **({} if code is None else {"payment_provider_code": code}),
    }
    return shown, wanted


def _refusal(state: ApiState, provider: str, outcome: NoLink) -> Exception:
    title = state.engine.checkouts.title_of(provider)
    match outcome:
        case NotLinked():
            return validation_refusal({"base": ["no_linked_payment_provider"]})
        case Busy():
            return Problem("payment_provider_busy", "as many requests as allowed wait for the payment provider")
        case ProviderRefused(_, message):
            return third_party_failure(422, title, message)
        case _ if outcome.limited:
            return provider_limited(title, outcome.reason)
        case _:
            return third_party_failure(503, title, outcome.reason)
