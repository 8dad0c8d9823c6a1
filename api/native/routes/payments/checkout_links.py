"""Routes of checkout links: pages of a payment provider on which a customer leaves its payment details."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends
from starlette.responses import Response

from api.http.authentication import Administrator
from api.http.bodies import body_of, body_openapi
from api.http.problems import Problem, found_or_404
from api.http.reading import POSITION_HEADER, CustomerId
from api.http.state import ApiState, StateOf
from api.http.writing import ReasonGiven, provenance_of
from api.native.models.payments.checkout_links import CheckoutLinkGiven, CheckoutLinkView
from consumers.payments.checkouts import Busy, CheckoutLink, NoLink, NotLinked, WantedLink
from consumers.payments.provider import ProviderRefused
from consumers.payments.wanted_links import wanted_link
from projections.queries.api_keys import ApiKeyRecord
from projections.views.customers import customer_history

router = APIRouter(tags=["customers"])


@router.post(
    "/v1/customers/{customer_id:segment}/checkout-links",
    response_model=CheckoutLinkView,
    status_code=201,
    openapi_extra=body_openapi(CheckoutLinkGiven, required=False),
    summary="Make a checkout link",
)
async def create_checkout_link(
    state: StateOf,
    key: Administrator,
    customer_id: CustomerId,
    given: Annotated[CheckoutLinkGiven, Depends(body_of(CheckoutLinkGiven, required=False))],
    reason: ReasonGiven,
) -> Response:
    """Ask the customer's payment provider for a page on which the customer leaves its payment details. A customer
    without an id at the provider is created there first, and the id is stored. 404 when the customer does not exist,
    409 when it has no provider or the provider refuses, 503 when the provider gives no answer in time."""
    success_url = given.success_url or state.engine.settings.checkout_success_url
    wanted = await to_thread.run_sync(_wanted, state, key, customer_id, success_url, reason)
    outcome = await state.engine.checkouts.link(wanted)
    if not isinstance(outcome, CheckoutLink):
        raise _problem(state, customer_id, wanted.provider or "", outcome)
    headers = {}
    if outcome.position is not None:
        await state.fold.folded(outcome.position)
        headers[POSITION_HEADER] = str(outcome.position)
    view = CheckoutLinkView(
        customer=customer_id, payment_provider=outcome.provider, url=outcome.url, expires_at=outcome.expires_at
    )
    return Response(view.model_dump_json(), 201, headers, "application/json")


def _wanted(state: ApiState, key: ApiKeyRecord, customer_id: str, success_url: str, reason: str | None) -> WantedLink:
    with state.engine.reads.snapshot() as snapshot:
        record = snapshot.customer(key.scope, customer_id)
        history = None if record is None else customer_history(record, state.engine.now())
    existing = found_or_404(history if history and history.exists else None, "customer", customer_id)
    return wanted_link(key.scope, existing, provenance_of(key, reason), success_url)


def _problem(state: ApiState, customer_id: str, provider: str, outcome: NoLink) -> Problem:
    title = state.engine.checkouts.title_of(provider)
    match outcome:
        case NotLinked(reason):
            return Problem("payment_provider_missing", f"customer {customer_id!r} cannot be sent to one: {reason}")
        case Busy():
            return Problem("payment_provider_busy", "as many requests as allowed wait for the payment provider")
        case ProviderRefused(code, message):
            told = message if code is None else f"{message} ({code})"
            return Problem("payment_provider_refused", f"{title} refuses: {told}")
        case _:
            return Problem("payment_provider_unavailable", f"{title} gives no link: {outcome.reason}")
