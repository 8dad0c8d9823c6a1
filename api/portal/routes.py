"""The page of a link. The token in its path is all that it takes: there is no key and no cookie."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from api.http.middleware.logged_paths import PORTAL_PATH
from api.http.state import StateOf
from api.portal.links import standing_of
from api.portal.messages import CustomerGone, link_refused
from api.portal.page import portal_page
from api.portal.page_parts import PageAsked
from api.portal.rendering import frame_ancestors_of, html_response
from api.portal.tokens import link_in

router = APIRouter(include_in_schema=False)


@router.get(PORTAL_PATH + "/{token:segment}")
def show_portal(
    state: StateOf,
    token: str,
    period: str | None = None,
    plan: str | None = None,
) -> Response:
    """Show the usage of the customer that the link was made for: 403 for a link that does not open it, 404 when the
    customer does not exist any more. `period`: an instant in the period to show. `plan`: the subscription to show."""
    link = link_in(token, state.engine.portal_secret.get())
    if link is None:
        raise link_refused()
    with state.engine.reads.snapshot() as snapshot:
        now = state.engine.now()
        standing = standing_of(snapshot, link.scope, link.customer_id, now)
        match link.state(now, standing):
            case "gone":
                raise CustomerGone
            case "expired" | "revoked":
                raise link_refused()
        asked = PageAsked(link.scope, link.customer_id, now, period, plan)
        page = portal_page(snapshot, asked, state.engine.settings.period_grace_seconds)
    return html_response("portal.html", {"page": page}, frame_ancestors_of(state))
