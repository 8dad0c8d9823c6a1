"""Events of the links to the portal of a customer. Making a link is none: it is signed, not stored."""

from __future__ import annotations

from typing import Final

from domain.event import LifecycleEvent

#: Topics of these events in the log, which never change.
PORTAL_LINKS_REVOKED: Final = "portal.links_revoked"


class PortalEvent(LifecycleEvent, frozen=True, kw_only=True):
    """An event of the portal of one customer id."""

    tenant: str
    environment: str
    customer_id: str


class PortalLinksRevoked(PortalEvent, frozen=True, kw_only=True):
    """Every link to the portal of the customer that was made before this event opens it no more."""
