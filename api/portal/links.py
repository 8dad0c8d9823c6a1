"""Links to the portal of a customer: made for those who may read it, and held against what is known when opened."""

from __future__ import annotations

from datetime import datetime

from starlette.requests import Request

from api.http.documentation_pages import own_address
from api.http.middleware.logged_paths import PORTAL_PATH
from api.http.state import ApiState
from api.portal.tokens import token_of
from domain.portal.link import VALID_SECONDS_DEFAULT, PortalLink, Standing, new_link
from domain.scope import Scope
from projections.queries.snapshot import Snapshot
from projections.views.customers import customer_history


def standing_of(snapshot: Snapshot, scope: Scope, customer_id: str, now: datetime) -> Standing | None:
    """What links of the customer are held against; None when it does not exist now."""
    record = snapshot.customer(scope, customer_id)
    history = None if record is None else customer_history(record, now)
    if history is None or not history.exists:
        return None
    revocations = snapshot.facts(scope, "portal", customer_id)
    return Standing(history.life.start, max((one.position for one in revocations), default=0))


def made_link(
    state: ApiState, scope: Scope, customer_id: str, valid_seconds: int = VALID_SECONDS_DEFAULT
) -> PortalLink | None:
    """Make a link to the portal of a customer; None when the customer does not exist now."""
    with state.engine.reads.snapshot() as snapshot:
        now = state.engine.now()
        standing = standing_of(snapshot, scope, customer_id, now)
    return None if standing is None else new_link(scope, customer_id, standing, now, valid_seconds)


def url_of(link: PortalLink, state: ApiState, request: Request) -> str:
    """Return the address of the portal by a link: below the public URL, else below the address of the request."""
    base = (state.engine.settings.public_url or own_address(request)).rstrip("/")
    return f"{base}{PORTAL_PATH}/{token_of(link, state.engine.portal_secret.get())}"
