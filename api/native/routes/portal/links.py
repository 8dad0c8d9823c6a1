"""Routes of links to the portal of a customer: make one, and revoke all that were made."""

from __future__ import annotations

from typing import Annotated, Final

from anyio import to_thread
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from api.http.authentication import Administrator, Reader
from api.http.bodies import body_of, body_openapi
from api.http.problems import found_or_404
from api.http.reading import POSITION_HEADER, CustomerId
from api.http.state import ApiState, StateOf
from api.http.writing import ACCEPTED, ReasonGiven, answer_command, provenance_of
from api.native.models.portal import PortalLinkGiven, PortalLinkView
from api.portal.links import made_link, standing_of, url_of
from domain.portal.commands import RevokePortalLinks
from domain.portal.link import PortalLink
from domain.scope import Scope

router = APIRouter(tags=["portal"])
_LINKS: Final = "/v1/customers/{customer_id:segment}/portal-links"


@router.post(
    _LINKS,
    response_model=PortalLinkView,
    status_code=201,
    openapi_extra=body_openapi(PortalLinkGiven, required=False),
    summary="Make a link to the portal of a customer",
)
async def make_portal_link(
    request: Request,
    state: StateOf,
    key: Reader,
    customer_id: CustomerId,
    given: Annotated[PortalLinkGiven, Depends(body_of(PortalLinkGiven, required=False))],
) -> Response:
    """A link to a page that shows the customer its usage, to hand on to the customer: it needs no key. It is signed and
    not stored, so it cannot be listed. 404 when the customer does not exist."""
    made = await to_thread.run_sync(made_link, state, key.scope, customer_id, given.valid_seconds)
    link: PortalLink = found_or_404(made, "customer", customer_id)
    position = state.engine.folded_position()
    url = await to_thread.run_sync(url_of, link, state, request)  # the first one may read the secret from its file
    view = PortalLinkView(position=position, customer=customer_id, url=url, expires_at=link.expires_at)
    headers = {POSITION_HEADER: str(position), "Cache-Control": "no-store"}
    return Response(view.model_dump_json(), 201, headers, "application/json")


@router.delete(_LINKS, status_code=204, responses=ACCEPTED, summary="Revoke all links to the portal of a customer")
async def revoke_portal_links(
    request: Request, state: StateOf, key: Administrator, customer_id: CustomerId, reason: ReasonGiven
) -> Response:
    """End every link that was made for the customer so far. Links made afterwards are valid. 404 when the customer does
    not exist."""
    known = await to_thread.run_sync(_is_known, state, key.scope, customer_id)
    found_or_404(known, "customer", customer_id)
    command = RevokePortalLinks(key.scope, provenance_of(key, reason), customer_id)
    return await answer_command(request, state, command)


def _is_known(state: ApiState, scope: Scope, customer_id: str) -> bool | None:
    with state.engine.reads.snapshot() as snapshot:
        return None if standing_of(snapshot, scope, customer_id, state.engine.now()) is None else True
