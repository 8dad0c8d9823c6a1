"""The route of a link to the customer portal, which this engine serves."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.dialects.lago.error_shapes import not_found
from api.dialects.lago.models.portal import CustomerPortalAnswer
from api.dialects.lago.routes.customers import ONE_CUSTOMER, ExternalCustomerId
from api.http.authentication import Reader
from api.http.state import StateOf
from api.portal.links import made_link, url_of

router = APIRouter(tags=["customers"])


@router.get(f"{ONE_CUSTOMER}/portal_url", response_model=CustomerPortalAnswer, summary="Get a customer portal URL")
def get_customer_portal_url(
    request: Request, state: StateOf, key: Reader, external_customer_id: ExternalCustomerId
) -> Response:
    """A link to a page that shows the customer its usage: signed, valid for twelve hours, and embeddable. Each answer
    has a new one. 404 when the customer does not exist."""
    link = made_link(state, key.scope, external_customer_id)
    if link is None:
        raise not_found("customer")
    body = {"customer": {"portal_url": url_of(link, state, request)}}
    return JSONResponse(body, headers={"Cache-Control": "no-store"})
