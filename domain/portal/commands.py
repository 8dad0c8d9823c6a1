"""The command about links to the portal of a customer: revoke them."""

from __future__ import annotations

from domain.aggregate import CommandContext
from domain.command import AggregateCommand, SealOf
from domain.portal.portal_links import PortalLinks


class RevokePortalLinks(AggregateCommand[PortalLinks], frozen=True):
    """Revoke all links to the portal of a customer. Whether the customer exists is for the sender to check."""

    customer_id: str

    def blank(self, seal_of: SealOf) -> PortalLinks:
        """Return the links without any events."""
        return PortalLinks(self.scope, self.customer_id)

    def apply(self, aggregate: PortalLinks, context: CommandContext) -> None:
        """End all links that were made so far."""
        aggregate.revoke(context)
